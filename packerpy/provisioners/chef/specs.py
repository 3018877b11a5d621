"""The declarations."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from packerpy.contracts import ProvisionerSpec, ReadsFiles
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import host_paths, optional_path, word_list
from packerpy.declare.values import Secret, Text
from packerpy.kit.scripts import missing
from packerpy.provisioners.common import comparable, freeze
from packerpy.values import Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Provisioner

_RECIPE = re.compile(r"(recipe|role)\[[\w:@.-]+\]\Z|[\w-]+(::[\w-]+)?(@[\d.]+)?\Z")
_LICENCES = ("accept", "accept-no-persist", "accept-silent")


@declaration(kw_only=True)
class Chef(ReadsFiles):
    """What both kinds of run can be told.

    :ivar run_list: recipes and roles.
    :ivar json: attributes of the node, nested or secret; they travel in a file.
    :ivar environment: the name of the environment.
    :ivar config: further lines of the configuration, in its language (Ruby).
    :ivar install_command: installs Chef, as root, when it is not there; nothing is downloaded unless you say what.
    :ivar licence: how to answer Chef's licence; cinc asks for none. ``accept-silent``, as in Packer.
    :ivar command: the program, in place of the first that is there of cinc's and Chef's.
    :ivar sudo: run it as root.
    """

    run_list: tuple[str, ...] = attrs.field(default=(), converter=word_list)
    json: Mapping[str, Any] = attrs.field(factory=dict, converter=freeze, eq=comparable)
    environment: str | None = None
    config: str = ""
    install_command: str | None = None
    licence: str = "accept-silent"
    command: str | None = None
    sudo: bool = True

    @property
    @abstractmethod
    def programs(self) -> tuple[str, ...]:
        """What is looked for in the machine, best first."""

    def check(self) -> Iterable[Problem]:
        """Names that Chef takes."""
        for item in self.run_list:
            if not _RECIPE.match(item):
                yield Problem(where="run_list", what="neither recipe nor role", seen=item, fix="write recipe[cookbook]")
        if self.licence not in _LICENCES:
            yield Problem(where="licence", what="unknown", seen=self.licence, fix=f"use {', '.join(_LICENCES)}")


@declaration(kw_only=True)
class ChefSolo(Chef, ProvisionerSpec):
    """Runs cookbooks in the machine without a server, by ``chef-client --local-mode`` (zero) or ``chef-solo``.

    ``ChefSolo(cookbooks="cookbooks", run_list=["nginx"])``. What is uploaded is removed afterwards. See :class:`Chef`.

    :ivar cookbooks: folders of cookbooks.
    :ivar roles: the folder of roles.
    :ivar data_bags: the folder of data bags.
    :ivar environments: the folder of environments.
    :ivar data_bag_secret: what encrypted data bags are encrypted with.
    :ivar solo: run ``chef-solo``, for cookbooks that want that.
    """

    kind: ClassVar[str] = "chef-solo"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`ChefSolo`", "a stand-in for chef-client and chef-solo", "simulated"),
    )

    cookbooks: tuple[Path, ...] = attrs.field(default=(), converter=host_paths)
    roles: Path | None = attrs.field(default=None, converter=optional_path)
    data_bags: Path | None = attrs.field(default=None, converter=optional_path)
    environments: Path | None = attrs.field(default=None, converter=optional_path)
    data_bag_secret: Text | None = attrs.field(default=None, repr=False)
    solo: bool = False

    @property
    def programs(self) -> tuple[str, ...]:
        """By the kind of run."""
        return ("cinc-solo", "chef-solo") if self.solo else ("cinc-client", "chef-client")

    @property
    def title(self) -> str:
        """What is run."""
        return f"chef: {', '.join(self.run_list)}"[:100]

    def folders(self) -> Mapping[str, Path]:
        """Name of a setting → folder, for those that are given; cookbooks are apart."""
        given = {"role_path": self.roles, "data_bag_path": self.data_bags, "environment_path": self.environments}
        return {name: path for name, path in given.items() if path is not None}

    def reads(self) -> Iterable[Path]:
        """Cookbooks and the other folders."""
        return (*self.cookbooks, *self.folders().values())

    def check(self) -> Iterable[Problem]:
        """Folders that exist and belong together."""
        yield from super().check()
        if not self.run_list and "run_list" not in self.json:
            yield Problem(where="run_list", what="there is nothing to run")
        yield from missing("cookbooks", self.cookbooks, folder=True)
        for name in ("roles", "data_bags", "environments"):
            yield from missing(name, (getattr(self, name),), folder=True)
        if self.environment and self.environments is None:
            yield Problem(
                where="environment", what="without a server its definition is needed", fix="give environments="
            )
        if isinstance(self.data_bag_secret, str):
            yield Problem(where="data_bag_secret", what="stands in the declaration", fix="give a Secret")

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.chef.worker import ChefSoloWorker

        return ChefSoloWorker(self)


@declaration(kw_only=True)
class ChefClient(Chef, ProvisionerSpec):
    """Runs the machine's client against a server, once. See :class:`Chef`.

    :ivar server_url: the server, with its organisation.
    :ivar node_name: the machine's name there; the build's name by default.
    :ivar validation_key: the key that lets new nodes in.
    :ivar validation_client: whose key that is; ``chef-validator``.
    :ivar policy_name: a policy, together with
    :ivar policy_group: its group; they stand in place of a run list.
    :ivar verify_certificate: check the server's certificate. Packer's ``ssl_verify_mode``.
    :ivar keep_node: leave node and client on the server; by default both are removed there, as the machine is no node.
    """

    kind: ClassVar[str] = "chef-client"
    support: ClassVar[tuple[Support, ...]] = (Support("`ChefClient`", "a stand-in for chef-client", "simulated"),)

    server_url: str
    node_name: str | None = None
    validation_key: Secret | None = attrs.field(default=None, repr=False)
    validation_client: str = "chef-validator"
    policy_name: str | None = None
    policy_group: str | None = None
    verify_certificate: bool = True
    keep_node: bool = False

    @property
    def programs(self) -> tuple[str, ...]:
        """The client."""
        return ("cinc-client", "chef-client")

    @property
    def title(self) -> str:
        """The server."""
        return f"chef client of {self.server_url}"

    def reads(self) -> Iterable[Path]:
        """Nothing."""
        return ()

    def check(self) -> Iterable[Problem]:
        """A server, and policy with group."""
        yield from super().check()
        if not re.match(r"https?://[^/\s]+", self.server_url):
            yield Problem(where="server_url", what="not an address", seen=repr(self.server_url), fix="write https://…")
        if (self.policy_name is None) != (self.policy_group is None):
            yield Problem(where="policy_name", what="policy_name and policy_group belong together")
        if self.policy_name is not None and self.run_list:
            yield Problem(where="run_list", what="a policy has its own run list")

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.chef.worker import ChefClientWorker

        return ChefClientWorker(self)
