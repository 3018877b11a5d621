"""The declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import attrs

from packerpy.contracts import PostProcessorSpec
from packerpy.declare.declaration import declaration
from packerpy.declare.later import computed
from packerpy.kit.choices import suggestion
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.postprocessors.compress.worker import Worker


@attrs.frozen(kw_only=True)
class Levels:
    """The levels of a format: lowest, highest, and the one used without a word."""

    lowest: int
    highest: int
    usual: int


CODECS: Mapping[str, Levels] = MappingProxyType(
    {
        "gz": Levels(lowest=1, highest=9, usual=3),
        "zst": Levels(lowest=1, highest=19, usual=3),
        "xz": Levels(lowest=0, highest=9, usual=6),
        "bz2": Levels(lowest=1, highest=9, usual=9),
        "lz4": Levels(lowest=1, highest=12, usual=1),
        "bgzf": Levels(lowest=1, highest=9, usual=3),
    }
)
ZIP = Levels(lowest=1, highest=9, usual=3)
FORMATS = (*CODECS, "zip", "tar", *(f"tar.{codec}" for codec in CODECS))
_ENDINGS = MappingProxyType({f".{name}": name for name in sorted(FORMATS, key=len, reverse=True)} | {".tgz": "tar.gz"})
"""What a file's name says of its format, longest first."""


def _format(name: str | None) -> str:
    return next((form for ending, form in _ENDINGS.items() if (name or "").endswith(ending)), "zst")


@declaration
class Compress(PostProcessorSpec):
    """Compress the artifact's files, using all processors.

    One file becomes ``<file>.<format>``, several become one ``<image>.tar.<format>`` (or ``<image>.zip``). Equal input
    gives equal output on every machine, however many processors it has: no times, owners or file order get in.

    :param format: ``gz``, ``zst``, ``xz``, ``bz2``, ``lz4``, ``bgzf`` (gzip that can be read from any place), ``zip``;
        or ``tar.gz`` and so on to archive a single file too, ``tar`` without compression. By default what the end of
        ``name`` says, else ``zst``.
    :param level: 1 to 9 (``xz``: 0 to 9, ``zst``: 1 to 19, ``lz4``: 1 to 12); by default what the format's own program
        uses, but 3 for ``gz``. Its levels 1 to 3 are those of Intel's ISA-L, much faster than zlib's, which are 4 to 9.
    :param name: the new file's whole name: ``web.tar.gz``.
    :param keep_input: whether the files compressed stay as results; by default not.
    """

    kind: ClassVar[str] = "compress"
    support: ClassVar[tuple[Support, ...]] = (
        Support(
            "`Compress` gz, zst, xz, bz2, lz4, bgzf, zip, tar",
            "unpacked by the formats' own programs and Python's modules",
            "run",
        ),
    )
    keeps_input: ClassVar[bool] = False
    needs_files: ClassVar[bool] = True

    name: str | None = attrs.field(default=None, kw_only=True)
    format: str = attrs.field(
        default=attrs.Factory(lambda self: computed(_format, self.name).settled(), takes_self=True)
    )
    level: int | None = attrs.field(default=None, kw_only=True)
    keep_input: bool | None = attrs.field(default=None, kw_only=True)

    @property
    def title(self) -> str:
        """One line for people."""
        return f"compress to {self.format}" + (f", level {self.level}" if self.level is not None else "")

    @property
    def codec(self) -> str:
        """The format without ``tar``; empty for an archive without compression."""
        return self.format.removeprefix("tar").removeprefix(".")

    def check(self) -> Iterable[Problem]:
        """Unknown formats, levels that a format has not, names that are paths."""
        if self.format not in FORMATS:
            fix = suggestion(self.format, FORMATS)
            yield Problem(where="format", what="not a compressed format", seen=str(self.format), fix=fix)
        elif self.level is not None and self.format == "tar":
            yield Problem(where="level", what="tar alone does not compress", seen=repr(self.level), fix="use tar.gz")
        elif self.level is not None:
            levels = self.levels()
            if not isinstance(self.level, int) or not levels.lowest <= self.level <= levels.highest:
                fix = f"{self.format} has levels {levels.lowest} to {levels.highest}"
                yield Problem(where="level", what="no such level", seen=repr(self.level), fix=fix)
        if self.name is not None and (not self.name or "/" in self.name):
            yield Problem(
                where="name", what="not the name of a file", seen=self.name, fix="give a name without folders"
            )

    def levels(self) -> Levels:
        """The levels of the chosen format."""
        return CODECS.get(self.codec, ZIP)

    def load(self) -> Worker:
        """The worker."""
        from packerpy.postprocessors.compress.worker import Worker

        return Worker(self)
