"""Reads the files, writes the sums."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import attrs

from packerpy.contracts import PostProcessor, Run
from packerpy.errors import OutputError, PostProcessError
from packerpy.kit import checksum, publish
from packerpy.postprocessors.checksum.specs import Checksum
from packerpy.values import Artifact, Processed


@attrs.frozen
class Worker(PostProcessor):
    """Carries out a :class:`Checksum`."""

    spec: Checksum

    def process(self, run: Run, artifact: Artifact) -> Processed:
        """Add the sums to the artifact's files; every other post-processor after this one sees both."""
        if not artifact.files:
            raise PostProcessError(
                f"there is no file to make a checksum of: {artifact.id} is not made of files",
                resolution="take the Checksum out of this chain",
            )
        lines: dict[Path, dict[str, str]] = {}
        total, before = float(sum(path.stat().st_size for path in artifact.files)), 0
        for path in artifact.files:
            tell = partial(_tell, run, before, total)
            made = checksum.digests(path, self.spec.types, run.cancellation, progress=tell)
            before += path.stat().st_size
            for algorithm, digest in made.items():
                target = self._target(run, artifact, path.name, algorithm)
                lines.setdefault(target, {})[_name(path.name)] = _line(digest, path.name)
        for target, made_lines in lines.items():
            self._write(run, target, made_lines)
        written = () if self.spec.shared else tuple(path for path in lines if path not in artifact.files)
        return Processed(artifact=attrs.evolve(artifact, files=(*artifact.files, *written)), needs_input=True)

    def _target(self, run: Run, artifact: Artifact, name: str, algorithm: str) -> Path:
        """The file that the digest of ``name`` goes to."""
        places = {
            "type": algorithm,
            "file": name,
            "image": run.name.partition(".")[0],
            "build": run.name,
            "builder": artifact.builder_id.removeprefix("packerpy."),
        }
        pattern = self.spec.output if self.spec.output is not None else "{file}.{type}"
        return (Path.cwd() if self.spec.shared else run.staging) / pattern.format_map(places)

    def _write(self, run: Run, target: Path, lines: Mapping[str, str]) -> None:
        """Under a lock, for other chains of this build, and other builds, may write to the same file."""
        if self.spec.shared:
            publish.make_folder_of(target)
        with publish.locked(target.with_name(f".{target.name}.lock"), run.wait):
            before = [] if self.spec.mode == "replace" else _lines_of(target)
            if self.spec.mode == "update":
                before = [line for line in before if _name_in(line) not in lines]
            publish.write_text(target, "".join((*before, *lines.values())))


def _tell(run: Run, before: int, total: float, done: int) -> None:
    run.progress(before + done, total)


def _lines_of(path: Path) -> list[str]:
    """What is there; the last line is ended if it was not."""
    try:
        return [f"{line}\n" for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{path} is there but is not a list of checksums to add to",
            details=str(error),
            resolution="move it away, name another output, or use mode='replace'",
        ) from error


def _name_in(line: str) -> str:
    """The escaped name in a line, after the digest and a space with its mark of text or binary."""
    return line.partition(" ")[2][1:].rstrip("\n")


def _name(name: str) -> str:
    """As it stands in a line: line ends and backslashes are escaped."""
    return name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _line(digest: str, name: str) -> str:
    """A line as ``sha256sum`` writes it: one with an escaped name is marked."""
    escaped = _name(name)
    mark = "\\" if escaped != name else ""
    return f"{mark}{digest}  {escaped}\n"
