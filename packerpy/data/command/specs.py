"""Which program, as declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar, get_args

import attrs

from packerpy.contracts import DataSource
from packerpy.declare import Data, Secret, Text
from packerpy.declare.declaration import FROM_CALLER, declaration
from packerpy.declare.fields import optional_path, pairs, text_map
from packerpy.declare.later import Joined, shown_text
from packerpy.kit.choices import suggestion
from packerpy.kit.formats import Format
from packerpy.kit.scripts import line_list
from packerpy.values import Problem, Support


@declaration(init=False)
class CommandData(Data):
    """What a program of the host prints: ``CommandData("nproc")["text"]``.

    It reads ``text``, its standard output without the last newline; ``lines``, the same as a list; ``data``, what the
    output says in its format. The program is killed with all that it started when the build is cancelled.

    :param argv: the program and its arguments; no shell is between.
    :param env: environment variables beside packerpy's own; the place for secrets, never visible in a process list.
    :param folder: its working folder; ours by default.
    :param format: ``text``, ``json`` or ``toml``.
    :param timeout: seconds after which it is killed.
    :param secret: what it prints is secret: masked everywhere, and in keys as a keyed hash.
    """

    kind: ClassVar[str] = "command"
    support: ClassVar[tuple[Support, ...]] = (Support("`CommandData`", "programs of the host", "run"),)

    argv: tuple[Text, ...] = attrs.field(converter=line_list)
    env: Mapping[str, Text] = attrs.field(converter=text_map, eq=pairs)
    folder: Path | None = attrs.field(converter=optional_path)
    format: Format
    timeout: float
    secret: bool
    name: str = attrs.field(metadata=FROM_CALLER)

    def __init__(
        self,
        *words: Text,
        argv: Iterable[Text] = (),
        env: Mapping[str, Text] | None = None,
        folder: str | Path | None = None,
        format: Format = "text",  # noqa: A002  the word for it
        timeout: float = 60.0,
        secret: bool = False,
        name: str = "",
    ) -> None:
        self.__attrs_init__((*words, argv), env or {}, folder, format, timeout, secret, name)

    @property
    def title(self) -> str:
        """The command line, in one line."""
        return ("read what is printed by " + " ".join(shown_text(word) for word in self.argv)).splitlines()[0][:90]

    def check(self) -> Iterable[Problem]:
        """There is a program, no secret in its arguments, a known format, some time."""
        if not self.argv or self.argv[0] == "":
            yield Problem(where="argv", what="there is no program to run", fix="name one: CommandData('nproc')")
        for index, word in enumerate(self.argv):
            parts = word.parts if isinstance(word, Joined) else (word,)
            if any(isinstance(part, Secret) for part in parts):
                fix = "give it by env={…}, which nobody sees"
                yield Problem(where=f"argv[{index}]", what="a secret in arguments is seen by every user", fix=fix)
        if self.format not in get_args(Format):
            fix = suggestion(self.format, get_args(Format))
            yield Problem(where="format", what="is not known", seen=str(self.format), fix=fix)
        if self.timeout <= 0:
            yield Problem(where="timeout", what="must be more than 0 seconds", seen=str(self.timeout))

    def load(self) -> DataSource:
        """The worker."""
        from packerpy.data.command.worker import Worker

        return Worker(self)
