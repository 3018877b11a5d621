"""Moto for a session of tests, and what is there at any moment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import boto3
import pytest

import packerpy as pp
from packerpy.backends.amazon.api import forget_clients
from tests.communicators.ssh.sshd_server import Sshd

ROOT = Path(__file__).parents[3]
REGIONS = ("us-east-1", "eu-west-1")
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAFAKEFAKEFAKEFAKE",
    "AWS_SECRET_ACCESS_KEY": "fake-secret-of-the-tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
}


@attrs.frozen
class Moto:
    """The server.

    :ivar url: its endpoint.
    :ivar folder: where it writes the public keys that it is given.
    :ivar ami: an image to start from, in the first region.
    """

    url: str
    folder: Path
    ami: str
    process: subprocess.Popen[bytes] = attrs.field(repr=False)

    def client(self, service: str, region: str = REGIONS[0]) -> Any:
        """A client of the tests' own."""
        return _client(self.url, service, region)

    def access(self, **more: Any) -> pp.amazon.Access:
        """How a declaration reaches it."""
        return pp.amazon.Access(endpoint_url=self.url, **more)

    def inventory(self) -> dict[str, list[str]]:
        """Everything that can be left behind, by kind and region, as the server itself sees it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))


@cache
def _client(url: str, service: str, region: str) -> Any:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return boto3.client(service, region_name=region, endpoint_url=url, **keys)


def _base_image(url: str) -> str:
    ec2 = _client(url, "ec2", REGIONS[0])
    volume = ec2.create_volume(AvailabilityZone=f"{REGIONS[0]}a", Size=1)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.delete_volume(VolumeId=volume)
    for region in REGIONS:  # looking makes the default networks
        _client(url, "ec2", region).describe_security_groups()
    mapping = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}
    answer = ec2.register_image(
        Name="debian-base",
        Architecture="x86_64",
        VirtualizationType="hvm",
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[mapping],
    )
    return str(answer["ImageId"])


@contextmanager
def serving(folder: Path) -> Iterator[Moto]:
    """A server of one's own; it ends with the block."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.backends.amazon.moto_process", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        port = process.stdout.readline().decode().strip()
        assert port, (folder / "log").read_text()
        url = f"http://127.0.0.1:{port}"
        yield Moto(url, folder, _base_image(url), process)
    finally:
        process.stdin.close()
        process.wait(20)


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """One server for the session; tests compare inventories and leave it as it was."""
    with serving(tmp_path_factory.mktemp("moto")) as made:
        yield made


@pytest.fixture
def sshd(tmp_path: Path, moto: Moto) -> Iterator[Sshd]:
    """A real sshd in the place of the instance: it lets in the keys that were imported at Amazon."""
    folder = tmp_path / "sshd"
    folder.mkdir()
    server = Sshd(folder)
    server.authorized = moto.folder / "authorized_keys"
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def only_fake_keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of this package reaches Amazon: fake keys, no configuration, and no connection but to loopback."""
    import os
    import socket

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        inside = self.family == socket.AF_UNIX or str(address[0]).startswith("127.") or self.type == socket.SOCK_DGRAM
        assert inside, f"a test wants to reach {address}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    forget_clients()
    yield
    forget_clients()


@pytest.fixture
def nothing_left(moto: Moto) -> Iterator[None]:
    """After the test there is what was there before."""
    before = moto.inventory()
    yield
    assert moto.inventory() == before
