"""Finds the files."""

from __future__ import annotations

from pathlib import Path

import attrs

from packerpy.contracts import PostProcessor, Run
from packerpy.errors import PostProcessError
from packerpy.postprocessors.artifice.specs import Artifice
from packerpy.values import Artifact, Processed


@attrs.frozen
class Worker(PostProcessor):
    """Carries out an :class:`Artifice`."""

    spec: Artifice

    def process(self, run: Run, artifact: Artifact) -> Processed:
        """Nothing is copied: what lies elsewhere stays there and is named by its place."""
        found = {pattern: _fitting(pattern, (run.staging, Path.cwd())) for pattern in self.spec.files}
        missing = [pattern for pattern, files in found.items() if not files]
        if missing:
            raise PostProcessError(
                f"{len(missing)} of {len(found)} names to adopt fit no file",
                details="\n".join(f"- {pattern}" for pattern in missing)
                + f"\nlooked in {run.staging} and {Path.cwd()}",
                resolution="correct the names, or see why what comes before did not make the files",
            )
        files = tuple(dict.fromkeys(path for listed in found.values() for path in listed))
        if self.spec.add:
            every = tuple(dict.fromkeys((*artifact.files, *files)))
            return Processed(artifact=attrs.evolve(artifact, files=every), needs_input=True)
        first = str(files[0])
        return Processed(
            artifact=Artifact(
                kind=self.spec.makes,
                id=files[0].name,
                files=files,
                outputs={"file": first, **({"disk": first} if self.spec.makes == "disk" else {})},
                builder_id="packerpy.artifice",
            )
        )


def _fitting(pattern: str, folders: tuple[Path, ...]) -> list[Path]:
    """Files that a pattern fits, sorted, from the first folder that has any; one that is a file's very name is it."""
    path = Path(pattern)
    rest = str(path.relative_to(path.anchor))
    for folder in (Path(path.anchor),) if path.is_absolute() else folders:
        if (folder / path).is_file():
            return [folder / path]
        files = [
            path for path in sorted(folder.glob(rest)) if path.is_file() and not path.name.startswith(".packerpy-")
        ]
        if files:
            return files
    return []
