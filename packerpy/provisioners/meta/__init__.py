"""Which builds a step belongs to, and how it is run: around any other step."""

from packerpy.provisioners.meta.facts import Facts
from packerpy.provisioners.meta.specs import Group, Step

__all__ = ["Facts", "Group", "Step"]
