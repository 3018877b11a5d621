"""Packages of the guest's distribution."""

from packerpy.provisioners.packages.specs import Packages

__all__ = ["Packages"]
