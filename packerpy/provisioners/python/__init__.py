"""Plain Python functions as steps and tests."""

from packerpy.provisioners.python.specs import Function

__all__ = ["Function"]
