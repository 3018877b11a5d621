"""Checksums beside the files they are of."""

from packerpy.postprocessors.checksum.specs import Checksum

__all__ = ["Checksum"]
