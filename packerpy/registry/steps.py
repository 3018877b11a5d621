"""Turns what stands in ``provision=``, ``tests=`` and ``post=`` into declarations."""

from __future__ import annotations

import attrs

from packerpy.contracts import PostProcessorSpec
from packerpy.declare.image import Post
from packerpy.postprocessors.python.specs import as_post as _function_as_post
from packerpy.postprocessors.shell_local.specs import ShellLocal
from packerpy.provisioners.meta.select import steps_of
from packerpy.provisioners.python.specs import as_spec

__all__ = ["as_post", "as_spec", "steps_of"]


def as_post(item: Post) -> PostProcessorSpec:
    """A plain function becomes a post-processor, and so does a ``ShellLocal``, which is a step elsewhere."""
    if getattr(item, "kind", None) == ShellLocal.kind and not isinstance(item, ShellLocal):
        names = [field.name for field in attrs.fields(ShellLocal) if hasattr(item, field.name)]
        return ShellLocal(**{name: getattr(item, name) for name in names})
    return _function_as_post(item)
