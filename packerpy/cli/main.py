"""The entry point: verbs, errors, exit codes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from packerpy.cli.build import build
from packerpy.cli.cache import cache
from packerpy.cli.clean import clean
from packerpy.cli.doctor import doctor
from packerpy.cli.inspect import inspect
from packerpy.cli.plan import graph, plan
from packerpy.cli.validate import validate
from packerpy.cli.verify import verify
from packerpy.cli.version import version
from packerpy.cli.why import why
from packerpy.errors import CancelledError
from packerpy.kit import log
from packerpy.version import __version__

_USAGE = 2
"""Exit code for a command line that makes no sense, as for a declaration that makes none."""

app = App(
    name="packerpy",
    help="Identical machine images on many platforms, in parallel, declared in Python.",
    version=f"packerpy {__version__}",
    result_action="return_value",
)
for verb in (build, validate, plan, why, graph, inspect, version, doctor, clean, verify):
    app.command(verb)
app.command(cache)


def run(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line and answer its exit code; errors are printed, never raised.

    :param arguments: without the program's name; by default those of this process.
    """
    try:
        code = app(arguments, exit_on_error=False)
    except CycloptsError:
        return _USAGE  # cyclopts has said what is wrong
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  the reader of our output has gone
        return 1
    except BaseException as error:  # noqa: BLE001  the last place where it can be told
        from packerpy.cli.report import report  # most runs have no error, and to show one takes long to import

        return report(error)
    return code if isinstance(code, int) else 0


def main() -> None:
    """Run as a program."""
    log.when_first_used(_configure_log)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite end is a Ctrl-C
    code = run()
    _flush()
    if code == CancelledError.exit_code:
        os._exit(code)  # a second Ctrl-C may have left threads behind that nobody waits for any more
    sys.exit(code)


def _flush() -> None:
    """Hand on what is buffered, unless the reader has gone."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue


def _configure_log() -> None:
    """To standard error, for standard output is for results; without the values of variables, which may be secret."""
    import structlog

    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty() and "NO_COLOR" not in os.environ,
        exception_formatter=structlog.dev.plain_traceback,
    )
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="%H:%M:%S"), renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    main()
