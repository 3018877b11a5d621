"""Provenance and ``packerpy verify``, judged by the format's own libraries and by tampering."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey

import packerpy as pp
from packerpy.cli.main import run as command
from packerpy.errors import PluginError, PostProcessError, VerificationError
from packerpy.postprocessors.provenance import Provenance
from packerpy.postprocessors.provenance.verify import verify
from packerpy.testing import TestRun
from packerpy.values import Artifact
from tests.execute.conftest import Builder, builder

__all__ = ["builder"]

KINDS = {
    "ed25519": ["-algorithm", "ed25519"],
    "ecdsa": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
}


@attrs.frozen
class Pair:
    """A private key and its public half."""

    private: Path
    public: Path


def make_key(folder: Path, kind: str = "ed25519", *more: str) -> Pair:
    """By openssl."""
    pair = Pair(folder / f"{kind}.pem", folder / f"{kind}.pub")
    subprocess.run(["openssl", "genpkey", *KINDS[kind], *more, "-out", pair.private], check=True, capture_output=True)
    passin = ["-passin", "pass:" + more[-1].removeprefix("pass:")] if more else []
    subprocess.run(["openssl", "pkey", "-in", pair.private, *passin, "-pubout", "-out", pair.public], check=True)
    return pair


@pytest.fixture
def key(tmp_path: Path) -> Pair:
    """A key of the usual kind."""
    return make_key(tmp_path)


@pytest.fixture
def signed(run: TestRun, disk: Artifact, key: Pair) -> Path:
    """A disk's statement."""
    return Provenance(key.private).load().process(run, disk).artifact.files[-1]


