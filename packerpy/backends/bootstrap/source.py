"""The recipe: a tree from packages, the user's steps in it, and at the end a disk."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID, uuid4, uuid5

import attrs

from packerpy.backends.bootstrap import prepare
from packerpy.backends.bootstrap.disk import Layout, write_disk
from packerpy.backends.bootstrap.grub import Grub, make_grub
from packerpy.backends.bootstrap.install import install, missing_keyring
from packerpy.backends.bootstrap.overlay import command_line, write_overlay
from packerpy.backends.bootstrap.specs import Bootstrap
from packerpy.backends.bootstrap.steps.folder import WorkFolder
from packerpy.communicators.local import Local
from packerpy.contracts import Communicator, Run, Source
from packerpy.errors import SourceError
from packerpy.kit import namespaces, process
from packerpy.kit.namespaces import isolated
from packerpy.kit.publish import full_disk_named, writing
from packerpy.kit.sizes import parse_size
from packerpy.values import Artifact, Endpoint, Machine, Problem

_SPACE = UUID("5a1f7c0e-7d0b-4c57-9a9e-3f2f8a2d6c11")
"""Random once, so that UUIDs derived from inputs are of our own making."""


@attrs.frozen
class BootstrapSource(Source):
    """Makes images as one declaration says."""

    spec: Bootstrap

    def preflight(self, run: Run) -> Iterable[Problem]:
        """Whether this host gives us namespaces and knows the archive's keys."""
        yield from namespaces.problems()
        for keyring in missing_keyring(self.spec):
            package = self.spec.distribution.keyring_package
            fix = f"install it with `apt-get install {package}`"
            yield Problem(where="suite", what="this host has not the keys of its archive", seen=keyring, fix=fix)

    def boot(self, run: Run) -> Machine:
        """Make the tree; it stands for a machine that needs no power."""
        work = run.do(WorkFolder(path=run.cache / "trees" / f"{run.id}-{_slug(run.name)}"))
        root_id = self._root_id()
        overlay = write_overlay(self.spec, work / "overlay", root_id)
        tree = install(run, self.spec, work, overlay)
        machine = Machine(
            id=str(tree),
            endpoint=Endpoint(path=tree),
            communicator=Local(),
            facts=self._facts() | {"root_uuid": str(root_id)},
        )
        channel = machine.communicator.load().connect(run, machine)
        prepare.prepare(run, self.spec, channel)
        channel.close()
        return machine

    def capture(self, run: Run, machine: Machine, channel: Communicator) -> Artifact:
        """Clean the tree and make a disk of it."""
        tree = Path(machine.id)
        layout = Layout(size=_whole_mib(parse_size(str(self.spec.size))), root_id=UUID(machine.facts["root_uuid"]))
        shared = tree.with_name(tree.name + ".run")
        grub = make_grub(run, channel, shared, layout.root_id, command_line(self.spec))
        prepare.execute(run, channel, prepare.script("seal"), "cleaning the tree")
        self._empty_dev(run, tree)
        self._settle_times(run, tree)
        target = run.staging / f"{run.name.removesuffix('.bootstrap').replace('/', '_')}.{self.spec.format}"
        run.say(f"writing {target.name}")
        with full_disk_named(run.staging):
            self._write(run, layout, tree, grub, target)
        facts = {name: value for name, value in machine.facts.items() if name not in ("root_uuid", "epoch")}
        return Artifact(
            kind="disk",
            id=target.name,
            files=(target,),
            outputs={"disk": str(target)},
            facts=facts | {"format": self.spec.format, "virtual_size": str(layout.size)},
            builder_id="packerpy.bootstrap",
        )

    def _write(self, run: Run, layout: Layout, tree: Path, grub: Grub, target: Path) -> None:
        raw = target.with_name(f".{target.name}.raw")
        try:
            write_disk(run, layout, tree, grub, raw, self.spec.epoch)
            with writing(target) as part:
                if self.spec.format == "raw":
                    raw.rename(part)
                else:
                    qemu_img = process.find_tool("qemu-img", package="qemu-utils", needed_for="qcow2 files")
                    argv: list[str | Path] = [qemu_img, "convert", "-f", "raw", "-O", self.spec.format, raw, part]
                    process.call(argv, cancellation=run.cancellation, error=SourceError)
        finally:
            raw.unlink(missing_ok=True)

    def _empty_dev(self, run: Run, tree: Path) -> None:
        """The kernel fills /dev; without root no device could be made in it, and both ways must give the same tree."""
        argv: list[str | Path] = ["find", tree / "dev", "-xdev", "-mindepth", "1", "-delete"]
        process.call(isolated(argv), cancellation=run.cancellation, error=SourceError, label="emptying /dev")

    def _settle_times(self, run: Run, tree: Path) -> None:
        """No time in the tree is later than the declared one; those that packages brought along stay."""
        if self.spec.epoch is None:
            return
        date = f"@{self.spec.epoch}"
        # Folders last, deepest first, for they change with what is in them; `touch -h` takes links for themselves.
        argv: list[str | Path] = [
            "find",
            tree,
            "-xdev",
            "-depth",
            "-newermt",
            date,
            "-exec",
            "touch",
            "-h",
            "-d",
            date,
            "{}",
            "+",
        ]
        process.call(isolated(argv), cancellation=run.cancellation, error=SourceError, label="setting times")

    def _root_id(self) -> UUID:
        """Equal for equal inputs when the result is to be equal, else new every time."""
        if self.spec.epoch is None:
            return uuid4()
        return uuid5(_SPACE, hashlib.sha256(repr(self.spec).encode()).hexdigest())

    def _facts(self) -> dict[str, str]:
        """What later boots of the disk should know, and what the channel does."""
        dated = {} if self.spec.epoch is None else {"epoch": str(self.spec.epoch)}
        return dated | {
            "architecture": "x86_64",
            "firmware": "bios,uefi",
            "user": "root",
            "seed": "packerpy",
            "agent": "qemu",
            "suite": str(self.spec.suite),
            "distribution": self.spec.distribution.name,
        }


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name)[:60]


def _whole_mib(size: int) -> int:
    """Partitions are counted in MiB; a little more is better than a little less."""
    return -(-size // (1 << 20)) * (1 << 20)
