"""Sbom: bills of materials, judged by the formats' own libraries."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from packerpy.errors import OutputError, PluginError, PostProcessError
from packerpy.kit.checksum import digest
from packerpy.postprocessors.sbom import Sbom
from packerpy.postprocessors.sbom.packages import read as read_database
from packerpy.postprocessors.sbom.packages import system
from packerpy.testing import TestRun
from packerpy.values import Artifact

STATUS = """\
Package: libc6
Status: install ok installed
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Architecture: amd64
Multi-Arch: same
Source: glibc
Version: 2.36-9+deb12u10
Provides: libc6-dev-none (= 2)
Homepage: https://www.gnu.org/software/libc/libc.html
Description: GNU C Library: Shared libraries
 More words
 .
 And more: of them

Package: mawk
Status: hold ok installed
Architecture: amd64
Version: 1:1.3.4~x-1
Provides: awk
Pre-Depends: libc6 (>= 2.34)
Maintainer: Someone

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: base
Status: install ok installed
Architecture: all
Source: base-src (0.9)
Version: 1
Depends: gawk:any | awk, no-such-thing (>> 1) [linux-any]
Description: base
"""

APK = """\
C:Q1
P:musl
V:1.2.4-r2
A:x86_64
T:the musl c library
U:https://musl.libc.org/
L:MIT
o:musl
m:Timo <timo@example.org>
p:so:libc.musl-x86_64.so.1=1
F:lib
R:ld

