"""The declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

import attrs

from packerpy.contracts import DescribesTools, PostProcessorSpec
from packerpy.declare.declaration import declaration
from packerpy.kit.choices import suggestion
from packerpy.postprocessors.convert.formats import FORMATS, Format
from packerpy.values import HostTool, Problem, Support, frozen_map

if TYPE_CHECKING:
    from packerpy.postprocessors.convert.worker import Worker

QEMU_IMG = HostTool(name="qemu-img", package="qemu-utils", needed_for="converting disk images")


def _hash_map(value: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(value.items())


@declaration
class Convert(PostProcessorSpec, DescribesTools):
    """Convert the artifact's disks to another format, by ``qemu-img``.

    :param format: ``qcow2``, ``raw``, ``vmdk``, ``vdi``, ``vhd`` or ``vhdx``.
    :param compress: compress what the disk holds: clusters of a qcow2, or a VMDK's ``streamOptimized`` layout.
    :param subformat: the layout: ``monolithicSparse`` (default) or ``streamOptimized`` for VMDK (the second is what an
        OVA needs), ``dynamic`` (default) or ``fixed`` for VHD and VHDX (Azure wants ``fixed``).
    :param options: more options of qemu-img's for the new file: ``{"adapter_type": "lsilogic"}``.
    :param name: the new file's name without extension; by default the image's.
    :param keep_input: whether the disk converted stays as a result; by default it does.
    """

    kind: ClassVar[str] = "convert"
    support: ClassVar[tuple[Support, ...]] = (
        Support(
            "`Convert` to qcow2, raw, vmdk, vdi, vhd, vhdx", "`qemu-img` 7.2: made, checked and compared by it", "run"
        ),
        Support("converted disks in VMware, VirtualBox, Hyper-V, Azure", "nothing", "not run"),
    )
    keeps_input: ClassVar[bool] = True
    needs_files: ClassVar[bool] = True

    format: str
    compress: bool = attrs.field(default=False, kw_only=True)
    subformat: str | None = attrs.field(default=None, kw_only=True)
    options: Mapping[str, str] = attrs.field(factory=dict, converter=frozen_map, eq=_hash_map, kw_only=True)
    name: str | None = attrs.field(default=None, kw_only=True)
    keep_input: bool | None = attrs.field(default=None, kw_only=True)

    @property
    def title(self) -> str:
        """One line for people."""
        layout = f" ({self.subformat})" if self.subformat else ""
        return f"convert to {self.format}{layout}{', compressed' if self.compress else ''}"

    def check(self) -> Iterable[Problem]:
        """Unknown formats and layouts, what a format cannot do, names that are paths."""
        form = FORMATS.get(self.format)
        if form is None:
            fix = suggestion(self.format, FORMATS)
            yield Problem(where="format", what="not a disk format", seen=str(self.format), fix=fix)
        else:
            yield from self._check_layout(form)
        if self.name is not None and (not self.name or "/" in self.name):
            yield Problem(
                where="name", what="not the name of a file", seen=self.name, fix="give a name without folders"
            )
        for key, value in self.options.items():
            if not key or any(sign in key for sign in ",= "):
                yield Problem(
                    where=f"options[{key!r}]",
                    what="not the name of an option",
                    fix="see `qemu-img convert -O … -o help`",
                )
            elif key == "subformat":
                yield Problem(
                    where="options['subformat']", what="has a field of its own", seen=value, fix="use subformat="
                )

    def _check_layout(self, form: Format) -> Iterable[Problem]:
        if self.subformat is not None and self.subformat not in form.subformats:
            fix = (
                suggestion(self.subformat, form.subformats) if form.subformats else f"{self.format} has only one layout"
            )
            yield Problem(where="subformat", what=f"not a layout of {self.format}", seen=self.subformat, fix=fix)
        elif self.compress and not form.compresses and form.compressed_by is None:
            fix = "use qcow2 or vmdk, or put Compress(…) after it"
            yield Problem(where="compress", what=f"{self.format} cannot be compressed inside", fix=fix)
        elif self.compress and not form.compresses and self.subformat not in (None, form.compressed_by):
            fix = f"use subformat={form.compressed_by!r}"
            yield Problem(where="compress", what=f"the layout {self.subformat} cannot be compressed", fix=fix)

    def tools(self) -> Iterable[HostTool]:
        """``qemu-img``."""
        return (QEMU_IMG,)

    def load(self) -> Worker:
        """The worker."""
        from packerpy.postprocessors.convert.worker import Worker

        return Worker(self)

    def layout(self) -> str | None:
        """The layout asked for, also where ``compress`` asks for it."""
        form = FORMATS[self.format]
        return form.compressed_by if self.compress and form.compressed_by else self.subformat

    def create_options(self) -> Mapping[str, str]:
        """What stands after ``-o``."""
        layout = self.layout()
        return {**FORMATS[self.format].always, **({"subformat": layout} if layout else {}), **self.options}
