"""The bill as CycloneDX; the only importer of its library."""

from __future__ import annotations

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalContact, OrganizationalEntity
from cyclonedx.model.license import License, LicenseExpression
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import BY_SCHEMA_VERSION
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from packerpy.errors import PluginError
from packerpy.postprocessors.sbom.bill import Bill, own_references
from packerpy.postprocessors.sbom.packages import Package
from packerpy.version import __version__

_LICENSES = LicenseFactory()
_VERSIONS = {"cyclonedx-1.5": SchemaVersion.V1_5}


def write(bill: Bill, form: str) -> str:
    """The JSON text.

    :raises PluginError: the library says that it is not valid.
    """
    version = _VERSIONS.get(form, SchemaVersion.V1_6)
    text = BY_SCHEMA_VERSION[version](_bom(bill)).output_as_string(indent=2)
    wrong = JsonStrictValidator(version).validate_str(text)
    if wrong is not None:
        raise PluginError("the CycloneDX bill is not valid", details=str(wrong)[:2000], resolution="report it, please")
    return text + "\n"


def _bom(bill: Bill) -> Bom:
    disk = Component(
        name=bill.name,
        type=ComponentType.FILE,
        bom_ref="disk",
        description=f"boot disk of the image {bill.image}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=bill.sha256)],
    )
    tool = Component(name="packerpy", type=ComponentType.APPLICATION, version=__version__)
    bom = Bom(
        serial_number=bill.id,
        metadata=BomMetaData(component=disk, timestamp=bill.created, tools=ToolRepository(components=[tool])),
    )
    system = bill.system
    operating = Component(
        name=system.distribution,
        version=system.release or None,
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref="operating-system",
        description=system.title or None,
    )
    components = {package: _component(bill, package) for package in system.packages}
    for component in (operating, *components.values()):
        bom.components.add(component)
    bom.register_dependency(disk, [operating])
    bom.register_dependency(operating, components.values())
    for package, needs in system.needs().items():
        bom.register_dependency(components[package], [components[one] for one in needs])
    return bom


def _license(declared: str) -> License:
    """References to licences of one's own are good in an expression; the library's factory takes them for words."""
    if own_references(declared):
        return LicenseExpression(declared)
    return _LICENSES.make_from_string(declared)


def _component(bill: Bill, package: Package) -> Component:
    purl = bill.purl(package)
    name, address = bill.person(package)
    contact = OrganizationalContact(name=name or None, email=address or None)
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        description=package.summary or None,
        licenses=[_license(package.license)] if package.license else None,
        supplier=OrganizationalEntity(name=name or None, contacts=[contact]) if package.maintainer else None,
        properties=[Property(name="packerpy:source", value=package.source)] if package.source else None,
    )
