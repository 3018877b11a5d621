"""What a machine is given to start from, beside its disks: media, a kernel, a web server, a key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from packerpy.backends.qemu.argv import Kernel
from packerpy.backends.qemu.guest import Guest
from packerpy.backends.qemu.images import create, info
from packerpy.backends.qemu.installer.typing import Typist
from packerpy.backends.qemu.origin import Origin
from packerpy.backends.qemu.specs import Qemu
from packerpy.contracts import Run
from packerpy.declare import BuildValue, Later
from packerpy.declare.fill import fill
from packerpy.errors import DeclarationError
from packerpy.kit.boot_command import Action, parse, parse_steps
from packerpy.kit.boot_command.line import line_of
from packerpy.kit.floppy import write_floppy
from packerpy.kit.folder import Folder
from packerpy.kit.http_server import Serve
from packerpy.kit.interfaces import address_of
from packerpy.kit.iso import write_iso
from packerpy.kit.media import Media
from packerpy.kit.places import fetch
from packerpy.kit.sizes import parse_size
from packerpy.kit.web_server import EVERYWHERE, LOOPBACK, WebServer

HOST = "10.0.2.2"
"""The host's loopback address, as guests see it in QEMU's user-mode network."""


@attrs.frozen(kw_only=True)
class Installation:
    """All of it, ready.

    :ivar cdroms: the installer's ISO first, then our own CD, then further ones.
    :ivar floppy: the floppy's image.
    :ivar kernel: what is started in place of a boot loader, once.
    :ivar actions: the boot command.
    :ivar fills: what its tokens stand for.
    :ivar wait: seconds until typing begins.
    :ivar interval: seconds from key to key.
    """

    cdroms: tuple[Path, ...] = ()
    floppy: Path | None = None
    kernel: Kernel | None = None
    actions: tuple[Action, ...] = ()
    fills: Mapping[str, str] = attrs.field(factory=dict)
    wait: float = 0.0
    interval: float = 0.1

    def drive(self, run: Run, guest: Guest) -> None:
        """Type the boot command into a machine that was just switched on.

        :raises packerpy.errors.SourceError: a text does not show, or the machine is gone.
        """
        if not self.actions:
            return
        run.wait(self.wait)
        run.say("typing the boot command")
        Typist(run=run, guest=guest, interval=self.interval, fills=self.fills).perform(self.actions)
        run.say("the boot command is typed")


def prepare(run: Run, declared: Qemu, public_key: str = "") -> Installation:
    """Fetch, write and serve what the declaration says.

    :param public_key: the build's, where the declaration names it.
    :raises packerpy.errors.BuildError: a file cannot be had or has another checksum; a floppy does not hold it all.
    """
    media = declared.cd or declared.floppy or declared.http
    folder = run.do(Folder(run.workdir / "media")) if media else run.workdir
    root = folder / "http"
    place = _listen(run, declared.http, root, declared.bridge) if declared.http is not None else None
    spec = _filled(declared, place, public_key)
    if spec.http is not None and isinstance(spec.http.root, Media):
        _lay_out(run, spec.http.root, root)
    cdroms = [fetch(run, "iso", spec.iso, spec.checksum)] if spec.iso else []
    if spec.cd is not None:
        cdroms.append(write_iso(folder / "cd.iso", spec.cd.collect(run.reveal), label=spec.cd.label or "packerpy"))
    cdroms += [image.fetch(run, f"cdroms[{index}]") for index, image in enumerate(spec.cdroms)]
    floppy = None
    if spec.floppy is not None:
        floppy = write_floppy(run, folder / "floppy.img", spec.floppy.collect(run.reveal), label=spec.floppy.label)
    fills = _fills(run, place, public_key)
    return Installation(
        cdroms=tuple(cdroms),
        floppy=floppy,
        kernel=_kernel(run, spec, fills),
        actions=(*parse(spec.boot_command).actions, *parse_steps(spec.boot_steps)),
        fills=fills,
        wait=spec.boot_wait,
        interval=spec.key_interval,
    )


def blank_disk(run: Run, spec: Qemu) -> Origin:
    """The empty disk that an installer fills; no larger than what is written to it."""
    if isinstance(spec.install_size, Later):
        raise DeclarationError(f"disk_size has no value yet: {spec.install_size.shown}")
    folder = run.do(Folder(run.workdir / "blank"))
    path = folder / "blank.qcow2"
    create(run, path, size=parse_size(spec.install_size))
    looked = info(run, path, form="qcow2")
    return Origin(path=path, format=looked.format, virtual_size=looked.virtual_size)


def _listen(run: Run, declared: WebServer, root: Path, bridge: str | None) -> tuple[str, int]:
    """Start the server; answers where guests reach it. Content is put into its folder when its port is known."""
    if isinstance(declared.root, Path):
        root = declared.root.expanduser().absolute()
    else:
        root.mkdir(mode=0o700)
    address = declared.listens_at()
    if bridge is not None and address == LOOPBACK:
        address = address_of(bridge)
    server = run.do(Serve(root, address=address, ports=declared.port))
    host = HOST if address in (LOOPBACK, EVERYWHERE) else address
    if bridge is not None and address == EVERYWHERE:
        host = address_of(bridge)
    run.say(f"serving HTTP at {address}:{server.port}; guests reach it as {host}")
    return host, server.port


def _filled(spec: Qemu, place: tuple[str, int] | None, public_key: str) -> Qemu:
    """The declaration with the values of the build that are known now."""
    known = {"ssh_public_key": public_key}
    if place is not None:
        host, port = place
        known |= {"fact:http_url": f"http://{host}:{port}", "fact:http_host": host, "fact:http_port": str(port)}

    def lookup(later: Later) -> object:
        return known.get(later.name, later) if isinstance(later, BuildValue) else later

    filled: Qemu = fill(spec, lookup)
    return filled


def _fills(run: Run, place: tuple[str, int] | None, public_key: str) -> dict[str, str]:
    name = run.name.removesuffix(f".{Qemu.kind}")
    fills = {"name": name, "sshpublickey": public_key}
    if place is not None:
        host, port = place
        fills |= {"http": f"{host}:{port}", "httpip": host, "httpport": str(port)}
    return fills


def _kernel(run: Run, spec: Qemu, fills: Mapping[str, str]) -> Kernel | None:
    if spec.kernel is None:
        return None
    return Kernel(
        image=spec.kernel.fetch(run, "kernel"),
        initrd=spec.initrd.fetch(run, "initrd") if spec.initrd is not None else None,
        arguments=line_of(spec.kernel_args, fills),
    )


def _lay_out(run: Run, media: Media, root: Path) -> None:
    """Put the declared content into a folder that only we may read; files of the host are linked."""
    for name, content in media.collect(run.reveal).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            path.symlink_to(content)
        else:
            path.write_bytes(content)
