"""Which file, as declared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, get_args

import attrs

from packerpy.contracts import DataSource
from packerpy.declare import Data, Later
from packerpy.declare.declaration import FROM_CALLER, declaration
from packerpy.kit.choices import suggestion
from packerpy.kit.formats import Format
from packerpy.values import Problem, Support


@declaration
class FileData(Data):
    """What a file of the host says.

    It reads ``text``; ``data``, what the text says in its format; ``sha256``, the digest of the file.

    :param path: the file, relative to the working folder.
    :param format: ``text``, ``json`` or ``toml``; by default as its name ends.
    :param secret: what it says is secret: masked everywhere, and in keys as a keyed hash.
    """

    kind: ClassVar[str] = "file"
    support: ClassVar[tuple[Support, ...]] = (Support("`FileData`: text, JSON, TOML", "files of the host", "run"),)

    path: str | Path | Later
    format: Format | None = attrs.field(default=None, kw_only=True)
    secret: bool = attrs.field(default=False, kw_only=True)
    name: str = attrs.field(default="", kw_only=True, metadata=FROM_CALLER)

    @property
    def title(self) -> str:
        """The path."""
        return f"read the file {self.path.shown if isinstance(self.path, Later) else self.path}"

    def check(self) -> Iterable[Problem]:
        """The file is there, the format is known."""
        if not isinstance(self.path, Later) and not Path(self.path).is_file():
            yield Problem(where="path", what="there is no such file", seen=str(self.path))
        if self.format is not None and self.format not in get_args(Format):
            fix = suggestion(self.format, get_args(Format))
            yield Problem(where="format", what="is not known", seen=str(self.format), fix=fix)

    def load(self) -> DataSource:
        """The worker."""
        from packerpy.data.file.worker import Worker

        return Worker(self)