P:busybox-binsh
V:1.36.1-r5
A:x86_64
o:busybox
L:GPL-2.0-only AND Very Own
D:so:libc.musl-x86_64.so.1 !other
"""

OS = {"deb": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n', "apk": "ID=alpine\nVERSION_ID=3.19.1\n"}  # fmt: skip


def ext4(folder: Path, files: dict[str, str]) -> bytes:
    """An ext4 file system with some files."""
    tree, image = folder / "tree", folder / "fs"
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(content)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, image, "4M"], check=True)
    content = image.read_bytes()
    shutil.rmtree(tree)
    image.unlink()
    return content


def mbr(file_system: bytes) -> bytes:
    """A disk whose second logical partition, behind an extended one, holds a file system; sectors of 512 bytes."""
    disk = bytearray(2048 * 512 + len(file_system))

    def table(sector: int, *entries: tuple[int, int]) -> None:
        for number, (kind, start) in enumerate(entries):
            at = sector * 512 + 446 + 16 * number
            disk[at : at + 16] = struct.pack("<B3sB3sII", 0, b"", kind, b"", start, 64)
        disk[sector * 512 + 510 : sector * 512 + 512] = b"\x55\xaa"

    table(0, (0x83, 16), (0x05, 128))
    table(128, (0x83, 8), (0x05, 512))
    table(640, (0x83, 2048 - 640))
    disk[2048 * 512 :] = file_system
    return bytes(disk)


def artifact(run: TestRun, content: bytes) -> Artifact:
    """A raw disk in the staging folder."""
    path = run.staging / "web.raw"
    path.write_bytes(content)
    return Artifact(kind="disk", id="web.raw", files=(path,), outputs={"disk": str(path)}, facts={"format": "raw"})


@pytest.fixture
def debian(run: TestRun, tmp_path: Path) -> Artifact:
    """A disk without a table of partitions that holds a Debian of three packages."""
    return artifact(run, ext4(tmp_path, {"var/lib/dpkg/status": STATUS, "usr/lib/os-release": OS["deb"]}))


def read(path: Path) -> Any:
    """Its JSON."""
    return json.loads(path.read_text())


def test_cyclonedx(run: TestRun, debian: Artifact) -> None:
    """What is installed, with package URLs, sources, maintainers and what stands on what; the disk by its digest."""
    made = Sbom().load().process(run, debian)
    assert made.needs_input
    assert [path.name for path in made.artifact.files] == ["web.raw", "web.cdx.json"]
    text = made.artifact.files[1].read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert bill["specVersion"] == "1.6"
    disk = bill["metadata"]["component"]
    assert disk["hashes"] == [{"alg": "SHA-256", "content": digest(debian.files[0], "sha256")}]
    parts = {part["name"]: part for part in bill["components"]}
    assert set(parts) == {"debian", "libc6", "mawk", "base"}
    assert parts["debian"]["version"] == "12"
    libc = PackageURL.from_string(parts["libc6"]["purl"])
    assert libc == PackageURL(
        "deb", "debian", "libc6", "2.36-9+deb12u10", {"arch": "amd64", "distro": "debian-12"}
    )  # fmt: skip
    assert PackageURL.from_string(parts["mawk"]["purl"]).version == "1:1.3.4~x-1"
    assert parts["libc6"]["supplier"]["contact"][0]["email"] == "debian-glibc@lists.debian.org"
    sources = {name: part["properties"][0]["value"] for name, part in parts.items() if "properties" in part}
    assert sources == {"libc6": "glibc@2.36-9+deb12u10", "base": "base-src@0.9"}
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in bill["dependencies"]}
    assert needs[parts["base"]["bom-ref"]] == [parts["mawk"]["bom-ref"]]
    assert needs[parts["mawk"]["bom-ref"]] == [parts["libc6"]["bom-ref"]]
    assert needs["disk"] == ["operating-system"]


def test_versions_and_spdx(run: TestRun, debian: Artifact) -> None:
    """An older CycloneDX and SPDX 2.3 at once; the SPDX library reads its own back and finds nothing wrong."""
    made = Sbom("cyclonedx-1.5", "spdx", name="bill").load().process(run, debian).artifact
    assert [path.name for path in made.files[1:]] == ["bill.cdx.json", "bill.spdx.json"]
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(made.files[1].read_text()) is None
    document = parse_file(str(made.files[2]))
    assert validate_full_spdx_document(document, "SPDX-2.3") == []
    assert [package.name for package in document.packages] == ["web.raw", "base", "libc6", "mawk"]
    purl = PackageURL.from_string(document.packages[2].external_references[0].locator)
    assert (purl.type, purl.name) == ("deb", "libc6")
    kinds = [relation.relationship_type.name for relation in document.relationships]
    assert (kinds.count("CONTAINS"), kinds.count("DEPENDS_ON")) == (3, 2)


def test_equal_disks_have_equal_bills(run: TestRun, debian: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the time given as reproducible builds give it, not a byte differs."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    texts = []
    for _ in range(2):
        made = Sbom("cyclonedx", "spdx").load().process(run, debian).artifact
        texts.append([path.read_text() for path in made.files[1:]])
    assert texts[0] == texts[1]
    assert "2023-11-14T22:13:20" in texts[0][0]


@pytest.mark.parametrize("form", ["qcow2", "vmdk", "vdi", "vhdx", "vpc"])
def test_alpine_in_a_logical_partition_of_any_format(form: str, run: TestRun, tmp_path: Path) -> None:
    """Old partition tables and every disk format; the copy that is read is gone afterwards."""
    plain = artifact(run, mbr(ext4(tmp_path, {"lib/apk/db/installed": APK, "etc/os-release": OS["apk"]})))
    path = run.staging / f"web.{form}"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", form, plain.files[0], path], check=True)
    disk = Artifact(kind="disk", id=path.name, files=(path,))
    bill = read(Sbom().load().process(run, disk).artifact.files[1])
    parts = {part["name"]: part for part in bill["components"]}
    assert set(parts) == {"alpine", "musl", "busybox-binsh"}
    assert parts["musl"]["purl"] == "pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=alpine-3.19.1"
    assert parts["musl"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert parts["busybox-binsh"]["licenses"] == [{"license": {"name": "GPL-2.0-only AND Very Own"}}]
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in bill["dependencies"]}
    assert needs[parts["busybox-binsh"]["bom-ref"]] == [parts["musl"]["bom-ref"]]
    assert sorted(one.name for one in run.staging.iterdir()) == sorted(["web.raw", path.name, "web.cdx.json"])


def test_licenses_in_spdx(run: TestRun, tmp_path: Path) -> None:
    """What is an SPDX expression is declared as one; what is not is told in words, and nothing is asserted of it."""
    plain = artifact(run, ext4(tmp_path, {"lib/apk/db/installed": APK, "etc/os-release": OS["apk"]}))
    bill = read(Sbom("spdx").load().process(run, plain).artifact.files[1])
    told = {one["name"]: (one.get("licenseDeclared"), one.get("licenseComments")) for one in bill["packages"]}
    assert told["musl"] == ("MIT", "declared as: MIT")
    assert told["busybox-binsh"] == ("NOASSERTION", "declared as: GPL-2.0-only AND Very Own")


@pytest.mark.parametrize(
    ("place", "mark", "name"),
    [
        (0, b"XFSB", "XFS"),
        (0x10040, b"_BHRfS_M", "btrfs"),
        (512, b"LABELONE", "LVM"),
        (0, b"LUKS\xba\xbe", "LUKS"),
        (0, b"hsqs", "squashfs"),
    ],
)
def test_what_cannot_be_read_is_named(place: int, mark: bytes, name: str, run: TestRun) -> None:
    """In a partition, by the mark that its format has; so nobody looks for a mistake of his own."""
    inside = bytearray(2**17)
    inside[place : place + len(mark)] = mark
    with pytest.raises(PostProcessError) as raised:
        Sbom().load().process(run, artifact(run, mbr(bytes(inside))))
    assert f"; {name}" in (raised.value.details or "")
    assert "which is not read" in (raised.value.details or "") or "encrypted" in (raised.value.details or "")


@pytest.mark.parametrize(
    ("name", "kind"), [("pacman/local/ALPM_DB_VERSION", "pacman"), ("rpm/Packages.db", "rpm in its own format")]
)
def test_a_database_that_is_not_read(name: str, kind: str, run: TestRun, tmp_path: Path) -> None:
    """It is named, and what else makes a bill of it."""
    disk = artifact(run, ext4(tmp_path, {f"var/lib/{name}": "9"}))
    with pytest.raises(PostProcessError) as raised:
        Sbom().load().process(run, disk)
    assert f"a database of {kind}" in (raised.value.details or "")
    assert "which is not read" in (raised.value.details or "")
    assert "syft" in (raised.value.resolution or "")


def test_a_strange_database() -> None:
    """Words without fields, no os-release, a rolling release: nothing breaks, nothing is invented."""
    seen = system("deb", read_database("deb", "nonsense\n\nPackage: x\n\n" + STATUS), "")
    assert [package.name for package in seen.packages] == ["base", "libc6", "mawk"]
    assert (seen.distribution, seen.release) == ("debian", "")


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (bytes(2**20), "no ext2, ext3 or ext4"),
        (b"QFI\xfb" + bytes(2**16), "no ext2, ext3 or ext4"),
        (bytes(512) + b"EFI PART" + b"\xff" * 2**16, "no ext2, ext3 or ext4"),
        (b"\0" * 510 + b"\x55\xaa", "no ext2, ext3 or ext4"),
        (b"", "no ext2, ext3 or ext4"),
    ],
    ids=["zeros", "pretends to be a qcow2", "broken table", "empty table", "empty"],
)
def test_nothing_to_read(content: bytes, hint: str, run: TestRun) -> None:
    """A disk without a list of packages is an error that says what was seen."""
    with pytest.raises(PostProcessError, match="no list of packages") as raised:
        Sbom().load().process(run, artifact(run, content))
    assert hint in (raised.value.details or "")
    assert [path.name for path in run.staging.iterdir()] == ["web.raw"]


def test_a_system_without_packages(run: TestRun, tmp_path: Path) -> None:
    """A file system without a known database is told as such."""
    with pytest.raises(PostProcessError) as raised:
        Sbom().load().process(run, artifact(run, ext4(tmp_path, {"etc/os-release": OS["deb"]})))
    assert "1 ext2, ext3 or ext4 file systems without one" in (raised.value.details or "")


def test_after_what_hides_the_disk(run: TestRun) -> None:
    """Put behind a Compress it says where it belongs; a format that nobody tells is not guessed."""
    with pytest.raises(PostProcessError, match="no disk to make") as raised:
        Sbom().load().process(run, Artifact(kind="files", id="web.zst"))
    assert "before what packs" in (raised.value.resolution or "")
    (run.staging / "web.bin").touch()
    with pytest.raises(PostProcessError, match=r"format of web\.bin"):
        Sbom().load().process(run, Artifact(kind="disk", id="x", files=(run.staging / "web.bin",)))


@pytest.mark.parametrize(
    ("form", "module"), [("cyclonedx", "cyclonedx.model"), ("spdx", "spdx_tools.spdx.model.actor")]
)
def test_missing_library(
    form: str, module: str, run: TestRun, debian: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the library the error names what to install."""
    for name in [name for name in sys.modules if name.startswith("packerpy.postprocessors.sbom.")]:
        if name.endswith((".cyclonedx", ".spdx")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PluginError, match="library that is not installed") as raised:
        Sbom(form).load().process(run, debian)
    assert "packerpy[sbom]" in (raised.value.resolution or "")


