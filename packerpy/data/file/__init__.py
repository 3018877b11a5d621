"""A file of the host."""

from packerpy.data.file.specs import FileData

__all__ = ["FileData"]
