"""Sentences about QEMU going wrong; all are :class:`packerpy.errors.SourceError`."""

from __future__ import annotations

from pathlib import Path

from packerpy.errors import SourceError
from packerpy.kit.choices import suggestion


class DiskMissing(SourceError):
    """The disk to boot is not there."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"there is no disk {path}",
            resolution="give the path of an existing disk image, or build the image that it comes from first",
        )


class DiskUnreadable(SourceError):
    """The disk is there, but QEMU cannot read it."""

    def __init__(self, path: Path, said: str) -> None:
        super().__init__(
            f"{path} is not a disk image that QEMU can read",
            details=said,
            resolution="check it with `qemu-img check`; archives must be unpacked first",
        )


class FirmwareMissing(SourceError):
    """The host has no UEFI firmware for guests."""

    def __init__(self, architecture: str, package: str, *, secure: bool = False) -> None:
        kind = "UEFI firmware with Secure Boot" if secure else "UEFI firmware"
        super().__init__(
            f"the host has no {kind} for {architecture} guests",
            resolution=f"install it with `apt-get install {package}`",
        )


class DiedAtStart(SourceError):
    """QEMU ended before it ran a guest."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(
            f"QEMU ended right after its start with {describe_exit(code)}",
            details=said or "it printed nothing",
            resolution="correct the declaration (extra_args, machine, cpu_model, memory) that it complains about",
        )


class TpmDied(SourceError):
    """The program that is the machine's TPM ended, and QEMU with it."""

    def __init__(self, why: str) -> None:
        super().__init__(why, resolution="look whether swtpm runs on this host; leave tpm= out to do without")


class PortTaken(SourceError):
    """No port of the host could be forwarded to the guest."""

    def __init__(self, first: int, last: int, said: str) -> None:
        ports = f"port {first} of the host is" if first == last else f"all ports {first} to {last} of the host are"
        super().__init__(
            f"{ports} taken or may not be used",
            details=said,
            resolution="leave host_port out to get a free one, or give a wider range",
        )


class WillNotStop(SourceError):
    """The guest did not power off."""

    def __init__(self, how: str, seconds: float, diagnosis: str) -> None:
        super().__init__(
            f"the guest was asked to shut down by {how} and still runs after {seconds:g} s",
            details=diagnosis,
            resolution="give a shutdown_command that works in this guest, or a longer shutdown_timeout",
        )


class NoBridge(SourceError):
    """The host has no such bridge."""

    def __init__(self, name: str, there: list[str]) -> None:
        super().__init__(
            f"the host has no bridge {name!r}",
            details=f"there are: {', '.join(there) or 'none'}",
            resolution=suggestion(name, there) if there else "make it, or leave bridge= out",
        )


class NoAddress(SourceError):
    """A machine on a bridge was not heard of."""

    def __init__(self, bridge: str, mac: str, seconds: float, diagnosis: str) -> None:
        super().__init__(
            f"the host has not heard of an address of {mac} on {bridge} within {seconds:g} s",
            details=diagnosis,
            resolution="let a DHCP server on this host serve the bridge, or raise boot_timeout",
        )


class NeverShown(SourceError):
    """A text that a boot command waits for did not show."""

    def __init__(self, text: str, seconds: float, diagnosis: str) -> None:
        super().__init__(
            f"{text!r} did not show on the console or the screen within {seconds:g} s",
            details=diagnosis,
            resolution='compare the text with what the machine shows; if it only needs longer, <wait for "…" 10m>',
        )


class NeverInstalled(SourceError):
    """An installer that QEMU started from a kernel did not come to its end."""

    def __init__(self, seconds: float, diagnosis: str) -> None:
        super().__init__(
            f"the installer neither rebooted nor powered the machine off within {seconds:g} s",
            details=diagnosis,
            resolution="look whether it waits for an answer; if it only needs longer, raise install_timeout",
        )


class LayerDamaged(SourceError):
    """A saved machine is not what was saved."""

    def __init__(self, layer: Path, seen: str) -> None:
        super().__init__(
            f"the saved machine in {layer} is damaged",
            details=seen,
            resolution="remove this layer; the machine is then booted and its steps are run again",
        )


class LayerForeign(SourceError):
    """A saved machine does not fit here."""

    def __init__(self, layer: Path, saved: str, here: str) -> None:
        super().__init__(
            f"the saved machine in {layer} does not fit this host or declaration",
            details=f"it was saved under the fingerprint {saved}, and here it is {here}",
            resolution="use the QEMU and the hardware declaration that it was saved with, or remove the layer",
        )


class NotSaved(SourceError):
    """A running machine could not be saved; it runs on."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "the running machine cannot be saved",
            details=why,
            resolution='declare the source with layers="off" if one of its devices is the reason',
        )


class GuestGone(SourceError):
    """The machine is not there any more."""

    def __init__(self, why: str, diagnosis: str = "") -> None:
        super().__init__(f"the machine is gone: {why}", details=diagnosis or None)


def describe_exit(code: int) -> str:
    """An exit code in words."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"
