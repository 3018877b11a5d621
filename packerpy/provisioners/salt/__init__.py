"""Salt without a master."""

from packerpy.provisioners.salt.specs import Salt

__all__ = ["Salt"]
