"""The declarations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import attrs

from packerpy.contracts import ProvisionerSpec, ReadsFiles
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import host_path, host_paths, optional_path, word_list
from packerpy.declare.values import Text
from packerpy.kit.scripts import missing
from packerpy.provisioners.common import comparable, freeze
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Provisioner

_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_FACT = re.compile(r"[a-z_][a-z0-9_]*\Z")


@declaration
class Puppet(ProvisionerSpec, ReadsFiles):
    """Applies manifests by ``puppet apply`` in the machine, without a server.

    ``Puppet("site.pp", modules="modules", facts={"role": "web"})``. Manifests, modules and data are uploaded, and
    removed afterwards. Puppet must be in the machine: ``Packages("puppet-agent")``.

    :param manifest: a manifest, or a folder of them.
    :param modules: folders of modules; they come before those that the machine has.
    :param hiera_config: a ``hiera.yaml`` (version 5).
    :param hiera_data: the folder with its data, found under its own name beside the configuration.
    :param facts: further facts; in the machine's environment, so that they are in no command line.
    :param environment_variables: for Puppet.
    :param options: further words of the command line.
    :param command: the program in the machine.
    :param sudo: run it as root.
    :param accept_failures: exit codes 4 and 6, some resource failed, are fine, too; Packer's ``ignore_exit_codes``.
    """

    kind: ClassVar[str] = "puppet"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`Puppet`", "Puppet 7.23 over SSH, and in a Debian 12 guest", "run"),
    )

    manifest: Path = attrs.field(converter=host_path)
    modules: tuple[Path, ...] = attrs.field(default=(), converter=host_paths, kw_only=True)
    hiera_config: Path | None = attrs.field(default=None, converter=optional_path, kw_only=True)
    hiera_data: Path | None = attrs.field(default=None, converter=optional_path, kw_only=True)
    facts: Mapping[str, Text] = attrs.field(factory=dict, converter=freeze, eq=comparable, kw_only=True)
    environment_variables: Mapping[str, Text] = attrs.field(factory=dict, converter=freeze, eq=comparable, kw_only=True)
    options: tuple[str, ...] = attrs.field(default=(), converter=word_list, kw_only=True)
    command: str = attrs.field(default="puppet", kw_only=True)
    sudo: bool = attrs.field(default=True, kw_only=True)
    accept_failures: bool = attrs.field(default=False, kw_only=True)

    @property
    def title(self) -> str:
        """The manifest's name."""
        return f"puppet apply {self.manifest.name}"

    def reads(self) -> Iterable[Path]:
        """Manifests, modules and data."""
        optional = (self.hiera_config, self.hiera_data)
        return (self.manifest, *self.modules, *(path for path in optional if path is not None))

    def check(self) -> Iterable[Problem]:
        """Files that exist, names that are facts."""
        yield from missing("manifest", (self.manifest,))
        yield from missing("modules", self.modules, folder=True)
        yield from missing("hiera_config", (self.hiera_config,))
        yield from missing("hiera_data", (self.hiera_data,), folder=True)
        if self.hiera_data is not None and self.hiera_config is None:
            yield Problem(where="hiera_data", what="data needs a configuration", fix="give hiera_config=, too")
        yield from bad_facts(self.facts)

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.puppet.worker import PuppetWorker

        return PuppetWorker(self)


@declaration
class PuppetServer(ProvisionerSpec, ReadsFiles):
    """Lets the machine's agent fetch its catalogue from a server and apply it, once.

    :param server: the server's name; by default what the machine's own configuration says.
    :param node: the name by which the server knows the machine; by default the machine's own.
    :param client_cert: the certificate of that name, a file of the host; without one the server must sign what the
        machine asks for.
    :param client_key: its private key. Both are removed from the machine afterwards.
    :param wait_for_cert: seconds between two questions whether the server has signed; 0 is asking once.
    :param facts: further facts.
    :param options: further words of the command line.
    :param command: the program in the machine.
    :param sudo: run it as root.
    :param accept_failures: exit codes 4 and 6, some resource failed, are fine, too.
    """

    kind: ClassVar[str] = "puppet-server"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`PuppetServer`", "Puppet 7.23's agent with Puppet Server 7.9, in a tree of Debian 12", "run"),
    )

    server: str | None = None
    node: str | None = attrs.field(default=None, kw_only=True)
    client_cert: Path | None = attrs.field(default=None, converter=optional_path, kw_only=True)
    client_key: Path | None = attrs.field(default=None, converter=optional_path, kw_only=True)
    wait_for_cert: int = attrs.field(default=0, kw_only=True)
    facts: Mapping[str, Text] = attrs.field(factory=dict, converter=freeze, eq=comparable, kw_only=True)
    options: tuple[str, ...] = attrs.field(default=(), converter=word_list, kw_only=True)
    command: str = attrs.field(default="puppet", kw_only=True)
    sudo: bool = attrs.field(default=True, kw_only=True)
    accept_failures: bool = attrs.field(default=False, kw_only=True)

    @property
    def title(self) -> str:
        """The server's name."""
        return f"puppet agent of {self.server or 'the configured server'}"

    def reads(self) -> Iterable[Path]:
        """The certificate; the key belongs to it."""
        return (self.client_cert,) if self.client_cert is not None else ()

    def check(self) -> Iterable[Problem]:
        """Files that exist and belong together."""
        yield from missing("client_cert", (self.client_cert,))
        yield from missing("client_key", (self.client_key,))
        if (self.client_cert is None) != (self.client_key is None):
            yield Problem(where="client_cert", what="certificate and key belong together", fix="give both, or none")
        elif self.client_cert is not None and not self.node:
            yield Problem(where="node", what="a certificate is one of a name", fix="give the node that it is for")
        for where in ("server", "node"):
            if getattr(self, where) is not None and not re.fullmatch(
                r"[A-Za-z0-9][A-Za-z0-9._-]*", getattr(self, where)
            ):
                yield Problem(where=where, what="not a host's name", seen=repr(getattr(self, where)))
        if self.wait_for_cert < 0:
            yield Problem(where="wait_for_cert", what="must not be negative", seen=str(self.wait_for_cert))
        yield from bad_facts(self.facts)

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.puppet.worker import PuppetServerWorker

        return PuppetServerWorker(self)


def bad_facts(facts: Iterable[str]) -> Iterable[Problem]:
    """Names that Facter does not take from the environment."""
    for name in facts:
        if not _FACT.match(name):
            fix = "use lower-case letters, digits and underscores"
            yield Problem(where="facts", what="not a name for a fact", seen=name, fix=fix)
