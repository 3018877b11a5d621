"""The declarations."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from packerpy.contracts import DescribesTools, ProvisionerSpec, ReadsFiles
from packerpy.declare.declaration import declaration
from packerpy.declare.fields import host_path, host_paths, optional_path, word_list
from packerpy.declare.values import Text
from packerpy.kit.scripts import missing
from packerpy.provisioners.common import comparable, freeze
from packerpy.values import HostTool, Problem, Support

if TYPE_CHECKING:
    from packerpy.contracts import Provisioner

_GROUP = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_BESIDE = (
    *("roles", "collections", "group_vars", "host_vars", "vars", "tasks", "handlers", "files", "templates"),
    *("library", "module_utils", "filter_plugins", "lookup_plugins", "action_plugins", "ansible.cfg"),
)
"""What Ansible itself looks for beside a playbook."""

_nested: Any = {"factory": dict, "converter": freeze, "eq": comparable, "kw_only": True}


@declaration
class Playbook(ReadsFiles):
    """What a playbook can be told wherever it is run from.

    :ivar playbook: the playbook, on the host. What stands beside it by Ansible's convention (``roles``, ``group_vars``,
        ``templates``, …) belongs to it.
    :ivar extra_vars: variables that win over all others; values may be nested, and secret. They travel in a file that
        only its owner may read, never in a command line.
    :ivar groups: inventory groups that the machine is in.
    :ivar group_vars: group → variables.
    :ivar host_vars: variables of the machine.
    :ivar host_alias: what the playbook's ``hosts:`` and ``host_vars`` know it by; ``default``, as in Packer.
    :ivar tags: run only tasks with one of these.
    :ivar skip_tags: leave out tasks with one of these.
    :ivar become: run tasks as root by ``sudo`` in the machine.
    :ivar vault_password: opens what ``ansible-vault`` closed.
    :ivar roles_path: folders with roles, beside the playbook's own.
    :ivar collections_path: folders with collections.
    :ivar galaxy_requirements: a requirements file; its roles and collections are fetched by the host once and kept.
    :ivar env: environment variables for Ansible, such as ``ANSIBLE_TIMEOUT``.
    :ivar python: Python in the machine.
    :ivar verbosity: how many ``-v``.
    :ivar extra_arguments: further words of the command line. Everybody can read those: secrets belong into
        ``extra_vars``.
    :ivar reads_also: further files and folders whose change makes the step run again.
    """

    playbook: Path = attrs.field(converter=host_path)
    extra_vars: Mapping[str, Any] = attrs.field(**_nested)
    groups: tuple[str, ...] = attrs.field(default=(), converter=word_list, kw_only=True)
    group_vars: Mapping[str, Mapping[str, Any]] = attrs.field(**_nested)
    host_vars: Mapping[str, Any] = attrs.field(**_nested)
    host_alias: str = attrs.field(default="default", kw_only=True)
    tags: tuple[str, ...] = attrs.field(default=(), converter=word_list, kw_only=True)
    skip_tags: tuple[str, ...] = attrs.field(default=(), converter=word_list, kw_only=True)
    become: bool = attrs.field(default=False, kw_only=True)
    vault_password: Text | None = attrs.field(default=None, repr=False, kw_only=True)
    roles_path: tuple[Path, ...] = attrs.field(default=(), converter=host_paths, kw_only=True)
    collections_path: tuple[Path, ...] = attrs.field(default=(), converter=host_paths, kw_only=True)
    galaxy_requirements: Path | None = attrs.field(default=None, converter=optional_path, kw_only=True)
    env: Mapping[str, Text] = attrs.field(**_nested)
    python: str = attrs.field(default="/usr/bin/python3", kw_only=True)
    verbosity: int = attrs.field(default=0, kw_only=True, metadata={"key": False})
    extra_arguments: tuple[str, ...] = attrs.field(default=(), converter=word_list, kw_only=True)
    reads_also: tuple[Path, ...] = attrs.field(default=(), converter=host_paths, kw_only=True)

    @property
    @abstractmethod
    def kind_of_run(self) -> str:
        """Where it is run from, for people."""

    @property
    def title(self) -> str:
        """The playbook's name."""
        return f"ansible {self.kind_of_run}: {self.playbook.name}"

    def beside(self) -> Iterator[Path]:
        """What stands beside the playbook by convention."""
        yield from (path for name in _BESIDE if (path := self.playbook.parent / name).exists())

    def reads(self) -> Iterable[Path]:
        """The playbook and all that it is known to use."""
        requirements = (self.galaxy_requirements,) if self.galaxy_requirements is not None else ()
        yield from (self.playbook, *self.beside(), *self.roles_path, *self.collections_path, *requirements)
        yield from self.reads_also

    def check(self) -> Iterable[Problem]:
        """Files that exist, names that Ansible takes, numbers in range."""
        if not self.playbook.is_file():
            yield Problem(where="playbook", what="there is no such file", seen=str(self.playbook))
        yield from missing("galaxy_requirements", (self.galaxy_requirements,))
        yield from missing("reads_also", self.reads_also)
        for where in ("roles_path", "collections_path"):
            yield from missing(where, getattr(self, where), folder=True)
        for where, names in (("groups", self.groups), ("group_vars", self.group_vars)):
            yield from (Problem(where=where, what="not a group", seen=name) for name in names if not _GROUP.match(name))
        for group in set(self.group_vars) - {"all", "ungrouped", *self.groups}:
            yield Problem(
                where="group_vars", what="the machine is not in this group", seen=group, fix="add it to groups"
            )
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", self.host_alias):
            yield Problem(where="host_alias", what="not a host's name", seen=repr(self.host_alias))
        if not 0 <= self.verbosity <= 6:
            yield Problem(where="verbosity", what="must be from 0 to 6", seen=str(self.verbosity))
        if self.vault_password == "":
            yield Problem(where="vault_password", what="is empty")
        for word in self.extra_arguments:
            if word.startswith(("--vault-pass", "-i", "--inventory")):
                fix = "use vault_password=" if "vault" in word else "use groups=, host_vars= and group_vars="
                yield Problem(where="extra_arguments", what="the step gives this itself", seen=word, fix=fix)


