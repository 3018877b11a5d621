"""A real sshd of a test's own, on loopback, with its own keys and configuration, and fixtures around it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from packerpy.communicators.ssh import SSH
from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.kit.ssh_keys import KeyPair, make_key_pair
from packerpy.testing import TestRun, make_run
from packerpy.values import Endpoint, Machine

_LISTENING = "Server listening on"


def free_port() -> int:
    """A port that nobody listens on now, and that the kernel gives to nobody who asks for any."""
    given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = secrets.randbelow(given // 2) + given // 2
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


class Sshd:
    """One server; ``start`` and ``stop`` as often as wanted.

    :param prefix: a command line that it is run by, such as one that enters a namespace.
    :param extra: lines of its configuration that beat the others.
    """

    def __init__(
        self, folder: Path, *, address: str = "127.0.0.1", port: int = 0, prefix: Sequence[str] = (), extra: str = ""
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.address, self.port = address, port or free_port()
        self.prefix, self.extra = list(prefix), extra
        self.user_key = make_key_pair(folder / "user", "user")
        self.host_key = make_key_pair(folder / "host", "host")
        self.authorized = folder / "authorized_keys"
        self.authorized.write_text(self.user_key.public + "\n")
        self.log = folder / "sshd.log"
        self.process: subprocess.Popen[bytes] | None = None

    def config(self) -> str:
        """The server's configuration; bash takes SHLVL as a sign that somebody else's .bashrc is not wanted."""
        return f"""
            {self.extra}
            Port {self.port}
            ListenAddress {self.address}
            HostKey {self.host_key.private}
            AuthorizedKeysFile {self.authorized}
            PidFile none
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            PermitRootLogin yes
            Subsystem sftp internal-sftp
            SetEnv SHLVL=5
        """

    def start(self) -> float:
        """Start it; answers the moment (monotonic) at which its port was bound."""
        Path("/run/sshd").mkdir(exist_ok=True)
        path = self.folder / "sshd_config"
        path.write_text(self.config())
        sshd = shutil.which("sshd", path="/usr/sbin:/sbin:" + os.environ["PATH"])
        assert sshd is not None, "apt-get install openssh-server"
        before = self.said().count(_LISTENING)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sshd, "-D", "-e", "-f", path],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        while self.said().count(_LISTENING) == before:  # the moment itself is what the caller wants to know
            assert self.process.poll() is None, self.said()
            os.sched_yield()
        return time.monotonic()

    def said(self) -> str:
        """Its log."""
        return self.log.read_text() if self.log.exists() else ""

    def children(self) -> list[int]:
        """The processes that serve one connection each."""
        assert self.process is not None
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def hang_up(self) -> None:
        """Kill whoever serves a connection, as a machine that is switched off would."""
        for pid in self.children():
            with suppress(ProcessLookupError):  # it may end by itself since we looked
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the server and every connection."""
        if self.process is None:
            return
        self.hang_up()
        self.process.kill()
        self.process.wait()
        self.process = None

    def machine(self, **changes: object) -> Machine:
        """What a source would say of it."""
        endpoint = {
            "host": self.address,
            "port": self.port,
            "user": _me(),
            "key_file": self.user_key.private,
            "host_keys": (self.host_key.public,),
        }
        return Machine(id=f"sshd-{self.port}", endpoint=Endpoint(**{**endpoint, **changes}), communicator=SSH())  # type: ignore[arg-type]


def _me() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server that is not started yet."""
    server = Sshd(tmp_path / "sshd")
    yield server
    server.stop()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[TestRun]:
    """A run without an engine."""
    made = make_run(tmp_path)
    yield made
    made.close(failed=False)


@pytest.fixture
def channel(sshd: Sshd, run: TestRun) -> Iterator[SSHChannel]:
    """An open channel to a started server."""
    sshd.start()
    opened = SSH(timeout=20).load().connect(run, sshd.machine())
    assert isinstance(opened, SSHChannel)
    yield opened
    opened.close()


@pytest.fixture
def another_key(tmp_path: Path) -> KeyPair:
    """A key that no server knows."""
    return make_key_pair(tmp_path / "another", "another")
