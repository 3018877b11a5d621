"""Machines that start from installation media: the media, the typing, and reading what the machine shows."""
