"""Saving running machines, and starting clones of them."""
