"""The declaration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import attrs

from packerpy.contracts import DescribesTools, PostProcessorSpec
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import word_list
from packerpy.kit.choices import suggestion
from packerpy.values import HostTool, Problem, Support

if TYPE_CHECKING:
    from packerpy.postprocessors.sbom.worker import Worker

FORMATS = ("cyclonedx", "cyclonedx-1.5", "cyclonedx-1.6", "spdx", "spdx-2.3")
DEBUGFS = HostTool(name="debugfs", package="e2fsprogs", needed_for="reading the packages of a disk for its SBOM")
RPM = HostTool(name="rpm", package="rpm", needed_for="reading the rpm database of a disk for its SBOM")
QEMU_IMG = HostTool(name="qemu-img", package="qemu-utils", needed_for="reading disks that are not raw for their SBOM")


def _formats(value: Iterable[str | Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word_list(value))) or ("cyclonedx",)


@declaration(init=False)
class Sbom(PostProcessorSpec, DescribesTools):
    """Write a software bill of materials: every package that the image's disk has installed.

    The list is read from the disk itself, without booting it and without root: the database of dpkg (Debian, Ubuntu),
    apk (Alpine) or rpm (Fedora, Red Hat and their kin) on an ext2, ext3 or ext4 file system, in a partition or on the
    whole disk, of any disk format that ``qemu-img`` reads. Each package has its package URL, its version, its
    maintainer or vendor, what it depends on, and its licence. Not read, but named by the error: pacman's database,
    rpm's in its own format (SUSE), XFS, btrfs, LVM, LUKS, squashfs. What is written has passed the validation of the
    format's own library.

    apk and rpm tell licences themselves, as SPDX expressions or in other words. dpkg does not: they are read from the
    packages' machine-readable ``/usr/share/doc/*/copyright``. Debian's names become SPDX's (``GPL-2+`` is
    ``GPL-2.0-or-later``, ``Expat`` is ``MIT``); what SPDX has no name for, such as every public domain, is a
    ``LicenseRef-debian-…`` with its text in an SPDX bill. A package is declared under all that its files are under,
    those of its packaging included. Nothing is said of packages whose file only people can read, or is not there.

    :param formats: ``cyclonedx`` (1.6), ``cyclonedx-1.5``, ``spdx`` (2.3); JSON. Default ``cyclonedx``.
    :param name: the files' name without ``.cdx.json`` or ``.spdx.json``; by default the image's.
    :param keep_input: whether the input stays; by default it does, for the bill is of that disk.
    """

    kind: ClassVar[str] = "sbom"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`Sbom` of Debian", "a Debian 12 disk; cyclonedx-python-lib and spdx-tools validate it", "run"),
        Support("`Sbom` of what rpm installed", "packages of the tests' own, by rpm 4.18 of Debian 12, SQLite", "run"),
        Support("`Sbom` of Fedora, Red Hat or Rocky itself; rpm databases in Berkeley DB", "nothing", "not run"),
        Support("`Sbom` of Alpine", "a file system made by hand with apk's database", "simulated"),
    )
    keeps_input: ClassVar[bool] = True
    needs_files: ClassVar[bool] = True

    formats: tuple[str, ...] = attrs.field(converter=_formats)
    name: str | None
    keep_input: bool | None

    def __init__(
        self, *names: str, formats: Iterable[str] = (), name: str | None = None, keep_input: bool | None = None
    ) -> None:
        self.__attrs_init__((*names, formats), name, keep_input)

    @property
    def title(self) -> str:
        """One line for people."""
        return f"bill of materials ({', '.join(self.formats)})"

    def check(self) -> Iterable[Problem]:
        """Unknown formats, one format twice, a name that is a path."""
        for number, form in enumerate(self.formats):
            if form not in FORMATS:
                fix = suggestion(form, FORMATS)
                yield Problem(where=f"formats[{number}]", what="not a format of an SBOM", seen=str(form), fix=fix)
        families = [form.partition("-")[0] for form in self.formats]
        if len(set(families)) < len(families):
            yield Problem(where="formats", what="two versions of one format", seen=", ".join(self.formats), fix="one")
        if self.name is not None and (not self.name or "/" in self.name):
            yield Problem(
                where="name", what="not the name of a file", seen=self.name, fix="give a name without folders"
            )

    def tools(self) -> Iterable[HostTool]:
        """``debugfs``, ``qemu-img`` and ``rpm``."""
        return (DEBUGFS, QEMU_IMG, RPM)

    def load(self) -> Worker:
        """The worker."""
        from packerpy.postprocessors.sbom.worker import Worker

        return Worker(self)
