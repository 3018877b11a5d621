"""Files and folders, up and down."""

from packerpy.provisioners.file.specs import File

__all__ = ["File"]
