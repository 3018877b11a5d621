"""A machine's screen by VNC, asked by the first words of a real viewer (RFC 6143)."""

import re
import socket
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

import packerpy as pp
from packerpy.backends.qemu import Qemu
from packerpy.backends.qemu.vnc import Vnc
from packerpy.communicators.none import NoCommunicator
from packerpy.errors import SourceError
from packerpy.events import TaskMessage

SMALL = {"memory": "64 MiB", "cpus": 1, "accelerator": "tcg", "seed": None, "communicator": NoCommunicator()}


def shown_at(run, spec: Qemu) -> str:
    """Where the machine says that its screen is."""
    assert list(spec.check()) == []
    spec.load().boot(run)
    run.flush()
    told = "\n".join(event.text for event in run.events if isinstance(event, TaskMessage))
    return re.findall(r"shown by VNC at (\S+)", told)[-1]


def greet(viewer: socket.socket) -> int:
    """Say hello; answers the one kind of login that is offered."""
    assert viewer.recv(12) == b"RFB 003.008\n"
    viewer.sendall(b"RFB 003.008\n")
    count, kind = viewer.recv(2)
    assert count == 1
    viewer.sendall(bytes([kind]))
    return kind


def log_in(viewer: socket.socket, password: bytes) -> bool:
    """Answer the challenge with the password, whose bytes VNC reads backwards."""
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.ljust(8, b"\0"))
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()  # three times the same key is plain DES
    viewer.sendall(encryptor.update(viewer.recv(16)))
    return viewer.recv(4) == bytes(4)


def test_a_socket_that_nobody_else_reaches(run, blank_disk):
    """Without a password there is no port; the folder is the user's own."""
    path = Path(shown_at(run, Qemu(disk=blank_disk, vnc=True, **SMALL)))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with socket.socket(socket.AF_UNIX) as viewer:
        viewer.connect(str(path))
        assert greet(viewer) == 1  # no login
        assert viewer.recv(4) == bytes(4)


def test_a_port_needs_the_password(run, blank_disk):
    """The first free one of the range; the right password lets in, another does not."""
    shown = Vnc(password=pp.Secret(value="s3cr3t!"), port=(15900, 16900))
    host, port = shown_at(run, Qemu(disk=blank_disk, vnc=shown, **SMALL)).split(":")
    assert host == "127.0.0.1"
    assert 15900 <= int(port) <= 16900
    for password, right in ((b"s3cr3t!", True), (b"wrong", False)):
        with socket.create_connection((host, int(port)), timeout=20) as viewer:
            assert greet(viewer) == 2  # VNC's own login
            assert log_in(viewer, password) is right
    assert "s3cr3t!" not in "".join(map(str, run.events))


def test_a_password_that_vnc_would_cut_off(run, blank_disk):
    """Is an error, without the password."""
    spec = Qemu(disk=blank_disk, vnc=Vnc(password=pp.Secret(value="too-long-a-one")), **SMALL)
    with pytest.raises(SourceError, match="at most 8 characters") as caught:
        spec.load().boot(run)
    assert "too-long" not in str(caught.value)
