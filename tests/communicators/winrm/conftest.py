"""A WS-Management server, its certificates, and a run."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from packerpy.communicators.winrm import WinRM
from packerpy.communicators.winrm.channel import WinRMChannel
from packerpy.testing import TestRun, make_run
from packerpy.values import Endpoint, Machine
from tests.communicators.winrm.wsman_server import WSManServer


@attrs.frozen
class Authority:
    """Who signs certificates."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def file(self) -> Path:
        """Its own certificate."""
        return self.folder / "ca.pem"

    @classmethod
    def make(cls, folder: Path) -> Authority:
        """A new one."""
        folder.mkdir(parents=True)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate("an authority", key.public_key(), "an authority", key, ca=True)
        (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(folder, key, certificate)

    def sign(self, name: str, *, address: str | None = None) -> tuple[Path, Path]:
        """Files with a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key.public_key(), "an authority", self.key, address=address)
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return paths


def _certificate(
    name: str,
    key: ec.EllipticCurvePublicKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool = False,
    address: str | None = None,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if address is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority of the test's own."""
    return Authority.make(tmp_path / "ca")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[TestRun]:
    """A run, undone at the end of the test."""
    made = make_run(tmp_path)
    yield made
    assert made.close(failed=False) == ()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WSManServer]:
    """A started server with Basic logins; nothing is left of the shells in the end."""
    made = WSManServer(tmp_path)
    made.start()
    yield made
    assert made.shells == {}, "a shell was not deleted"
    made.stop()


MACHINE = Machine(id="windows", endpoint=Endpoint(host="127.0.0.1"), communicator=WinRM())


def spec_for(server: WSManServer, folder: Path, **changes: object) -> WinRM:
    """How to log in to a server."""
    known = {
        "user": server.user,
        "password": server.password,
        "port": server.port,
        "auth": server.auth,
        "tls": server.tls is not None,
        "temp_folder": folder,
        "timeout": 20.0,
    }
    return WinRM(**{**known, **changes})  # type: ignore[arg-type]


def connect(run: TestRun, spec: WinRM) -> WinRMChannel:
    """A channel."""
    channel = spec.load().connect(run, MACHINE)
    assert isinstance(channel, WinRMChannel)
    return channel


@pytest.fixture
def channel(server: WSManServer, run: TestRun, tmp_path: Path) -> Iterator[WinRMChannel]:
    """An open channel."""
    folder = tmp_path / "windows-temp"
    folder.mkdir()
    opened = connect(run, spec_for(server, folder))
    yield opened
    opened.close()
    assert list(folder.iterdir()) == [], "an archive was left in the machine"
