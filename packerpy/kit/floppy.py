"""Floppy disk images: 1.44 MB, FAT12, by way of mtools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from packerpy.contracts import Run
from packerpy.errors import SourceError
from packerpy.kit import process
from packerpy.values import HostTool

CAPACITY = 2847 * 512
"""Bytes for files and folders on a floppy of 1.44 MB, once it is formatted."""
_BLOCK = 512
MAX_LABEL = 11
"""Characters of the name of a FAT file system."""
TOOL = HostTool(name="mformat", package="mtools", needed_for="floppies")


class FloppyFull(SourceError):
    """What is to go on a floppy does not fit."""

    def __init__(self, needed: int, largest: str) -> None:
        super().__init__(
            f"the files take {needed} bytes, and a floppy holds {CAPACITY}",
            details=f"the largest is {largest}",
            resolution="use cd= for them: a CD has room for all, or let the guest fetch them by http=",
        )


def check_size(sizes: Mapping[str, int]) -> None:
    """Whether files of these sizes fit, with the folders that hold them.

    :raises FloppyFull: they do not.
    """
    needed = sum(-(-size // _BLOCK) * _BLOCK for size in sizes.values()) + _BLOCK * len(folders_of(sizes))
    if needed > CAPACITY:
        raise FloppyFull(needed, max(sizes, key=lambda name: sizes[name]))


def write_floppy(run: Run, target: Path, files: Mapping[str, bytes | Path], *, label: str) -> Path:
    """Write an image with ``files``, mode 0600.

    :param files: name on the floppy, with ``/`` between folders → its content, or the file that holds it.
    :raises FloppyFull: they do not fit.
    :raises packerpy.errors.PluginError: mtools is not installed.
    """
    check_size({name: _size(content) for name, content in files.items()})
    target.touch(mode=0o600)
    _mtools(run, "mformat", "-C", "-f", "1440", "-v", label or "PACKERPY", "-i", target, "::")
    for folder in folders_of(files):
        _mtools(run, "mmd", "-i", target, f"::/{folder}")
    for name, content in sorted(files.items()):
        if isinstance(content, Path):
            _mtools(run, "mcopy", "-i", target, content, f"::/{name}")
        else:
            _mtools(run, "mcopy", "-i", target, "-", f"::/{name}", content=content)
    return target


def folders_of(names: Iterable[str]) -> list[str]:
    """Every folder that some files lie in, those above first."""
    found = {"/".join(name.split("/")[:depth]) for name in names for depth in range(1, name.count("/") + 1)}
    return sorted(found)


def _size(content: bytes | Path) -> int:
    return content.stat().st_size if isinstance(content, Path) else len(content)


def _mtools(run: Run, program: str, *words: str | Path, content: bytes | None = None) -> None:
    path = process.find_tool(program, package=TOOL.package, needed_for=TOOL.needed_for)
    process.call(
        [path, *words], cancellation=run.cancellation, input=content, error=SourceError, label=f"{program} (mtools)"
    )