def test_of_a_whole_build(builder: Builder, key: Pair, tmp_path: Path) -> None:
    """The statement names files, tasks with keys, what was read, what it stands on; the libraries accept it."""
    (tmp_path / "page.html").write_text("hello")
    base = pp.Image("base", pp.Fake(content="base"))
    image = pp.Image(
        "web",
        pp.Fake(disk=base.output("disk")),
        provision=[pp.File(str(tmp_path / "page.html"), to="/page")],
        post=[[pp.Compress("gz"), pp.Provenance(key.private, builder_id="https://ci.example.org/main"), pp.Checksum()]],
    )
    result = builder(image)
    files = {path.name: path for path in result.files("web")}
    envelope = Envelope.from_dict(json.loads(files["web.intoto.jsonl"].read_text()))
    public = SSlibKey.from_crypto(load_pem_public_key(key.public.read_bytes()))
    assert envelope.verify([public], 1)
    assert envelope.payload_type == "application/vnd.in-toto+json"
    statement = json.loads(envelope.payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    (subject,) = statement["subject"]
    assert subject["name"].endswith(".gz")
    digest = subprocess.run(["sha256sum", files[subject["name"]]], capture_output=True, text=True, check=True).stdout
    assert subject["digest"]["sha256"] == digest.split()[0]
    predicate = json_format.ParseDict(statement["predicate"], provenance_pb2.Provenance())
    assert predicate.run_details.builder.id == "https://ci.example.org/main"
    assert predicate.run_details.builder.version["packerpy"] == pp.__version__
    assert predicate.run_details.metadata.invocation_id == result.run
    assert predicate.run_details.metadata.started_on.seconds <= predicate.run_details.metadata.finished_on.seconds
    definition = statement["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["image"] == "web"
    keys = definition["internalParameters"]["keys"]
    assert keys == {task.id.partition("/")[2]: task.key for task in result.plan.builds["web"].tasks}
    inputs = {entry["name"]: entry["digest"] for entry in definition["resolvedDependencies"]}
    page = subprocess.run(["sha256sum"], input=b"hello", capture_output=True, check=True).stdout.decode().split()[0]
    assert inputs[str(tmp_path / "page.html")] == {"sha256": page}
    assert inputs["base"] == {"packerpyKey": result.plan.builds["base"].delivery.key}
    assert str(key.private) not in json.dumps(statement)
    assert verify(files["web.intoto.jsonl"], key=key.public).builder == "https://ci.example.org/main"


def test_downloads(run: TestRun, disk: Artifact, key: Pair, tmp_path: Path) -> None:
    """What was downloaded is named by its URL, without a login in it, with the checksum that was asked for, if any."""
    url = "https://example.org/base.qcow2"
    tools = pp.Download("https://me:hunter2@example.org/tools.iso", "none")
    source = pp.Qemu(disk=url, checksum="sha256:" + "ab" * 32, cdroms=tools)
    planned = pp.plan(pp.Image("web", source), output=tmp_path, cache=tmp_path / "cache")
    run._build_facts = planned.builds["web"].facts
    made = Provenance(key.private).load().process(run, disk).artifact
    inputs = verify(made.files[-1], key=key.public).statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert inputs == [
        {"uri": url, "digest": {"sha256": "ab" * 32}},
        {"uri": "https://…@example.org/tools.iso"},
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_keys(kind: str, run: TestRun, disk: Artifact, tmp_path: Path) -> None:
    """Each signs, from a file and as a secret, and its public half verifies; no other key does."""
    pair, other = make_key(tmp_path, kind), make_key(run.cache)
    for given in (pair.private, pp.Secret(file=pair.private)):
        made = Provenance(given).load().process(run, disk).artifact
        assert verify(made.files[-1], key=pair.public).signed
        with pytest.raises(VerificationError, match="not of this key"):
            verify(made.files[-1], key=other.public)


def test_openssh_keys(run: TestRun, disk: Artifact, tmp_path: Path) -> None:
    """What ssh-keygen makes works, too."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret words", "-f", tmp_path / "id"], check=True)
    spec = Provenance(tmp_path / "id", passphrase=pp.Secret(value="secret words"))
    made = spec.load().process(run, disk).artifact
    assert verify(made.files[-1], key=tmp_path / "id.pub").signed


def test_passphrase(run: TestRun, disk: Artifact, tmp_path: Path) -> None:
    """With the right one it signs; a wrong one, or none, is told before anything is written, and never shown."""
    pair = make_key(tmp_path, "ed25519", "-aes256", "-pass", "pass:correct horse")
    good = Provenance(pair.private, passphrase=pp.Secret(value="correct horse"))
    assert verify(good.load().process(run, disk).artifact.files[-1], key=pair.public).signed
    for passphrase in (None, pp.Secret(value="battery staple")):
        with pytest.raises(PostProcessError, match="cannot be used to sign") as raised:
            Provenance(pair.private, passphrase=passphrase, name="other").load().process(run, disk)
        assert "battery staple" not in str(raised.value)
    assert not (run.staging / "other").exists()


def test_a_changed_file(signed: Path, key: Pair) -> None:
    """One changed byte, a missing file, a file that it is not about: each is named, all at once."""
    disk = signed.parent / "web.raw"
    (signed.parent / "stranger").touch()
    assert verify(signed, key=key.public).files == (disk,)
    assert verify(signed, [disk], key=key.public).files == (disk,)
    with disk.open("r+b") as file:
        file.write(b"!")
    with pytest.raises(VerificationError, match="2 of 2 files") as raised:
        verify(signed, [disk, signed.parent / "stranger"], key=key.public)
    assert "web.raw: its SHA-256 is" in (raised.value.details or "")
    assert "stranger: the statement says nothing about it" in (raised.value.details or "")
    disk.unlink()
    with pytest.raises(VerificationError) as raised:
        verify(signed, key=key.public)
    assert "it is not there" in (raised.value.details or "")


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], None]:
    def edit(envelope: dict[str, Any]) -> None:
        statement = json.loads(base64.b64decode(envelope["payload"]))
        change(statement)
        envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()

    return edit


TAMPERED: dict[str, Callable[[dict[str, Any]], object]] = {
    "statement": _edited(lambda statement: statement["predicate"]["runDetails"]["builder"].update(id="urn:me")),
    "digest": _edited(lambda statement: statement["subject"][0]["digest"].update(sha256="0" * 64)),
    "type": lambda envelope: envelope.update(payloadType="text/plain"),
    "no signature": lambda envelope: envelope.update(signatures=[]),
    "other signature": lambda envelope: envelope["signatures"][0].update(sig=base64.b64encode(bytes(64)).decode()),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_changed_statement(how: str, signed: Path, key: Pair) -> None:
    """Nothing in it can be changed, nor its signature taken away."""
    envelope = json.loads(signed.read_text())
    TAMPERED[how](envelope)
    signed.write_text(json.dumps(envelope))
    with pytest.raises(VerificationError, match="not of this key, or the statement was changed"):
        verify(signed, key=key.public)


def test_the_name_of_the_key_does_not_matter(signed: Path, key: Pair) -> None:
    """Signers name keys as they like; the name is not signed, the key is what counts."""
    envelope = json.loads(signed.read_text())
    envelope["signatures"][0]["keyid"] = "somebody"
    signed.write_text(json.dumps(envelope))
    assert verify(signed, key=key.public).signed


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", "{}", '{"payload": "!", "payloadType": "x", "signatures": []}', '{"payload": "", "payloadType": "x", "signatures": [3]}'],
)  # fmt: skip
def test_no_statement_at_all(text: str, tmp_path: Path, key: Pair) -> None:
    """Files that are something else are told as that."""
    (tmp_path / "x").write_text(text)
    with pytest.raises(VerificationError):
        verify(tmp_path / "x", key=key.public)
    with pytest.raises(VerificationError):
        verify(tmp_path / "x")


@pytest.mark.parametrize("change", [{"predicateType": "https://spdx.dev/Document"}, {"subject": []}, {"_type": "x"}])
def test_another_statement(change: dict[str, Any], signed: Path) -> None:
    """A statement of another kind, or about nothing, is no provenance."""
    envelope = json.loads(signed.read_text())
    _edited(lambda statement: statement.update(change))(envelope)
    signed.write_text(json.dumps(envelope))
    with pytest.raises(VerificationError, match="statement"):
        verify(signed)


def test_the_command(signed: Path, key: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what it checked, says loudly what it did not, and its exit code tells."""
    assert command(["verify", str(signed), "--key", str(key.public)]) == 0
    said = capsys.readouterr().out
    assert "web.raw: OK" in said
    assert "built by urn:packerpy:builder" in said
    assert command(["verify", str(signed), str(signed.parent / "web.raw")]) == 0
    assert "NOT checked" in capsys.readouterr().out
    assert command(["verify", str(signed), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predicateType"] == "https://slsa.dev/provenance/v1"
    (signed.parent / "web.raw").write_text("x")
    assert command(["verify", str(signed), "--key", str(key.public)]) == 1
    assert "not what the statement is about" in capsys.readouterr().err
    assert command(["verify", "/nowhere"]) == 1
    assert command(["verify", str(signed), "--key", str(signed)]) == 1


def test_what_cannot_be_signed(run: TestRun, disk: Artifact, key: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """No files, no key any more, a key that is none, no library: each is told."""
    with pytest.raises(PostProcessError, match="no file to make a statement about"):
        Provenance(key.private).load().process(run, Artifact(kind="ami", id="ami-1"))
    with pytest.raises(PostProcessError, match="cannot be used to sign"):
        Provenance(key.public).load().process(run, disk)
    with pytest.raises(PostProcessError, match="cannot read the key"):
        Provenance("/nowhere").load().process(run, disk)
    monkeypatch.delitem(sys.modules, "packerpy.postprocessors.provenance.signing")
    monkeypatch.delattr("packerpy.postprocessors.provenance.signing")
    monkeypatch.setitem(sys.modules, "securesystemslib.dsse", None)
    for call in (lambda: Provenance(key.private).load().process(run, disk), lambda: verify("/x")):
        with pytest.raises(PluginError, match="not installed") as raised:
            call()
        assert "packerpy[provenance]" in (raised.value.resolution or "")


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"key": "/nowhere/key.pem"}, "key"),
        ({"passphrase": "in clear"}, "passphrase"),
        ({"builder_id": "me"}, "builder_id"),
        ({"name": "a/b"}, "name"),
    ],
)
def test_check(options: dict[str, Any], where: str, key: Pair) -> None:
    """Each bad declaration is one problem at the right place."""
    (problem,) = Provenance(**{"key": key.private, **options}).check()
    assert problem.where == where
    assert problem.fix


def test_rsa_as_others_sign(run: TestRun, disk: Artifact, tmp_path: Path) -> None:
    """By PKCS #1 v1.5 with SHA-256, as cosign wants it: OpenSSL verifies it; what is signed by PSS is verified, too."""
    pair = make_key(tmp_path, "rsa")
    made = Provenance(pair.private).load().process(run, disk).artifact
    envelope = json.loads(made.files[-1].read_text())
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"]
    (tmp_path / "said").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload))
    (tmp_path / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    words = [
        "openssl",
        "dgst",
        "-sha256",
        "-verify",
        pair.public,
        "-signature",
        tmp_path / "signature",
        tmp_path / "said",
    ]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "Verified OK\n"
    by_pss = Envelope(payload, kind, {})
    by_pss.sign(CryptoSigner(load_pem_private_key(pair.private.read_bytes(), None)))  # type: ignore[arg-type]
    made.files[-1].write_text(json.dumps(by_pss.to_dict()))
    assert verify(made.files[-1], key=pair.public).signed
