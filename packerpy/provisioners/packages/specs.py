"""The declaration."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

import attrs

from packerpy.contracts import ProvisionerSpec
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import word_list
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Provisioner

Manager = Literal["apt", "dnf", "apk"]

_PACKAGE = re.compile(r"[A-Za-z0-9@/_.][A-Za-z0-9@+._:~=<>/*-]*\Z")


@declaration(init=False)
class Packages(ProvisionerSpec):
    """Installs packages with whatever manages packages in the guest: apt, dnf (or yum, microdnf) or apk.

    ``Packages("nginx", "curl")``. Questions are answered with their defaults, changed configuration files are kept, and
    nothing that is only recommended comes along. A database that is locked by somebody else, as by a freshly booted
    machine that updates itself, is waited for.

    :param names: packages; a version in the manager's own words (``nginx=1.22.*``), or a file in the machine.
    :param remove: packages to take away, with their configuration.
    :param update: fetch the list of what there is first.
    :param upgrade: bring everything that is installed up to date first.
    :param recommends: take what is only recommended, too.
    :param clean: drop what was downloaded; the image gets smaller.
    :param manager: which to use, in place of what is found.
    :param lock_timeout: seconds to wait for a locked database.
    """

    kind: ClassVar[str] = "packages"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`Packages` with apt", "Debian 12 guest", "run"),
        Support("`Packages` with dnf", "dnf 4.14 in a tree of Debian 12, with packages of the tests' own", "run"),
        Support("`Packages` with apk", "a channel that records the command lines", "simulated"),
        Support("`Packages` with yum and microdnf; dnf of Fedora and its kin", "nothing", "not run"),
    )

    names: tuple[str, ...] = attrs.field(converter=word_list)
    remove: tuple[str, ...] = attrs.field(converter=word_list)
    update: bool
    upgrade: bool
    recommends: bool
    clean: bool
    manager: Manager | None
    lock_timeout: float = attrs.field(metadata={"key": False})

    def __init__(
        self,
        *packages: str | Iterable[str],
        names: Iterable[str] = (),
        remove: str | Iterable[str] = (),
        update: bool = True,
        upgrade: bool = False,
        recommends: bool = False,
        clean: bool = True,
        manager: Manager | None = None,
        lock_timeout: float = 300.0,
    ) -> None:
        self.__attrs_init__((*packages, names), remove, update, upgrade, recommends, clean, manager, lock_timeout)

    @property
    def title(self) -> str:
        """What is done."""
        parts = [f"install {', '.join(self.names)}"] if self.names else []
        parts += [f"remove {', '.join(self.remove)}"] if self.remove else []
        parts += ["upgrade all packages"] if self.upgrade else []
        return "; ".join(parts)[:120] or "update the list of packages"

    def check(self) -> Iterable[Problem]:
        """Names that no manager takes for an option."""
        for where in ("names", "remove"):
            for name in getattr(self, where):
                if not _PACKAGE.match(name):
                    yield Problem(where=where, what="not a package's name", seen=repr(name))
        if self.manager not in (None, "apt", "dnf", "apk"):
            yield Problem(where="manager", what="unknown", seen=str(self.manager), fix="use apt, dnf or apk")
        if not (self.names or self.remove or self.update or self.upgrade):
            yield Problem(what="there is nothing to do", fix="name packages")
        if self.lock_timeout < 0:
            yield Problem(where="lock_timeout", what="must not be negative", seen=str(self.lock_timeout))

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.packages.worker import PackagesWorker

        return PackagesWorker(self)
