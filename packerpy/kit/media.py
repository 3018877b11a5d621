"""What goes on a medium for a machine, as declared: files of the host, and content."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath

import attrs

from packerpy.declare import Later, Secret
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import Place, as_declared
from packerpy.declare.later import Joined, as_text
from packerpy.declare.values import Text
from packerpy.errors import DeclarationError
from packerpy.values import Problem

Content = Text | Path
"""The content itself, or the file that holds it."""


def _texts(value: Place | Iterable[Place]) -> tuple[str, ...]:
    return tuple(map(as_declared, (value,) if isinstance(value, (str, Path, Later)) else value))


def _pairs(value: Mapping[str, Content] | Iterable[tuple[str, Content]]) -> tuple[tuple[str, Content], ...]:
    pairs = value.items() if isinstance(value, Mapping) else value
    return tuple(sorted(((name.lstrip("/"), content) for name, content in pairs), key=lambda pair: pair[0]))


@declaration(kw_only=True)
class Media:
    """Files on a CD, a floppy, or a web server.

    :param files: files and folders of the host; ``*`` and ``?`` stand for parts of names. A file lies at the top, a
        folder with all that is in it; of a folder written with a slash at its end only what is in it.
    :param content: name on the medium → its text (a :class:`packerpy.Secret` keeps it out of every log), or the path of
        the file that holds it.
    :param label: the name of the file system, where there is one.
    """

    files: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    content: tuple[tuple[str, Content], ...] = attrs.field(default=(), converter=_pairs, repr=False)
    label: str = ""

    def check(self, *, max_label: int) -> Iterable[Problem]:
        """Files that are there, names that are sound and taken once."""
        if len(self.label) > max_label or not self.label.isascii():
            fix = f"use at most {max_label} characters of ASCII"
            yield Problem(where="label", what="is no name for a file system", seen=repr(self.label), fix=fix)
        for index, pattern in enumerate(self.files):
            if not _found(pattern):
                fix = "correct the path; it counts from the working folder"
                yield Problem(where=f"files[{index}]", what="there is no such file or folder", seen=pattern, fix=fix)
        for name, content in self.content:
            yield from _check_content(name, content)
        taken = [name for name, _ in self._listed()]
        for name in sorted({name for name in taken if taken.count(name) > 1}):
            yield Problem(where="files", what="two files have the same name there", seen=name, fix="rename one of them")
        for name in sorted({name for name in taken if any(other.startswith(f"{name}/") for other in taken)}):
            yield Problem(where="content", what="is a file and a folder at once", seen=name, fix="rename one of them")

    def reads(self) -> Iterable[Path]:
        """Files and folders of the host."""
        for pattern in self.files:
            yield from _found(pattern)
        yield from (content for _, content in self.content if isinstance(content, Path))

    def sizes(self) -> Mapping[str, int]:
        """Bytes of each file, as far as they are known beforehand."""
        return {name: _size(content) for name, content in self._listed()}

    def collect(self, reveal: Callable[[Secret], str]) -> dict[str, bytes | Path]:
        """Every file by its name on the medium: its content, or where it lies."""
        return {name: _filled(name, content, reveal) for name, content in self._listed()}

    def _listed(self) -> list[tuple[str, Content]]:
        found: list[tuple[str, Content]] = []
        for pattern in self.files:
            for path in _found(pattern):
                found += _tree(path, contents_only=pattern.endswith("/")) if path.is_dir() else [(path.name, path)]
        return found + list(self.content)


def media(value: Media | Mapping[str, Content] | str | Path | Iterable[str | Path] | None) -> Media | None:
    """A mapping is content; a path or several are files."""
    if value is None or isinstance(value, Media):
        return value
    return Media(content=value) if isinstance(value, Mapping) else Media(files=value)


def _found(pattern: str) -> list[Path]:
    expanded = Path(pattern).expanduser()
    if expanded.exists():
        return [expanded]
    return [Path(name) for name in sorted(glob.glob(str(expanded)))]  # noqa: PTH207  absolute patterns too


def _tree(folder: Path, *, contents_only: bool) -> list[tuple[str, Content]]:
    top = folder if contents_only else folder.absolute().parent
    files = sorted(path for path in folder.absolute().rglob("*") if path.is_file())
    return [(path.relative_to(top.absolute()).as_posix(), path) for path in files]


def _check_content(name: str, content: Content) -> Iterable[Problem]:
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or str(PurePosixPath(name)) != name:
        yield Problem(where="content", what="is no name of a file", seen=repr(name), fix="write it like folder/name")
    if isinstance(content, Path) and not content.expanduser().is_file():
        yield Problem(where=f"content[{name}]", what="there is no such file", seen=str(content), fix="correct the path")


def _size(content: Content) -> int:
    if isinstance(content, Path):
        path = content.expanduser()
        return path.stat().st_size if path.is_file() else 0
    return len(content.encode()) if isinstance(content, str) else 0


def _filled(name: str, content: Content, reveal: Callable[[Secret], str]) -> bytes | Path:
    return content.expanduser().absolute() if isinstance(content, Path) else _clear(name, content, reveal).encode()


def _clear(name: str, content: object, reveal: Callable[[Secret], str]) -> str:
    if isinstance(content, Secret):
        return reveal(content)
    if isinstance(content, Joined):
        return "".join(_clear(name, part, reveal) for part in content.parts)
    if isinstance(content, Later):
        raise DeclarationError(f"the content of {name} has no value yet: {content.shown}")
    return as_text(content)
