"""The fake platform's worker."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

import attrs

from packerpy.backends.fake.channel import FakeChannel
from packerpy.backends.fake.specs import Fake
from packerpy.contracts import Communicator, CommunicatorSpec, Connector, Finish, LooksForArtifacts, Run, Source
from packerpy.errors import CommunicatorError, SourceError
from packerpy.kit.folder import Folder
from packerpy.kit.publish import writing
from packerpy.values import Artifact, Endpoint, Machine, Problem


@attrs.frozen
class FakeSource(Source, LooksForArtifacts):
    """Boots folders and captures them as tar files."""

    spec: Fake

    def preflight(self, run: Run) -> Iterable[Problem]:
        """Nothing can be missing, unless told so."""
        if self.spec.fail == "preflight":
            yield Problem(what="the fake platform was told to fail", where="fail", seen="preflight")

    def boot(self, run: Run) -> Machine:
        """Make the folder and fill it."""
        if self.spec.fail == "boot":
            raise SourceError("the fake machine does not boot", resolution="declare it without fail='boot'")
        folder = run.do(Folder(run.workdir / "machine", "machine"))
        run.wait(self.spec.boot_seconds)
        if self.spec.disk is not None:
            disk = self.spec.disk if isinstance(self.spec.disk, Artifact) else run.artifact(self.spec.disk)
            with tarfile.open(disk.outputs["disk"]) as tar:
                # Debian 12's Python 3.11.2 has no filters yet; the archive is one that we made.
                tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
                tar.extractall(folder)  # noqa: S202  filtered
        if self.spec.content:
            (folder / "content").write_text(self.spec.content)
        return self._machine(folder)

    def _machine(self, folder: Path) -> Machine:
        communicator = FakeCommunicator(fail=self.spec.fail, fail_on=self.spec.fail_on)
        return Machine(id=str(folder), endpoint=Endpoint(path=folder), communicator=communicator)

    def fingerprint(self, run: Run) -> str:
        """A folder depends on nothing."""
        return "folder"

    def save(self, run: Run, machine: Machine, channel: Communicator, layer: Path) -> Finish:
        """Copy the folder."""
        shutil.copytree(machine.id, layer / "machine", symlinks=True)
        return lambda: None

    def restore(self, run: Run, layer: Path) -> Machine:
        """Copy it back."""
        folder = run.do(Folder(run.workdir / "machine", "machine"))
        shutil.copytree(layer / "machine", folder, symlinks=True, dirs_exist_ok=True)
        return self._machine(folder)

    def revive(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """A folder has no clock."""

    def capture(self, run: Run, machine: Machine, channel: Communicator) -> Artifact:
        """Pack the folder."""
        if self.spec.fail == "capture":
            raise SourceError("the fake machine cannot be captured", resolution="declare it without fail='capture'")
        folder, remote = Path(machine.id), self.spec.remote
        place = run.staging if remote is None else run.keep(Folder(remote / f"{run.name}-{run.id}", "remote image"))
        target = place / f"{run.name.split('.')[0]}.tar"
        with writing(target) as partial, tarfile.open(partial, "w") as tar:
            for path in sorted(folder.rglob("*")):
                tar.add(path, path.relative_to(folder), recursive=False, filter=_timeless)
        return Artifact(
            kind="disk",
            id=target.name if remote is None else place.name,
            files=(target,) if remote is None else (),
            outputs={"disk": str(target)},
            facts={"format": "tar"},
            builder_id="packerpy.fake",
        )

    def gone(self, run: Run, artifact: Artifact) -> str:
        """See :class:`packerpy.contracts.LooksForArtifacts`."""
        return "" if Path(artifact.outputs["disk"]).exists() else f"the image {artifact.id} is gone"


def _timeless(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what differs between two equal builds."""
    member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
    return member


@attrs.frozen(kw_only=True)
class FakeCommunicator(CommunicatorSpec, Connector):
    """Opens the channel into a machine folder."""

    kind: ClassVar[str] = "fake"

    fail: str | None = None
    fail_on: str | None = None

    def check(self) -> Iterable[Problem]:
        """Nothing can be wrong."""
        return ()

    def load(self) -> Connector:
        """It is its own worker."""
        return self

    def connect(self, run: Run, machine: Machine, *, died: Callable[[], str | None] | None = None) -> Communicator:
        """Open it."""
        if self.fail == "connect":
            raise CommunicatorError("the fake machine does not answer", resolution="declare it without fail='connect'")
        return FakeChannel(Path(machine.id), run.cancellation, self.fail_on)