@declaration
class Ansible(Playbook, ProvisionerSpec, DescribesTools):
    """Runs a playbook on the host, against the machine, over SSH.

    ``Ansible("site.yml", groups=["web"], extra_vars={"version": "2"})``. The inventory is made for the build: with its
    login key or password and the machine's own host key, which is checked, on the way that the build itself goes
    (bastions, proxy). No proxy of ours stands in between, so that everything works that works against any machine. The
    machine needs Python 3. See :class:`Playbook` for what can be told.

    :param config: an ``ansible.cfg``; by default what Ansible finds by itself.
    """

    kind: ClassVar[str] = "ansible"
    support: ClassVar[tuple[Support, ...]] = (
        Support("`Ansible`", "ansible-core 2.19 with OpenSSH; Debian 12 guest", "run"),
        Support(
            "`Ansible` through bastions and proxies, by password",
            "ansible-core 2.19, OpenSSH 9.2 and microsocks 1.0 in network namespaces",
            "run",
        ),
    )

    config: Path | None = attrs.field(default=None, converter=optional_path, kw_only=True)

    @property
    def kind_of_run(self) -> str:
        """From the host."""
        return "from the host"

    def reads(self) -> Iterable[Path]:
        """Also its configuration."""
        yield from super().reads()
        yield from (self.config,) if self.config is not None else ()

    def check(self) -> Iterable[Problem]:
        """Also its configuration."""
        yield from super().check()
        yield from missing("config", (self.config,))

    def tools(self) -> Iterable[HostTool]:
        """What Ansible uses on the host; Ansible itself may be a library of this Python."""
        return (HostTool(name="ssh", package="openssh-client", needed_for="Ansible"),)

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.ansible.from_host import AnsibleWorker

        return AnsibleWorker(self)


@declaration
class AnsibleLocal(Playbook, ProvisionerSpec):
    """Runs a playbook in the machine itself, by the Ansible that is installed there, whatever the channel.

    The playbook, what stands beside it, roles and collections are uploaded, and removed afterwards. See
    :class:`Playbook` for what can be told.

    :param folder: upload all of this folder, which the playbook lies in, in place of what stands beside it.
    :param command: the program in the machine.
    :param sudo: run it as root.
    """

    kind: ClassVar[str] = "ansible-local"
    support: ClassVar[tuple[Support, ...]] = (Support("`AnsibleLocal`", "ansible-core 2.19, over SSH", "run"),)

    folder: Path | None = attrs.field(default=None, converter=optional_path, kw_only=True)
    command: str = attrs.field(default="ansible-playbook", kw_only=True)
    sudo: bool = attrs.field(default=False, kw_only=True)

    @property
    def kind_of_run(self) -> str:
        """In the guest."""
        return "in the machine"

    def reads(self) -> Iterable[Path]:
        """Also the folder."""
        yield from super().reads()
        yield from (self.folder,) if self.folder is not None else ()

    def check(self) -> Iterable[Problem]:
        """Also that the playbook lies in its folder."""
        yield from super().check()
        if self.folder is None:
            return
        yield from missing("folder", (self.folder,), folder=True)
        if not self.playbook.absolute().is_relative_to(self.folder.absolute()):
            yield Problem(where="folder", what="the playbook is not in it", seen=str(self.folder))

    def load(self) -> Provisioner:
        """The worker."""
        from packerpy.provisioners.ansible.in_guest import AnsibleLocalWorker

        return AnsibleLocalWorker(self)
