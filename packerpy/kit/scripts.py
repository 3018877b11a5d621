"""What every step that runs scripts can be told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import attrs

from packerpy.contracts import ReadsFiles
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import Place, host_paths, known, one_or_many, optional_path, pairs, text_map, word_list
from packerpy.declare.later import shown_text
from packerpy.declare.values import Text
from packerpy.kit.choices import suggestion
from packerpy.values import Problem

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LONGEST_TITLE = 70
"""Characters of a command that a title shows."""


def line_list(value: Text | Iterable[Text | Iterable[Text]]) -> tuple[Text, ...]:
    """Lines given one by one, or in a list."""
    return one_or_many(value)


def script_list(script: Place | None, scripts: Place | Iterable[Place]) -> tuple[Path, ...]:
    """One script file, or several."""
    return (*(() if script is None else host_paths(script)), *host_paths(scripts))


def missing(where: str, paths: Iterable[Path | None], *, folder: bool = False) -> Iterator[Problem]:
    """A problem for each path that is not there."""
    for path in paths:
        if path is not None and known(path) and not (path.is_dir() if folder else path.exists()):
            yield Problem(where=where, what=f"there is no such {'folder' if folder else 'file'}", seen=str(path))


def bad_names(where: str, names: Iterable[str]) -> Iterator[Problem]:
    """A problem for each that cannot be an environment variable."""
    for name in names:
        if not _NAME.match(name):
            yield Problem(where=where, what="not a name for an environment variable", seen=name)


def no_time(seconds: float | None, where: str) -> Iterator[Problem]:
    """A problem for a limit of time that leaves none."""
    if seconds is not None and seconds <= 0:
        yield Problem(where=where, what="must be more than 0 seconds", seen=str(seconds))


def _codes(value: Iterable[int]) -> tuple[int, ...]:
    return tuple(value)


@declaration
class Script(ReadsFiles):
    """Lines that are one script, or script files of the host, and what they find when they run.

    :ivar inline: lines of one script.
    :ivar scripts: script files of the host, run in order.
    :ivar env: environment variables; never visible in a process list.
    :ivar valid_exit_codes: exit codes that mean success.
    """

    doing: ClassVar[str] = "run"
    """How its title begins."""
    largest_code: ClassVar[int] = 255
    """The largest exit code that there can be."""

    inline: tuple[Text, ...] = attrs.field(default=(), converter=line_list)
    scripts: tuple[Path, ...] = attrs.field(default=(), converter=host_paths, kw_only=True)
    env: Mapping[str, Text] = attrs.field(factory=dict, converter=text_map, eq=pairs, kw_only=True)
    valid_exit_codes: tuple[int, ...] = attrs.field(default=(0,), converter=_codes, kw_only=True)

    @property
    def title(self) -> str:
        """The first command, or the scripts' names."""
        if self.scripts:
            return f"{self.doing} " + ", ".join(path.name for path in self.scripts)
        lines = [line.strip() for line in "\n".join(map(shown_text, self.inline)).splitlines() if line.strip()]
        first = lines[0] if lines else "nothing"
        more = " …" if len(lines) > 1 or len(first) > _LONGEST_TITLE else ""
        return f"{self.doing} {first[:_LONGEST_TITLE]}{more}"

    def reads(self) -> Iterable[Path]:
        """The scripts."""
        return self.scripts

    def check(self) -> Iterable[Problem]:
        """One origin, scripts that exist, names and codes that make sense."""
        if bool(self.inline) == bool(self.scripts):
            yield Problem(
                what="both lines and scripts are given" if self.inline else "there is nothing to run",
                fix="give lines, or script=, or scripts=",
            )
        for index, path in enumerate(self.scripts):
            if known(path) and not path.is_file():
                yield Problem(where=f"scripts[{index}]", what="there is no such file", seen=str(path))
        yield from bad_names("env", self.env)
        if not self.valid_exit_codes or not all(0 <= code <= self.largest_code for code in self.valid_exit_codes):
            what, seen = f"needs codes from 0 to {self.largest_code}", str(list(self.valid_exit_codes))
            yield Problem(where="valid_exit_codes", what=what, seen=seen)


SYSTEMS = ("linux", "darwin", "windows", "freebsd", "openbsd", "netbsd", "solaris")


@declaration(init=False)
class HostScript(Script):
    """A script that runs on the host, whoever runs it.

    :ivar interpreter: what runs it; by default ``/bin/sh -e`` for lines, what a script's ``#!`` names, or ``/bin/sh``.
    :ivar only_on: systems to run on; on another one nothing is done.
    :ivar folder: where it runs; by default where packerpy does.
    :ivar timeout: seconds after which each script is killed, with all that it started; ``None`` is no limit.
    """

    doing: ClassVar[str] = "run on the host:"

    interpreter: str | None = attrs.field(default=None, kw_only=True)
    only_on: tuple[str, ...] = attrs.field(default=(), converter=word_list, kw_only=True)
    folder: Path | None = attrs.field(default=None, converter=optional_path, kw_only=True)
    timeout: float | None = attrs.field(default=None, kw_only=True)

    def __init__(
        self,
        *lines: Text | Iterable[Text],
        inline: Iterable[Text] = (),
        script: Place | None = None,
        scripts: Place | Iterable[Place] = (),
        env: Mapping[str, Text] | None = None,
        interpreter: str | None = None,
        only_on: str | Iterable[str] = (),
        valid_exit_codes: Iterable[int] = (0,),
        folder: Place | None = None,
        timeout: float | None = None,
    ) -> None:
        self.__attrs_init__(
            (*lines, inline),
            scripts=script_list(script, scripts),
            env=env,
            interpreter=interpreter,
            only_on=only_on,
            valid_exit_codes=valid_exit_codes,
            folder=folder,
            timeout=timeout,
        )

    def check(self) -> Iterable[Problem]:
        """Also folder, systems, time and interpreter."""
        yield from super().check()
        yield from missing("folder", (self.folder,), folder=True)
        yield from no_time(self.timeout, "timeout")
        for index, system in enumerate(self.only_on):
            if system not in SYSTEMS:
                fix = suggestion(system, SYSTEMS)
                yield Problem(where=f"only_on[{index}]", what="not a system", seen=system, fix=fix)
        if self.interpreter is not None and not self.interpreter.strip():
            yield Problem(where="interpreter", what="is empty", fix="leave it out, or name a program")
