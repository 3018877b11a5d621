"""Errors, for people."""

from __future__ import annotations

import traceback
from textwrap import indent

from rich.console import Console
from rich.text import Text

from packerpy.cli.load import UserFileError
from packerpy.cli.text import clean
from packerpy.errors import BuildFailures, CancelledError, PackerpyError


def report(error: BaseException) -> int:
    """Print an error to standard error and answer the exit code it stands for."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    if isinstance(error, BuildFailures):
        for one in error.exceptions:
            if isinstance(one, PackerpyError):
                _print(console, one)
        console.print(Text(error.message, style="bold red"))
        return error.exit_code
    if isinstance(error, PackerpyError):
        _print(console, error)
        return error.exit_code
    if isinstance(error, UserFileError):
        console.print(Text(clean(str(error))))
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        console.print(Text("interrupted", style="bold red"))
        return CancelledError.exit_code
    console.print(Text(clean("".join(traceback.format_exception(error)).rstrip("\n"))))
    console.print(Text("This is a bug of packerpy. Please report it with the lines above.", style="bold red"))
    return 1


def _print(console: Console, error: PackerpyError) -> None:
    """What went wrong, what was seen, what to do."""
    line = Text("error: ", style="bold red")
    line.append(clean(error.brief), style="bold")
    console.print(line)
    if error.details:
        console.print(Text(indent(clean(error.details), "  ")))
    for note in getattr(error, "__notes__", ()):
        console.print(Text(f"  {clean(note)}"), soft_wrap=True)  # a command line in it can be copied
    if error.resolution:
        console.print(Text.assemble(("What to do: ", "bold"), clean(error.resolution)))
