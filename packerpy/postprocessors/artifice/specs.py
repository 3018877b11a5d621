"""The declaration."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import attrs

from packerpy.contracts import PostProcessorSpec
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import as_declared, one_or_many
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.postprocessors.artifice.worker import Worker


def _names(value: Iterable[str | Path | Iterable[str | Path]]) -> tuple[str, ...]:
    return tuple(map(as_declared, one_or_many(value)))


@declaration(init=False)
class Artifice(PostProcessorSpec):
    """Adopt files: what comes next in the chain sees them in place of the artifact's own.

    They may have been made by a step (downloaded from the machine) or by a post-processor before this one.

    :param files: paths or patterns (``*``, ``?``, ``[…]``, ``**`` for any folders). A relative one is looked for among
        the build's results first, then in the working folder. Each must fit at least one file.
    :param add: besides the files that the artifact has, not in their place.
    :param makes: what the new artifact is: ``files``, or ``disk`` when its first file is a disk to convert or to boot.
    :param keep_input: whether the input stays; by default it does.
    """

    kind: ClassVar[str] = "artifice"
    support: ClassVar[tuple[Support, ...]] = (Support("`Artifice`", "whole builds", "run"),)
    keeps_input: ClassVar[bool] = True
    makes_files: ClassVar[bool | None] = True

    files: tuple[str, ...] = attrs.field(converter=_names)
    add: bool
    makes: str
    keep_input: bool | None

    def __init__(
        self,
        *patterns: str | Path,
        files: Iterable[str | Path] = (),
        add: bool = False,
        makes: str = "files",
        keep_input: bool | None = None,
    ) -> None:
        self.__attrs_init__((*patterns, files), add, makes, keep_input)

    @property
    def title(self) -> str:
        """One line for people."""
        return f"adopt {', '.join(self.files)}".replace("\n", " ")

    def check(self) -> Iterable[Problem]:
        """Nothing to adopt, empty patterns, an unknown kind."""
        if not self.files:
            yield Problem(where="files", what="there is nothing to adopt", fix="give at least one path or pattern")
        for number, name in enumerate(self.files):
            if not name.strip() or "\0" in name:
                yield Problem(where=f"files[{number}]", what="not the name of a file", seen=repr(name))
        if self.makes not in ("files", "disk"):
            yield Problem(where="makes", what="not a kind of artifact", seen=repr(self.makes), fix="files or disk")
        if self.add and self.makes != "files":
            yield Problem(where="add", what="files that are added do not make another kind", fix="leave makes= out")

    def load(self) -> Worker:
        """The worker."""
        from packerpy.postprocessors.artifice.worker import Worker

        return Worker(self)
