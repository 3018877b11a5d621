"""Bills of materials, from the disk's own list of packages."""

from packerpy.postprocessors.sbom.specs import Sbom

__all__ = ["Sbom"]
