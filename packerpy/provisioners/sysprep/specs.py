"""What to reset, as declared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import attrs

from packerpy.contracts import ProvisionerSpec
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import word_list
from packerpy.kit.choices import suggestion
from packerpy.provisioners.sysprep.operations import OPERATIONS, USUAL
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.provisioners.sysprep.worker import Worker


def _names(value: str | Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word_list(value)))


@declaration(init=False)
class Sysprep(ProvisionerSpec):
    """Resets what belongs to one machine and not to every copy of it; the last step before an image is taken.

    The usual operations: ``machine-id``, ``ssh-hostkeys``, ``random-seed``, ``cloud-init``, ``dhcp-client-state``,
    ``network-state``, ``net-hwaddr``, ``udev-persistent-net``, ``package-cache``, ``package-lists``,
    ``shell-history``, ``mail-spool``, ``crash-data``, ``passwd-backups``, ``backup-files``, ``blkid-tab``,
    ``puppet-data``, ``salt-data``, ``sssd-data``, ``rhsm-data``, ``rpm-db``, ``tmp-files``, ``logfiles`` (emptied),
    ``utmp`` and ``trim``. Only when named: ``ssh-userdir``, ``cron-spool``, ``firewall-rules``, ``kerberos-data``,
    ``samba-data``, ``dovecot-data``, ``hostname`` and ``zero-free``.

    ``trim`` tells the disk what is free, so that the image becomes small; where the disk cannot be told, ``zero-free``
    fills free space with zeros, which compress to nothing but make a growing disk grow to its full size first. Both
    are left out on trees and containers, whose disk is the host's.

    What is not there is no error; an operation that fails fails the step, after the others are done.

    :param operations: exactly these, instead of the usual ones.
    :param enable: these, beside the usual ones.
    :param disable: the usual ones but for these.
    :param sudo: become root, where the channel's user is not.
    """

    kind: ClassVar[str] = "sysprep"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`Sysprep`", "Debian 12 guests and trees; each operation on made-up files", "run"),
        Support("`Sysprep` of Fedora, Alpine, SUSE, Arch", "nothing", "not run"),
    )

    operations: tuple[str, ...] | None = attrs.field(converter=attrs.converters.optional(_names))
    enable: tuple[str, ...] = attrs.field(converter=_names)
    disable: tuple[str, ...] = attrs.field(converter=_names)
    sudo: bool

    def __init__(
        self,
        operations: Iterable[str] | None = None,
        *,
        enable: Iterable[str] = (),
        disable: Iterable[str] = (),
        sudo: bool = True,
    ) -> None:
        self.__attrs_init__(operations, enable, disable, sudo)

    @property
    def title(self) -> str:
        """One line for people."""
        return f"sysprep ({len(self.chosen())} operations)"

    def chosen(self) -> tuple[str, ...]:
        """The names of what is done, in the order in which it is done."""
        wanted = {*(self.operations if self.operations is not None else USUAL), *self.enable} - {*self.disable}
        return tuple(name for name in OPERATIONS if name in wanted)

    def check(self) -> Iterable[Problem]:
        """Unknown operations, ones both enabled and disabled, none at all."""
        for field in ("operations", "enable", "disable"):
            for index, name in enumerate(getattr(self, field) or ()):
                if name not in OPERATIONS:
                    fix = suggestion(name, OPERATIONS)
                    yield Problem(where=f"{field}[{index}]", what="not an operation", seen=str(name), fix=fix)
        for name in sorted({*self.enable} & {*self.disable}):
            yield Problem(where="disable", what="is enabled, too", seen=name, fix="leave one of them out")
        if not self.chosen() and set(self.operations or ()) <= OPERATIONS.keys():
            yield Problem(where="operations", what="there is nothing to do", fix="leave operations= out")

    def load(self) -> Worker:
        """The worker."""
        from packerpy.provisioners.sysprep.worker import Worker

        return Worker(self)
