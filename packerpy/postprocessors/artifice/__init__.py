"""Files made by others become the artifact."""

from packerpy.postprocessors.artifice.specs import Artifice

__all__ = ["Artifice"]
