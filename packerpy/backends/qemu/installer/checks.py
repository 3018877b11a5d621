"""What can be wrong with media, web server, kernel and boot command, as far as the declaration alone tells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from packerpy.declare import BuildValue
from packerpy.declare.fill import fill
from packerpy.kit import floppy
from packerpy.kit.iso import MAX_LABEL
from packerpy.kit.places import check_checksum, check_places
from packerpy.kit.sums import Sums, sums_of
from packerpy.values import Problem

if TYPE_CHECKING:
    from packerpy.backends.qemu.specs import Qemu

_SERVED = frozenset({"http", "httpip", "httpport"})
_DRIVES = {True: 6, False: 4}
"""Places for CD-ROM drives on the controllers of q35, and of pc."""


def problems(spec: Qemu) -> Iterable[Problem]:
    """All of them."""
    yield from _start(spec)
    yield from _kernel(spec)
    yield from _checksum(spec)
    yield from _boot_command(spec)
    yield from _web_server(spec)
    yield from _media(spec)
    yield from _combinations(spec)


def _start(spec: Qemu) -> Iterable[Problem]:
    if spec.disk is None and not spec.installs:
        yield Problem(
            where="disk", what="there is no disk to boot from", fix="give an output, a file or a URL, or iso="
        )
    for where in ("iso", "kernel"):
        if spec.disk is not None and getattr(spec, where):
            yield Problem(
                where=where,
                what="does not go with disk=: a machine starts from one of them",
                fix="leave one out; a second ISO goes in with cdroms=",
            )
    yield from check_places("iso", spec.iso)


def _kernel(spec: Qemu) -> Iterable[Problem]:
    for where in ("kernel", "initrd"):
        given = getattr(spec, where)
        if given is not None:
            yield from (problem.within(where) for problem in given.check())
    for where in ("initrd", "kernel_args"):
        if getattr(spec, where) and spec.kernel is None:
            yield Problem(where=where, what="is for a kernel, and there is none", fix="give kernel=")
    if spec.kernel_args:
        from packerpy.kit.boot_command.line import mistakes_in

        for mistake in mistakes_in(spec.kernel_args):
            what = f"{mistake.what} (character {mistake.at})"
            yield Problem(where="kernel_args", what=what, seen=mistake.seen, fix=mistake.fix)
    if not spec.install_timeout > 0:
        seen, fix = repr(spec.install_timeout), "use a number of seconds above 0"
        yield Problem(where="install_timeout", what="is not a time", seen=seen, fix=fix)


def _checksum(spec: Qemu) -> Iterable[Problem]:
    remote = isinstance(spec.disk, str) or any(isinstance(place, str) for place in spec.iso)
    yield from check_checksum("checksum", spec.checksum, remote=remote)
    looked_up = isinstance(spec.checksum, (str, Sums)) and sums_of(spec.checksum) is not None
    if looked_up and not spec.iso:
        yield Problem(where="checksum", what="only an iso= is looked up in a file of checksums", fix="write it out")


def _boot_command(spec: Qemu) -> Iterable[Problem]:
    commands = {"boot_command": spec.boot_command} if spec.boot_command else {}
    commands |= {f"boot_steps[{index}]": step.command for index, step in enumerate(spec.boot_steps)}
    if spec.boot_command and spec.boot_steps:
        what = "does not go with boot_command=: one of them is typed"
        yield Problem(where="boot_steps", what=what, fix="put the boot command among the steps")
    for where, command in commands.items():
        from packerpy.kit.boot_command import parse  # most machines need it not

        for mistake in parse(command).mistakes:
            what = f"{mistake.what} (character {mistake.at})"
            yield Problem(where=where, what=what, seen=mistake.seen, fix=mistake.fix)
    if spec.boot_wait < 0:
        yield Problem(where="boot_wait", what="is not a time", seen=repr(spec.boot_wait), fix="use 0 or more seconds")
    if not spec.key_interval > 0:
        fix = "use a number of seconds above 0"
        yield Problem(where="key_interval", what="is not a time", seen=repr(spec.key_interval), fix=fix)


def _web_server(spec: Qemu) -> Iterable[Problem]:
    """One that there is, wherever it is named."""
    if spec.http is not None:
        yield from (problem.within("http") for problem in spec.http.check())
        return
    for where, names in _tokens(spec).items():
        if names & _SERVED:
            seen = ", ".join(f"<{name}>" for name in sorted(names & _SERVED))
            yield Problem(where=where, what="names a web server, and there is none", seen=seen, fix="give http=")
    for where in spec.fills():
        for value in values_in(getattr(spec, where)):
            if value.name.startswith("fact:http"):
                what = "names a web server, and there is none"
                yield Problem(where=where, what=what, seen=value.shown, fix="give http=")


def _tokens(spec: Qemu) -> dict[str, set[str]]:
    """Field → the tokens in it that stand for values of the build."""
    if not (spec.boot_command or spec.boot_steps or spec.kernel_args):
        return {}
    from packerpy.kit.boot_command import Fill, parse, parse_steps
    from packerpy.kit.boot_command.line import names_in

    typed = {"boot_command": parse(spec.boot_command).actions, "boot_steps": parse_steps(spec.boot_steps)}
    found = {where: {action.name for action in actions if isinstance(action, Fill)} for where, actions in typed.items()}
    return found | {"kernel_args": names_in(spec.kernel_args)}


def values_in(given: object) -> list[BuildValue]:
    """The values of the build in a field."""
    found: list[BuildValue] = []

    def look(later: object) -> object:
        if isinstance(later, BuildValue):
            found.append(later)
        return later

    fill(given, look)
    return found


def wants_key(spec: Qemu) -> bool:
    """Whether something that the machine is given names the build's public key."""
    if any("sshpublickey" in names for names in _tokens(spec).values()):
        return True
    return any(value.name == "ssh_public_key" for where in spec.fills() for value in values_in(getattr(spec, where)))


