"""Parts for authors of plug-ins."""
