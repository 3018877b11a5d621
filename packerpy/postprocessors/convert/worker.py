"""Runs qemu-img."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from packerpy.contracts import PostProcessor, Run
from packerpy.errors import PostProcessError
from packerpy.kit import process, publish
from packerpy.postprocessors.convert.formats import BY_SUFFIX, FORMATS
from packerpy.postprocessors.convert.specs import QEMU_IMG, Convert
from packerpy.values import Artifact, Processed

_PERCENT = re.compile(r"\((\d+(?:\.\d+)?)/100%\)")
_FULL = "No space left on device"


@attrs.frozen
class Worker(PostProcessor):
    """Carries out a :class:`Convert`."""

    spec: Convert

    def process(self, run: Run, artifact: Artifact) -> Processed:
        """Convert the boot disk, and every other disk that the artifact names."""
        tool = process.find_tool(QEMU_IMG.name, package=QEMU_IMG.package, needed_for=QEMU_IMG.needed_for)
        disks = dict(_disks(artifact))
        if not disks:
            raise PostProcessError(
                f"there is no disk to convert: {artifact.id} is of the kind {artifact.kind!r}",
                details=f"its files: {', '.join(path.name for path in artifact.files) or 'none'}",
                resolution="put Convert before what packs the disk into something else",
            )
        made: dict[str, Path] = {}
        for output, source in disks.items():
            target = run.staging / self._name(run, output)
            _must_be_free(target)
            self._convert(run, tool, source, _format(run, tool, source, artifact), target)
            made[output] = target
        return Processed(artifact=self._result(run, tool, artifact, made))

    def _name(self, run: Run, output: str) -> str:
        stem = self.spec.name or run.name.partition(".")[0]  # the image; what follows is the platform
        return f"{stem if output == 'disk' else f'{stem}-{output}'}.{self.spec.format}"

    def _convert(self, run: Run, tool: str, source: Path, driver: str, target: Path) -> None:
        with publish.writing(target) as path:
            try:
                process.call(
                    [tool, *self._arguments(driver), str(source), str(path)],
                    cancellation=run.cancellation,
                    sink=_progress(run),
                    error=PostProcessError,
                    label=f"converting {source.name} to {self.spec.format}",
                )
            except PostProcessError as error:
                if _FULL in (error.details or ""):
                    raise publish.full(target.parent) from error
                raise

    def _arguments(self, driver: str) -> list[str]:
        arguments = ["convert", "-p", "-f", driver, "-O", FORMATS[self.spec.format].driver]
        if self.spec.compress and FORMATS[self.spec.format].compresses:
            arguments.append("-c")
        for key, value in self.spec.create_options().items():
            arguments += ["-o", f"{key}={value.replace(',', ',,')}"]
        return arguments

    def _result(self, run: Run, tool: str, artifact: Artifact, made: Mapping[str, Path]) -> Artifact:
        first = next(iter(made.values()))
        info = _info(run, tool, first, FORMATS[self.spec.format].driver)
        facts = {**artifact.facts, "format": self.spec.format, "virtual_size": str(info["virtual-size"])}
        facts.pop("subformat", None)
        if layout := self.spec.layout():
            facts["subformat"] = layout
        return attrs.evolve(
            artifact,
            id=first.name,
            files=tuple(made.values()),
            outputs={**artifact.outputs, **{name: str(path) for name, path in made.items()}},
            facts=facts,
        )


def _disks(artifact: Artifact) -> Iterator[tuple[str, Path]]:
    """The boot disk first, then the others (``disk1``, ``disk-data``): outputs that are among the artifact's files."""
    names = sorted(name for name in artifact.outputs if name.startswith("disk"))
    for name in names:
        path = Path(artifact.outputs[name])
        if path in artifact.files:
            yield name, path
    if not names and artifact.kind == "disk" and artifact.files:
        yield "disk", artifact.files[0]


def _must_be_free(target: Path) -> None:
    if target.exists():
        raise PostProcessError(
            f"there is already a {target.name} among the results of this build", resolution="give Convert another name="
        )


def _format(run: Run, tool: str, source: Path, artifact: Artifact) -> str:
    """qemu-img's name of the source's format.

    A guest can write anything into a raw disk, also what looks like a header that names files of the host, so the
    content is asked last.
    """
    known = artifact.facts.get("format", "")
    if known in FORMATS:
        return FORMATS[known].driver
    if source.suffix in BY_SUFFIX:
        return BY_SUFFIX[source.suffix]
    return str(_info(run, tool, source, None)["format"])


def _info(run: Run, tool: str, path: Path, driver: str | None) -> Mapping[str, Any]:
    chosen = ["-f", driver] if driver else []
    made = process.call(
        [tool, "info", "--output=json", *chosen, str(path)], cancellation=run.cancellation, error=PostProcessError
    )
    answer: Mapping[str, Any] = json.loads(made.stdout)
    return answer


def _progress(run: Run) -> Callable[[str, str], None]:
    def sink(stream: str, text: str) -> None:
        found = _PERCENT.findall(text) if stream == "stdout" else []
        if found:
            run.progress(float(found[-1]), 100.0, "%")

    return sink
