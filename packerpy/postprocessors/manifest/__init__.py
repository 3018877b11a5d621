"""A machine-readable record of what was built."""

from packerpy.postprocessors.manifest.specs import Manifest

__all__ = ["Manifest"]
