"""The version of packerpy."""

__version__ = "0.1.0"
"""The one place where it is written; the package's metadata takes it from here."""