def test_missing_tool(run: TestRun, debian: Artifact, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without debugfs the error names the package that has it."""
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(PluginError, match="debugfs") as raised:
        Sbom().load().process(run, debian)
    assert "e2fsprogs" in (raised.value.resolution or "")


def test_full_disk(run: TestRun, debian: Artifact, tmp_path: Path) -> None:
    """No room for the copy of a disk: told as a full file system, and nothing stays."""
    path = tmp_path / "web.qcow2"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", debian.files[0], path], check=True)
    disk = attrs.evolve(debian, files=(path,), outputs={"disk": str(path)}, facts={"format": "qcow2"})
    with small(tmp_path / "small", run):
        with pytest.raises(OutputError, match="is full"):
            Sbom().load().process(run, disk)
        assert list(run.staging.iterdir()) == []


@contextmanager
def small(folder: Path, run: TestRun) -> Iterator[None]:
    """A real file system of 16 KiB as the staging folder."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", folder], check=True)
    try:
        run._staging = folder
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize(
    ("spec", "where", "hint"),
    [
        (Sbom("cyclone-dx"), "formats[0]", "did you mean `cyclonedx`"),
        (Sbom("spdx-3"), "formats[0]", "spdx-2.3"),
        (Sbom("cyclonedx", "cyclonedx-1.5"), "formats", "one"),
        (Sbom(name="a/b"), "name", "without folders"),
    ],
    ids=str,
)
def test_check(spec: Sbom, where: str, hint: str) -> None:
    """Each bad declaration is one problem at the right place."""
    (problem,) = spec.check()
    assert problem.where == where
    assert hint in (problem.fix or "")


