"""What to move where, as declared."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import attrs

from packerpy.contracts import ProvisionerSpec, ReadsFiles
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import as_declared, optional_path, pairs, text_map
from packerpy.declare.values import Text
from packerpy.errors import DeclarationError
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Provisioner

_OWNER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.$-]*(:[A-Za-z0-9_][A-Za-z0-9_.$-]*)?\Z")


def _mode(value: int | str | None) -> int | None:
    """``0o644`` or ``"0644"``."""
    if not isinstance(value, str):
        return value
    try:
        return int(value, 8)
    except ValueError as error:
        raise DeclarationError(f"{value!r} is not a file mode", resolution='write 0o644 or "0644"') from error


@declaration
class File(ProvisionerSpec, ReadsFiles):
    """Moves a file or a folder into the machine, or out of it.

    A folder whose name ends in a slash stands for its contents, another one is moved as a whole (the rule of rsync and
    Packer): ``File("site/", to="/var/www/html")`` and ``File("site", to="/var/www")`` differ. A target that ends in a
    slash is a folder. Exactly one of ``source``, ``content`` and ``template`` is given.

    :param source: file or folder of the host; with ``direction="download"``, of the machine.
    :param to: where it goes; with ``direction="download"``, a place on the host. Missing parent folders are made.
    :param content: what the file is to hold.
    :param template: a file of the host in which ``$name`` and ``${name}`` are replaced (``$$`` is a dollar sign).
    :param values: what the template's names stand for.
    :param direction: ``upload`` or ``download``.
    :param mode: permission bits of the file, ``0o644`` or ``"0644"``; by default the source's, ``0644`` for content.
    :param owner: ``user`` or ``user:group``; by default who logs in (root with ``sudo``).
    :param sudo: write to (or read from) a place that only root may use.
    """

    kind: ClassVar[str] = "file"
    support: ClassVar[tuple[Support, ...]] = (Support("`File`", "OpenSSH server; Debian 12 guests and trees", "run"),)

    source: str | None = attrs.field(default=None, converter=as_declared)
    to: str = attrs.field(kw_only=True, converter=as_declared)
    content: Text | None = attrs.field(default=None, kw_only=True, repr=False)
    template: Path | None = attrs.field(default=None, kw_only=True, converter=optional_path)
    values: Mapping[str, Text] = attrs.field(default=None, kw_only=True, converter=text_map, eq=pairs)
    direction: Literal["upload", "download"] = attrs.field(default="upload", kw_only=True)
    mode: int | None = attrs.field(default=None, kw_only=True, converter=_mode)
    owner: str | None = attrs.field(default=None, kw_only=True)
    sudo: bool = attrs.field(default=False, kw_only=True)

    @property
    def title(self) -> str:
        """What goes where."""
        what = self.source or (str(self.template) if self.template else "given content")
        return f"{self.direction} {what} to {self.to}"

    def reads(self) -> Iterable[Path]:
        """The source or the template, when it is on the host."""
        if self.template is not None:
            return (self.template,)
        return (Path(self.source),) if self.source and self.direction == "upload" else ()

    def check(self) -> Iterable[Problem]:
        """One origin that exists, a sound target, a template that can be filled in."""
        origins = [name for name in ("source", "content", "template") if getattr(self, name) is not None]
        if len(origins) != 1:
            yield Problem(
                what="a file has one origin",
                seen=", ".join(origins) or "none",
                fix="give one of source, content= and template=",
            )
        if self.direction not in ("upload", "download"):
            yield Problem(where="direction", what="unknown", seen=str(self.direction), fix="use upload or download")
        if not self.to:
            yield Problem(where="to", what="there is no target")
        if self.mode is not None and not 0 <= self.mode <= 0o7777:
            yield Problem(where="mode", what="not a file mode", seen=oct(self.mode), fix="write 0o644")
        if self.owner is not None and not _OWNER.match(self.owner):
            yield Problem(where="owner", what="not an owner", seen=self.owner, fix="write user or user:group")
        yield from self._check_download() if self.direction == "download" else self._check_upload()

    def _check_download(self) -> Iterable[Problem]:
        if self.source is None:
            yield Problem(where="source", what="a download needs the machine's file as its source")
        if self.owner is not None:
            yield Problem(where="owner", what="only uploads can be given to an owner", seen=self.owner)

    def _check_upload(self) -> Iterable[Problem]:
        if self.source is not None:
            path = Path(self.source)
            if not path.exists():
                yield Problem(where="source", what="there is no such file or folder", seen=self.source)
            elif path.is_dir() and self.mode is not None:
                yield Problem(where="mode", what="a folder's files keep their own modes", fix="leave it out")
            elif self.source.endswith("/") and not path.is_dir():
                yield Problem(where="source", what="ends in a slash, but is no folder", seen=self.source)
        if self.source is None and self.to.endswith("/"):
            yield Problem(where="to", what="names a folder, but the content needs a file name", seen=self.to)
        if self.template is not None:
            yield from self._check_template(self.template)
        elif self.values:
            yield Problem(where="values", what="only a template has values", seen=", ".join(self.values))

    def _check_template(self, path: Path) -> Iterable[Problem]:
        try:
            template = string.Template(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            yield Problem(where="template", what="cannot be read", seen=f"{path}: {error}")
            return
        if not template.is_valid():
            yield Problem(where="template", what="holds a $ that starts no name", seen=str(path), fix="write $$")
            return
        missing = [name for name in template.get_identifiers() if name not in self.values]
        if missing:
            yield Problem(where="values", what="the template needs more", seen=f"without {', '.join(missing)}")

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.file.worker import FileWorker

        return FileWorker(self)
