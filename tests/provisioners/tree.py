"""A tree of Debian's packages in which tools run that no test may run on the host itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from packerpy.backends.bootstrap import Bootstrap
from packerpy.backends.bootstrap.install import _environment
from packerpy.backends.bootstrap.mirrors import source_lines
from packerpy.communicators.local import Local
from packerpy.communicators.local.channel import LocalChannel
from packerpy.contracts import Run
from packerpy.kit import process
from packerpy.kit.namespaces import isolated
from packerpy.values import Command, Endpoint, Machine

PACKAGES = ("dnf", "rpm", "createrepo-c", "puppet-agent", "puppetserver")


@attrs.frozen
class Tree:
    """The tree; what its tests leave in it is theirs, and in nobody's way.

    :ivar root: where it is.
    """

    root: Path

    @property
    def machine(self) -> Machine:
        """The tree as one."""
        return Machine(id=str(self.root), endpoint=Endpoint(path=self.root), communicator=Local())

    def channel(self, run: Run) -> LocalChannel:
        """A channel into it."""
        return Local().load().connect(run, self.machine)  # type: ignore[return-value]


@pytest.fixture(scope="session")
def tools_tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """It has no apt, so that dnf is what manages packages; names are looked up in its own files alone."""
    folder = tmp_path_factory.mktemp("tools")
    root = folder / "root"
    options = ["--mode=root", "--format=directory", "--variant=essential", f"--include={','.join(PACKAGES)}"]
    options += ['--aptopt=Acquire::Languages "none"', '--aptopt=APT::Sandbox::User "root"', "--dpkgopt=force-unsafe-io"]
    argv = ["mmdebstrap", *options, "bookworm", root, *source_lines(Bootstrap())]
    process.call(isolated(argv), env=_environment(Bootstrap()))
    names = root / "etc/nsswitch.conf"
    names.write_text(names.read_text().replace(" dns", ""))
    yield Tree(root)
    shutil.rmtree(folder)


def said(channel: LocalChannel, line: str) -> str:
    """The output of a command that must go well."""
    done = channel.run(Command(line=line))
    assert done.ok, done
    return done.stdout
