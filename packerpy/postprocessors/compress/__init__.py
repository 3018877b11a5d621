"""Compressed files and archives, made by all processors at once."""

from packerpy.postprocessors.compress.specs import Compress

__all__ = ["Compress"]
