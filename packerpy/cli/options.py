"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from packerpy.cli.load import Loaded
from packerpy.errors import DeclarationError
from packerpy.validate.variable_files import automatic

File = Annotated[str, Parameter(help="Python file that declares images; FILE.py:name takes one value of it.")]
Only = Annotated[
    tuple[str, ...],
    Parameter(
        name="--only",
        negative=(),
        show_default=False,
        help="Glob of builds wanted; what they stand on comes along. Repeatable.",
    ),
]
Except = Annotated[
    tuple[str, ...],
    Parameter(name="--except", negative=(), show_default=False, help="Glob of builds not wanted. Repeatable."),
]
Var = Annotated[
    tuple[str, ...],
    Parameter(name="--var", negative=(), show_default=False, help="name=value of a declared variable. Repeatable."),
]
VarFile = Annotated[
    tuple[Path, ...],
    Parameter(
        name="--var-file",
        negative=(),
        show_default=False,
        help="JSON or TOML file of variables; --var goes before it. Repeatable.",
    ),
]
Output = Annotated[
    Path | None, Parameter(name="--output", help="Folder for results; default: output/ beside the file.")
]


NoCache = Annotated[
    bool, Parameter(name="--no-cache", negative=(), help="Do everything again that makes the wanted images.")
]
From = Annotated[
    tuple[str, ...],
    Parameter(
        name="--from",
        negative=(),
        show_default=False,
        help="Glob of tasks (web/step-2, step-2, a title): they and what follows are done again. Repeatable.",
    ),
]
OnlyPost = Annotated[
    bool, Parameter(name="--only-post", negative=(), help="Do the post-processors again, and nothing else.")
]


def variables(given: tuple[str, ...]) -> Mapping[str, str]:
    """Values by name.

    :raises DeclarationError: a pair makes no sense.
    """
    values: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise DeclarationError(f"--var {pair!r} is not name=value", resolution="write --var release=bookworm")
        values[name] = value
    return values


def variable_files(named: tuple[Path, ...], loaded: Loaded) -> tuple[Path, ...]:
    """Files of variables: those beside the user's file that need no naming, then those named."""
    return (*automatic(loaded.path.parent), *named)
