"""What can be seen of a machine that does not answer."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from packerpy.backends.qemu.guest import Guest
from packerpy.contracts import Run

_KEPT = 20
"""Reports that stay in the cache; older ones go when a new one is written."""


def report(run: Run, guest: Guest) -> str:
    """Save console and screen outside of the run's work folder, which is about to go; answer them in words.

    They lie in ``<cache>/crash/<run>-<build>/`` as ``console.log`` and ``screen.png``.
    """
    folder = run.cache / "crash" / f"{run.id}-{re.sub(r'[^A-Za-z0-9._-]+', '_', run.name)}"
    parts: list[str] = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_old(folder.parent)
        parts.append(_console(guest, folder / "console.log"))
        parts.append(_screen(guest, folder / "screen.png"))
    except Exception as error:  # noqa: BLE001  whatever goes wrong here, the first error is the one that matters
        parts.append(f"its state could not be saved: {error}")
    end = guest.died()
    if end is not None:
        parts.append(f"the machine is gone: {end}")
    elif guest.last_words:
        parts.append(f"QEMU said:\n{guest.last_words}")
    return "\n".join(parts)


def _console(guest: Guest, target: Path) -> str:
    shutil.copyfile(guest.folder / "console.log", target)
    lines = guest.console.last_lines()
    if not lines:
        return "its serial console printed nothing"
    return f"last lines of its serial console (all of it: {target}):\n{lines}"


def _screen(guest: Guest, target: Path) -> str:
    if guest.qmp.closed:
        return "no picture of its screen: QEMU is gone"
    guest.screenshot(target)
    return f"its screen: {target}"


def _forget_old(folder: Path) -> None:
    reports = sorted((entry for entry in folder.iterdir() if entry.is_dir()), key=lambda entry: entry.stat().st_mtime)
    for entry in reports[:-_KEPT]:
        shutil.rmtree(entry, ignore_errors=True)
