"""The bill as SPDX; the only importer of its library."""

from __future__ import annotations

import io
import re

from license_expression import LicenseExpression
from spdx_tools.common.spdx_licensing import spdx_licensing
from spdx_tools.spdx.model.actor import Actor, ActorType
from spdx_tools.spdx.model.checksum import Checksum, ChecksumAlgorithm
from spdx_tools.spdx.model.document import CreationInfo, Document
from spdx_tools.spdx.model.extracted_licensing_info import ExtractedLicensingInfo
from spdx_tools.spdx.model.package import (
    ExternalPackageRef,
    ExternalPackageRefCategory,
    PackagePurpose,
)
from spdx_tools.spdx.model.package import Package as SpdxPackage
from spdx_tools.spdx.model.relationship import Relationship, RelationshipType
from spdx_tools.spdx.model.spdx_no_assertion import SpdxNoAssertion
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
from spdx_tools.spdx.writer.json.json_writer import write_document_to_stream

from packerpy.errors import PluginError
from packerpy.postprocessors.sbom.bill import Bill, own_references
from packerpy.postprocessors.sbom.packages import Package
from packerpy.version import __version__

_DOCUMENT, _IMAGE = "SPDXRef-DOCUMENT", "SPDXRef-Image"


def write(bill: Bill, form: str) -> str:
    """The JSON text.

    :raises PluginError: the library says that it is not valid.
    """
    document = _document(bill)
    wrong = validate_full_spdx_document(document, "SPDX-2.3")
    if wrong:
        details = "\n".join(one.validation_message for one in wrong[:10])
        raise PluginError(f"the {form} bill is not valid", details=details, resolution="report it, please")
    stream = io.StringIO()
    write_document_to_stream(document, stream, validate=False, drop_duplicates=False)
    return stream.getvalue() + "\n"


def _document(bill: Bill) -> Document:
    info = CreationInfo(
        spdx_version="SPDX-2.3",
        spdx_id=_DOCUMENT,
        name=bill.name,
        document_namespace=f"urn:uuid:{bill.id}",
        creators=[Actor(ActorType.TOOL, f"packerpy-{__version__}")],
        created=bill.created.replace(tzinfo=None),
    )
    image = SpdxPackage(
        spdx_id=_IMAGE,
        name=bill.name,
        download_location=SpdxNoAssertion(),
        files_analyzed=False,
        checksums=[Checksum(ChecksumAlgorithm.SHA256, bill.sha256)],
        primary_package_purpose=PackagePurpose.OPERATING_SYSTEM,
        summary=bill.system.title or None,
    )
    ids = {package: _id(number, package) for number, package in enumerate(bill.system.packages, 1)}
    relations = [Relationship(_DOCUMENT, RelationshipType.DESCRIBES, _IMAGE)]
    relations += [Relationship(_IMAGE, RelationshipType.CONTAINS, one) for one in ids.values()]
    for package, needs in bill.system.needs().items():
        relations += [Relationship(ids[package], RelationshipType.DEPENDS_ON, ids[one]) for one in needs]
    packages = [image, *(_package(bill, package, ids[package]) for package in ids)]
    own = [
        ExtractedLicensingInfo(
            license_id=one.reference,
            extracted_text=one.text or "The text is not in the list of packages.",
            license_name=one.name or None,
        )
        for one in bill.own_licenses()
    ]
    return Document(info, packages=packages, relationships=relations, extracted_licensing_info=own)


def _license(declared: str) -> LicenseExpression | SpdxNoAssertion:
    """The expression, where it is one of SPDX's; else nothing is asserted, and the comment has the words."""
    if not declared or own_references(declared) is None:
        return SpdxNoAssertion()
    return spdx_licensing.parse(declared)


def _id(number: int, package: Package) -> str:
    return f"SPDXRef-{number}-{re.sub(r'[^A-Za-z0-9.-]', '-', package.name)}"


def _package(bill: Bill, package: Package, spdx_id: str) -> SpdxPackage:
    name, address = bill.person(package)
    reference = ExternalPackageRef(ExternalPackageRefCategory.PACKAGE_MANAGER, "purl", bill.purl(package).to_string())
    return SpdxPackage(
        spdx_id=spdx_id,
        name=package.name,
        version=package.version,
        download_location=SpdxNoAssertion(),
        files_analyzed=False,
        supplier=Actor(ActorType.ORGANIZATION, name, address or None) if name else None,
        source_info=f"built from {package.source}" if package.source else None,
        summary=package.summary or None,
        license_declared=_license(package.license),
        license_comment=f"declared as: {package.license}" if package.license else None,
        external_references=[reference],
    )
