"""Runs what a :class:`packerpy.kit.scripts.HostScript` says."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from packerpy.contracts import Run
from packerpy.errors import BuildError
from packerpy.kit import process
from packerpy.kit.scripts import HostScript
from packerpy.kit.text import text_of


def run_on_host(run: Run, spec: HostScript, told: Mapping[str, str], error: type[BuildError]) -> None:
    """Run everything in order; nothing on a system that it is not meant for.

    :param told: environment variables beside the host's own and those declared.
    :param error: raised when a script fails, or its time is up.
    """
    system = {"win32": "windows"}.get(sys.platform, sys.platform)
    if spec.only_on and system not in spec.only_on:
        run.say(f"not run: this host is {system}, it is for {' or '.join(spec.only_on)}")
        return
    env = {**os.environ, **told, **{name: text_of(run, value) for name, value in spec.env.items()}}
    for path in spec.scripts:
        _call(run, spec, path.absolute(), f"the script {path}", "/bin/sh", env, error)
    if spec.inline:
        with _inline(run, spec) as path:
            _call(run, spec, path, "the inline script", "/bin/sh -e", env, error)


@contextmanager
def _inline(run: Run, spec: HostScript) -> Iterator[Path]:
    """The lines as a file that only we can read, so that nothing of it is in a process list; gone afterwards."""
    path = run.workdir / f"script-{secrets.token_hex(8)}.sh"
    try:
        path.touch(mode=0o600)
        path.write_text("".join(f"{text_of(run, line)}\n" for line in spec.inline), encoding="utf-8")
        yield path
    finally:
        path.unlink(missing_ok=True)


def _call(
    run: Run, spec: HostScript, path: Path, label: str, default: str, env: Mapping[str, str], error: type[BuildError]
) -> None:
    """Run a script by the interpreter that is declared, else by what its first line names, else by the default."""
    try:
        with path.open("rb") as file:
            first = file.readline(4096).decode(errors="replace").strip()
    except OSError as cause:
        raise error(f"cannot read {label}", details=cause.strerror) from cause
    own = first.removeprefix("#!") if first.startswith("#!") else default
    process.call(
        [*shlex.split(spec.interpreter or own), path],
        env=env,
        cwd=spec.folder,
        ok=spec.valid_exit_codes,
        timeout=spec.timeout,
        sink=run.output,
        cancellation=run.cancellation,
        error=error,
        label=label,
    )