@pytest.mark.live
def test_a_real_debian(run: TestRun, base_disk: Path, tmp_path: Path) -> None:
    """The packages of a real disk are exactly those that dpkg-query names, by name, version and architecture."""
    disk = Artifact(kind="disk", id="base", files=(base_disk,), facts={"format": "qcow2"})
    made = Sbom("cyclonedx", "spdx").load().process(run, disk).artifact
    queried = set(_query(base_disk, tmp_path))
    assert len(queried) > 100
    parts = [part for part in read(made.files[1])["components"] if "purl" in part]
    purls = [PackageURL.from_string(part["purl"]) for part in parts]
    assert {(one.name, one.version, one.qualifiers["arch"]) for one in purls} == queried
    assert all((one.type, one.namespace, one.qualifiers["distro"]) == ("deb", "debian", "debian-12") for one in purls)
    packages = read(made.files[2])["packages"][1:]
    assert {(one["name"], one["versionInfo"]) for one in packages} == {one[:2] for one in queried}
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made.files[1].read_text()) is None
    licenses = {one["name"]: one["licenseDeclared"] for one in packages if one["licenseDeclared"] != "NOASSERTION"}
    assert len(licenses) > len(queried) / 2
    assert licenses["zlib1g"] == "Zlib"
    assert "GPL-2.0-or-later" in licenses["dpkg"]


def _query(disk: Path, folder: Path) -> Iterator[tuple[str, str, str]]:
    """What dpkg-query says of a disk that is mounted."""
    raw, mounted = folder / "copy.raw", folder / "mounted"
    mounted.mkdir()
    subprocess.run(["qemu-img", "convert", "-O", "raw", disk, raw], check=True)
    table = json.loads(subprocess.run(["sfdisk", "-J", raw], check=True, capture_output=True).stdout)
    root = table["partitiontable"]["partitions"][-1]
    options = f"ro,noload,loop,offset={root['start'] * 512},sizelimit={root['size'] * 512}"
    subprocess.run(["mount", "-o", options, raw, mounted], check=True)
    try:
        form = "${Package}|${Version}|${Architecture}|${db:Status-Status}\n"
        command = ["dpkg-query", f"--admindir={mounted}/var/lib/dpkg", "-W", "-f", form]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    finally:
        subprocess.run(["umount", mounted], check=True)
        raw.unlink()
    for line in listed.splitlines():
        name, version, arch, status = line.split("|")
        if status == "installed":
            yield name, version, arch
