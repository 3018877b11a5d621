"""Disk images in other formats."""

from packerpy.postprocessors.convert.specs import Convert

__all__ = ["Convert"]
