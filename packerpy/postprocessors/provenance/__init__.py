"""Signed statements of what was built from what."""

from packerpy.postprocessors.provenance.specs import Provenance

__all__ = ["Provenance"]
