"""The declaration."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from string import Formatter
from typing import TYPE_CHECKING, ClassVar

import attrs

from packerpy.contracts import PostProcessorSpec
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import as_declared, word_list
from packerpy.kit.checksum import ALGORITHMS
from packerpy.kit.choices import suggestion
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.postprocessors.checksum.worker import Worker

_TYPE = "{type}"
PLACES = ("type", "file", "image", "build", "builder")
MODES = ("update", "replace", "append")


def _types(value: Iterable[str | Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word_list(value))) or ("sha256",)


@declaration(init=False)
class Checksum(PostProcessorSpec):
    """Write the digests of every file of the artifact, in the format that ``sha256sum -c`` and its siblings read.

    :param types: ``md5``, ``sha1``, ``sha224``, ``sha256``, ``sha384``, ``sha512``; the file is read once for all.
        Default ``sha256``: Packer's ``md5`` no longer protects against a file made to deceive.
    :param output: one file for all digests of a type, such as ``SHA256SUMS``; by default ``{file}.{type}``, one beside
        each file. In it ``{type}``, ``{file}``, ``{image}``, ``{build}`` and ``{builder}`` stand for what they say:
        Packer's own default would be ``packer_{build}_{builder}_{type}.checksum``. A bare name lies with the build's
        results; a path with a folder in it is written where it is, under a lock, so that many builds can share it.
    :param mode: when the file is there already: ``update`` puts new digests in the place of those of files of the same
        name and keeps the others; ``replace`` begins anew; ``append`` only adds lines, as Packer does.
    :param keep_input: whether the input stays; by default it does, the digests are of no use without it.
    """

    kind: ClassVar[str] = "checksum"
    support: ClassVar[tuple[Support, ...]] = (Support("`Checksum`", "`sha256sum -c` and its siblings", "run"),)
    keeps_input: ClassVar[bool] = True
    needs_files: ClassVar[bool] = True

    types: tuple[str, ...] = attrs.field(converter=_types)
    output: str | None
    mode: str
    keep_input: bool | None

    def __init__(
        self,
        *names: str,
        types: Iterable[str] = (),
        output: str | PurePath | None = None,
        mode: str = "update",
        keep_input: bool | None = None,
    ) -> None:
        self.__attrs_init__((*names, types), as_declared(output), mode, keep_input)

    @property
    def title(self) -> str:
        """One line for people."""
        return f"checksum {', '.join(self.types)}"

    def check(self) -> Iterable[Problem]:
        """Unknown types and modes, an output that cannot be a file's name."""
        for number, name in enumerate(self.types):
            if name not in ALGORITHMS:
                fix = suggestion(name, ALGORITHMS)
                yield Problem(where=f"types[{number}]", what="not a checksum algorithm", seen=str(name), fix=fix)
        if self.mode not in MODES:
            yield Problem(where="mode", what="not a mode", seen=str(self.mode), fix=suggestion(self.mode, MODES))
        if self.output is not None:
            yield from self._check_output(self.output)

    def _check_output(self, output: str) -> Iterable[Problem]:
        if not output or output.endswith("/") or PurePath(output).name in ("", ".", ".."):
            fix = "give a file name, such as SHA256SUMS"
            yield Problem(where="output", what="not the name of a file", seen=output, fix=fix)
        try:
            named = {name for _, name, _, _ in Formatter().parse(output) if name is not None}
        except ValueError:
            named = {""}
        for name in sorted(named - set(PLACES)):
            fix = f"use {', '.join('{' + place + '}' for place in PLACES)}"
            yield Problem(where="output", what=f"nothing is called {{{name}}}", seen=output, fix=fix)
        if len(self.types) > 1 and _TYPE not in output:
            fix = "put {type} into the name, such as sums.{type}"
            yield Problem(where="output", what="one file for several types of checksum", seen=output, fix=fix)

    @property
    def shared(self) -> bool:
        """Whether the file lies where the user says, not with the build's results."""
        return self.output is not None and "/" in self.output

    def load(self) -> Worker:
        """The worker."""
        from packerpy.postprocessors.checksum.worker import Worker

        return Worker(self)
