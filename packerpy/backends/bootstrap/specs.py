"""What a user says of a base image."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

import attrs

from packerpy.backends.bootstrap import checks
from packerpy.backends.bootstrap.suites import Distribution, distribution
from packerpy.backends.bootstrap.users import User
from packerpy.contracts import SourceSpec
from packerpy.declare import Later
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import word_list
from packerpy.kit import namespaces
from packerpy.values import HostTool, Problem, Resources, Support

if TYPE_CHECKING:
    from packerpy.backends.bootstrap.source import BootstrapSource


def _users(value: Iterable[User]) -> tuple[User, ...]:
    return tuple(value)


def _epoch() -> int | None:
    """What the caller's environment asks for; see reproducible-builds.org, ``SOURCE_DATE_EPOCH``."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(text) if text.isdecimal() else None


@declaration(kw_only=True)
class Bootstrap(SourceSpec):
    """A disk made from distribution packages: boots on BIOS and UEFI, talks on the serial console, lets root in by key.

    The machine that steps change is the tree of files itself: commands run in it natively, nothing is booted. At its
    first boots the image takes a host key, a login key and a name from a seed disk (label ``cidata``) if there is one,
    makes its own host keys if not, and lets its root grow to the disk.

    :param suite: the release: ``bookworm``, ``trixie``, ``noble``, …
    :param mirror: where packages come from: a URL, or whole ``deb …`` lines; by default what the host's apt is
        configured to use, with the suite replaced.
    :param components: of the archive; by default ``main`` (Ubuntu: and ``universe``).
    :param packages: installed besides those that make it boot and reachable.
    :param size: of the disk, in bytes or as text; the file grows only with what is in it.
    :param hostname: the machine's name, unless a seed says otherwise.
    :param users: accounts; root exists, with no password.
    :param kernel: ``cloud`` (for virtual machines: virtio, NVMe, Xen and Hyper-V disks; no IDE, no SATA), ``generic``
        (all hardware), or the name of a package.
    :param kernel_args: added to the kernel's command line.
    :param locale: of the system; another than ``C.UTF-8`` is generated.
    :param hooks: shell lines, run in the tree as root when all packages are there.
    :param slim: leave out manual pages, documentation and translations, now and in later installations.
    :param format: ``qcow2`` or ``raw``.
    :param epoch: seconds since 1970 that no time in the image is later than; with it, equal inputs and equal packages
        give an equal image. By default the environment's ``SOURCE_DATE_EPOCH``, else the times are as they are.
    """

    kind: ClassVar[str] = "bootstrap"
    support: ClassVar[tuple[Support, ...]] = (
        Support(
            "`Bootstrap`, Debian 12 (bookworm)",
            "mmdebstrap 1.3.5 on Debian 12, amd64; disks booted in QEMU by BIOS (SeaBIOS) and UEFI (OVMF)",
            "run",
        ),
        Support(
            "`Bootstrap` without root",
            "as an ordinary user with subordinate ids: the disk was equal to root's",
            "by hand",
        ),
        Support('`Bootstrap(suite="trixie")`', "QEMU 7.2: it boots by BIOS and by UEFI, nginx is installed", "by hand"),
        Support("`Bootstrap`, other Debian suites", "nothing", "not run"),
        Support("`Bootstrap`, Ubuntu suites", "nothing: no archive of Ubuntu's was within reach", "not run"),
        Support("`Bootstrap` on hardware, or on hypervisors other than QEMU", "nothing", "not run"),
    )

    suite: str | Later = "bookworm"
    mirror: tuple[str, ...] = attrs.field(default=(), converter=word_list)
    components: tuple[str, ...] = attrs.field(default=(), converter=word_list)
    packages: tuple[str, ...] = attrs.field(default=(), converter=word_list)
    size: str | int | Later = "2 GiB"
    hostname: str | Later = "localhost"
    users: tuple[User, ...] = attrs.field(default=(), converter=_users)
    kernel: str | Later = "cloud"
    kernel_args: tuple[str, ...] = attrs.field(default=(), converter=word_list)
    locale: str | Later = "C.UTF-8"
    hooks: tuple[str, ...] = attrs.field(default=(), converter=word_list)
    slim: bool = False
    format: Literal["qcow2", "raw"] = "qcow2"
    epoch: int | None = attrs.field(factory=_epoch)

    @property
    def distribution(self) -> Distribution:
        """What its release belongs to."""
        return distribution(str(self.suite))

    @property
    def kernel_package(self) -> str:
        """The package of its kernel."""
        return self.distribution.kernels.get(str(self.kernel), str(self.kernel))

    def check(self) -> Iterable[Problem]:
        """Names, sizes, users; nothing of the host is looked at."""
        yield from checks.problems(self)

    def resources(self) -> Resources:
        """Package installation is one busy processor; the figure for memory is apt's with a large archive."""
        return Resources(memory=256 << 20, cpus=1.0)

    def tools(self) -> Iterable[HostTool]:
        """Programs that make the tree and the disk."""
        yield HostTool(name="mmdebstrap", package="mmdebstrap", needed_for="base images from packages")
        yield HostTool(name="mke2fs", package="e2fsprogs", needed_for="the root file system")
        yield HostTool(name="mkfs.vfat", package="dosfstools", needed_for="the EFI system partition")
        yield HostTool(name="mcopy", package="mtools", needed_for="the EFI system partition")
        yield HostTool(name="qemu-img", package="qemu-utils", needed_for="qcow2 files")
        yield from namespaces.tools()

    def load(self) -> BootstrapSource:
        """The worker."""
        from packerpy.backends.bootstrap.source import BootstrapSource

        return BootstrapSource(self)