def _media(spec: Qemu) -> Iterable[Problem]:
    limits = {"cd": MAX_LABEL, "floppy": floppy.MAX_LABEL}
    for where, max_label in limits.items():
        medium = getattr(spec, where)
        if medium is not None:
            yield from (problem.within(where) for problem in medium.check(max_label=max_label))
    for index, image in enumerate(spec.cdroms):
        yield from (problem.within(f"cdroms[{index}]") for problem in image.check())
    if spec.floppy is not None:
        try:
            floppy.check_size(spec.floppy.sizes())
        except floppy.FloppyFull as error:
            yield Problem(where="floppy", what=error.brief, seen=error.details, fix=error.resolution)


def _combinations(spec: Qemu) -> Iterable[Problem]:
    needing = ("iso", "kernel", "cd", "floppy", "cdroms", "boot_command", "boot_steps")
    given = [name for name in needing if getattr(spec, name)]
    if spec.architecture != "x86_64" and given:
        what = f"{given[0]}= is for x86_64 only"
        yield Problem(where="architecture", what=what, seen=spec.architecture, fix="start from a disk image")
    is_q35 = spec.machine_type.startswith(("q35", "pc-q35")) if spec.architecture == "x86_64" else True
    shared = spec.disk_interface == "ide" or (spec.disk_interface == "sata" and is_q35)
    disks = 1 + len(spec.extra_disks) if shared else 0
    drives = len(spec.cdroms) + bool(spec.iso) + (spec.cd is not None) if spec.cdrom_interface == "ide" else 0
    if drives and drives + disks > _DRIVES[is_q35]:
        what = f"the machine has {_DRIVES[is_q35]} places for CD-ROM drives and disks like these"
        seen = f"{drives} CDs, {disks} disks"
        yield Problem(where="cdroms", what=what, seen=seen, fix='leave some out, or cdrom_interface="virtio-scsi"')
