"""Finds plug-ins: built-in ones by walking the folders, those of others by the entry point ``packerpy.plugins``."""

from packerpy.registry.find import Registered, registered
from packerpy.registry.steps import as_post, as_spec, steps_of

__all__ = ["Registered", "as_post", "as_spec", "registered", "steps_of"]
