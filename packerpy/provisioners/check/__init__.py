"""Commands that must end as expected."""

from packerpy.provisioners.check.specs import Check

__all__ = ["Check"]
