"""Making a machine fit to be cloned."""

from packerpy.provisioners.sysprep.specs import Sysprep

__all__ = ["Sysprep"]
