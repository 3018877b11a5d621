"""Licences of Debian's packages: what becomes of Debian's names, and how they stand in bills."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from debian.copyright import Copyright
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from packerpy.postprocessors.sbom import Sbom
from packerpy.postprocessors.sbom.bill import own_references
from packerpy.postprocessors.sbom.copyright import licenses
from packerpy.testing import TestRun
from tests.postprocessors.test_sbom import OS, STATUS, artifact, ext4

FORMAT = f"Format: {Copyright().header.format}\n"

MAWK = (
    FORMAT
    + """\
Upstream-Name: mawk

Files: *
Copyright: 2000 Mike
License: GPL-2
 The words of the GPL.

Files: man/*
Copyright: nobody
License: public-domain

Files: debian/*
Copyright: 2001 Somebody
License: GPL-2

License: public-domain
 Nobody owns this.
 .
 Do with it what you like.
"""
)


def _declared(said: str) -> str:
    return licenses(f"{FORMAT}\nFiles: *\nCopyright: x\nLicense: {said}\n")[0]


@pytest.mark.parametrize(
    ("said", "expression"),
    [
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPL-2", "GPL-2.0-only"),
        ("GPL-3.0+", "GPL-3.0-or-later"),
        ("LGPL-2.1", "LGPL-2.1-only"),
        ("AGPL-3+", "AGPL-3.0-or-later"),
        ("GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"),
        ("Expat", "MIT"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("Apache-2", "Apache-2.0"),
        ("MPL-2.0", "MPL-2.0"),
        ("CC0", "CC0-1.0"),
        ("zlib", "Zlib"),
        ("GPL-2+ or Artistic", "GPL-2.0-or-later OR Artistic-1.0-Perl"),
        ("Expat and GPL-2+ or ISC", "(MIT AND GPL-2.0-or-later) OR ISC"),
        ("GPL-1+ or Artistic, and Expat", "(GPL-1.0-or-later OR Artistic-1.0-Perl) AND MIT"),
        ("GPL-2+ with Autoconf exception", "GPL-2.0-or-later WITH Autoconf-exception-2.0"),
        ("GPL-3+ with Bison exception", "GPL-3.0-or-later WITH Bison-exception-2.2"),
        ("GPL-2 with Linux-syscall-note exception", "GPL-2.0-only WITH Linux-syscall-note"),
        ("Apache-2.0 with LLVM exception", "Apache-2.0 WITH LLVM-exception"),
    ],
)
def test_names(said: str, expression: str) -> None:
    """Debian's names, and how it joins them, in SPDX's words."""
    assert _declared(said) == expression
    assert own_references(expression) == ()


@pytest.mark.parametrize("said", ["public-domain", "GPL", "BSD-3-clause-PADL", "GPL-2+ with OpenSSL exception", "?"])
def test_names_that_spdx_does_not_have(said: str) -> None:
    """They become references; the same name with other words is another one."""
    first, second = (licenses(f"{FORMAT}\nFiles: *\nLicense: {said}\n {text}\n") for text in ("One.", "Two."))
    assert first[0].startswith("LicenseRef-debian-")
    assert first[0] != second[0]
    assert own_references(first[0]) == (first[0],)
    (own,) = first[1]
    assert (own.reference, own.name, own.text) == (first[0], said, "One.")


def test_the_header_speaks_for_the_whole() -> None:
    """Where it names a licence; else every name counts once, and a file that only people can read says nothing."""
    files = "\nFiles: *\nLicense: GPL-2\n\nFiles: a\nLicense: ISC or Expat\n\nFiles: debian/*\nLicense: GPL-2\n"
    assert licenses(f"{FORMAT}License: MIT\n{files}") == ("MIT", ())
    assert licenses(f"{FORMAT}{files}") == ("GPL-2.0-only AND (ISC OR MIT)", ())
    assert licenses("This package was debianized by somebody.\n\nLicense: GPL\n") == ("", ())
    assert licenses("") == ("", ())
    assert licenses(FORMAT) == ("", ())


def test_in_bills(run: TestRun, tmp_path: Path) -> None:
    """Expressions, and in SPDX the words of licences that it does not have; both libraries find nothing wrong."""
    files = {
        "var/lib/dpkg/status": f"{STATUS}\n\nPackage: ../x y\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n",
        "etc/os-release": OS["deb"],
        "usr/share/doc/mawk/copyright": MAWK,
        "usr/share/doc/libc6/copyright": f"{FORMAT}\nFiles: *\nLicense: LGPL-2.1+\n",
        "usr/share/doc/base/copyright": "Free software.\n",
    }
    made = Sbom("cyclonedx", "spdx").load().process(run, artifact(run, ext4(tmp_path, files))).artifact
    text = made.files[1].read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    told = {part["name"]: part.get("licenses") for part in json.loads(text)["components"]}
    (own,) = licenses(MAWK)[1]
    assert told["libc6"] == [{"license": {"id": "LGPL-2.1-or-later"}}]
    assert told["mawk"] == [{"expression": f"GPL-2.0-only AND {own.reference}"}]
    assert told["base"] is None
    document = parse_file(str(made.files[2]))
    assert validate_full_spdx_document(document, "SPDX-2.3") == []
    declared = {package.name: str(package.license_declared) for package in document.packages}
    assert declared["mawk"] == f"GPL-2.0-only AND {own.reference}"
    (extracted,) = document.extracted_licensing_info
    assert (extracted.license_id, extracted.license_name) == (own.reference, "public-domain")
    assert extracted.extracted_text == "Nobody owns this.\n\nDo with it what you like."
    assert sorted(path.name for path in run.staging.iterdir()) == ["web.cdx.json", "web.raw", "web.spdx.json"]
