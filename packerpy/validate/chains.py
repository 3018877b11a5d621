"""Chains of post-processors that cannot work on what their build makes."""

from __future__ import annotations

from collections.abc import Iterator

from packerpy.registry import as_post
from packerpy.validate.graph import Build
from packerpy.values import Problem


def check_chains(build: Build) -> Iterator[Problem]:
    """Post-processors that need files where only things on a platform are made: said before the platform makes them."""
    for row, chain in enumerate(build.image.post):
        files: bool = getattr(build.source, "makes_files", True)
        for column, item in enumerate(map(as_post, chain)):
            place = f"post[{row}]" if len(chain) == 1 else f"post[{row}][{column}]"
            if getattr(item, "needs_files", False) and not files:
                yield Problem(
                    where=place,
                    what="needs files, and there are none: what is made lies on its platform",
                    seen=f"{getattr(item, 'kind', item)} after {build.source.kind}",
                    fix="take it out for this source, or record the artifact with packerpy.Manifest()",
                )
            made: bool | None = getattr(item, "makes_files", None)
            files = files if made is None else made
