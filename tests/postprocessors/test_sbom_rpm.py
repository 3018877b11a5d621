"""Sbom of disks whose packages rpm installed: the database is made by rpm itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from packerpy.errors import PluginError, PostProcessError
from packerpy.postprocessors.sbom import Sbom
from packerpy.testing import TestRun
from tests.postprocessors.test_sbom import artifact

SPEC = """\
Name: hello
Version: 1.2
Release: 3.fc40
Epoch: 2
Summary: says "hello", größer
License: GPL-2.0-or-later AND LicenseRef-Very-Own
Vendor: Example & Sons <http://bugs.example.org/>
Packager: Somebody <me@example.org>
URL: https://example.org/hello
BuildArch: noarch
Requires: greeting
%description
Says hello.
%package -n libhello
Summary: its library
License: GPLv2+ and MIT
Provides: greeting
%description -n libhello
Its library.
%files
%files -n libhello
"""

FEDORA = 'ID=fedora\nVERSION_ID=40\nPRETTY_NAME="Fedora Linux 40"\n'


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two rpms, built by rpmbuild."""
    top = tmp_path_factory.mktemp("rpm")
    (top / "hello.spec").write_text(SPEC)
    subprocess.run(["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}", top / "hello.spec"], check=True)
    return sorted(top.rglob("*.rpm"))


def tree(folder: Path, packages: list[Path], database: str) -> Path:
    """A system in which rpm itself has installed them, as far as its database knows."""
    (folder / database).mkdir(parents=True)
    (folder / "etc").mkdir()
    (folder / "etc/os-release").write_text(FEDORA)
    command = ["rpm", "--dbpath", folder / database, "--justdb", "--nodeps", "--force-debian", "--install"]
    subprocess.run([*command, *packages] if packages else [*command[:3], "--initdb"], check=True)
    return folder


def disk(tree: Path) -> bytes:
    """An ext4 file system with it, made without mounting."""
    image = tree.with_suffix(".img")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, image, "16M"], check=True)
    return image.read_bytes()


@pytest.mark.parametrize("database", ["usr/lib/sysimage/rpm", "var/lib/rpm"])
def test_rpm(database: str, packages: list[Path], run: TestRun, tmp_path: Path) -> None:
    """Names, versions, epochs, vendors, licences and what stands on what; both libraries find nothing wrong."""
    content = disk(tree(tmp_path / "tree", packages, database))
    made = Sbom("cyclonedx", "spdx").load().process(run, artifact(run, content)).artifact
    text = made.files[1].read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    parts: dict[str, Any] = {part["name"]: part for part in json.loads(text)["components"]}
    assert set(parts) == {"fedora", "hello", "libhello"}
    assert PackageURL.from_string(parts["hello"]["purl"]) == PackageURL(
        "rpm", "fedora", "hello", "1.2-3.fc40", {"arch": "noarch", "distro": "fedora-40", "epoch": "2"}
    )
    assert parts["hello"]["supplier"] == {"name": "Example & Sons", "contact": [{"name": "Example & Sons"}]}
    assert parts["hello"]["description"] == 'says "hello", größer'
    assert parts["hello"]["licenses"] == [{"expression": "GPL-2.0-or-later AND LicenseRef-Very-Own"}]
    assert parts["libhello"]["licenses"] == [{"license": {"name": "GPLv2+ and MIT"}}]
    assert "properties" not in parts["hello"]
    assert parts["libhello"]["properties"][0]["value"] == "hello@1.2-3.fc40"
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in json.loads(text)["dependencies"]}
    assert needs[parts["hello"]["bom-ref"]] == [parts["libhello"]["bom-ref"]]
    document = parse_file(str(made.files[2]))
    assert validate_full_spdx_document(document, "SPDX-2.3") == []
    declared = {package.name: str(package.license_declared) for package in document.packages}
    assert declared["hello"] == "GPL-2.0-or-later AND LicenseRef-Very-Own"
    assert [one.license_id for one in document.extracted_licensing_info] == ["LicenseRef-Very-Own"]
    assert sorted(path.name for path in run.staging.iterdir()) == ["web.cdx.json", "web.raw", "web.spdx.json"]


def test_a_broken_database(run: TestRun, tmp_path: Path) -> None:
    """What rpm cannot read is an error with its words, and nothing stays."""
    database = tmp_path / "tree/var/lib/rpm"
    database.mkdir(parents=True)
    (database / "rpmdb.sqlite").write_text("nonsense")
    with pytest.raises(PostProcessError, match="reading the disk's rpm database") as raised:
        Sbom().load().process(run, artifact(run, disk(tmp_path / "tree")))
    assert "not a database" in (raised.value.details or "")
    assert [path.name for path in run.staging.iterdir()] == ["web.raw"]


def test_an_empty_database(run: TestRun, tmp_path: Path) -> None:
    """A system without any package is none; so is one whose database this rpm takes for another kind."""
    with pytest.raises(PostProcessError, match="rpm found no package") as raised:
        Sbom().load().process(run, artifact(run, disk(tree(tmp_path / "tree", [], "var/lib/rpm"))))
    assert "syft" in (raised.value.resolution or "")


def test_without_rpm(packages: list[Path], run: TestRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the package that has it."""
    content = disk(tree(tmp_path / "tree", packages, "var/lib/rpm"))
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, *_, **__: None if name == "rpm" else found(name))
    with pytest.raises(PluginError, match="'rpm' is not installed"):
        Sbom().load().process(run, artifact(run, content))
