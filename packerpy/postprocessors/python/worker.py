"""Calls the function and makes an artifact of its answer."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path

import attrs

from packerpy.contracts import PostProcessor, Run
from packerpy.errors import CancelledError, PackerpyError, PostProcessError
from packerpy.kit import publish
from packerpy.postprocessors.python.specs import PostFunction
from packerpy.values import Artifact, Processed

_OURS = str(Path(__file__).resolve().parents[2])


@attrs.frozen
class Worker(PostProcessor):
    """Carries out a :class:`PostFunction`."""

    spec: PostFunction

    def process(self, run: Run, artifact: Artifact) -> Processed:
        """See :class:`packerpy.contracts.PostProcessor`."""
        arguments = (artifact,) if self.spec.arguments() == 1 else (artifact, run)
        try:
            with publish.full_disk_named(run.staging):
                answer = self.spec.call(*arguments)
        except (CancelledError, PackerpyError):
            raise
        except Exception as error:
            run.cancellation.check()
            raise self._failed(error) from error
        return self._processed(artifact, answer)

    def _processed(self, artifact: Artifact, answer: object) -> Processed:
        if answer is None:
            return Processed(artifact=artifact, needs_input=True)
        if isinstance(answer, Processed):
            made = answer
        elif isinstance(answer, Artifact):
            made = Processed(artifact=answer)
        else:
            made = Processed(artifact=_of_files(artifact, self._paths(answer)))
        missing = [str(path) for path in made.artifact.files if not path.is_file()]
        if missing:
            raise PostProcessError(f"{self.spec.title} answered files that are not there", details="\n".join(missing))
        return made

    def _paths(self, answer: object) -> tuple[Path, ...]:
        items = (answer,) if isinstance(answer, (str, Path)) else answer
        if isinstance(items, Iterable):
            listed = tuple(items)
            if listed and all(isinstance(item, (str, Path)) for item in listed):
                return tuple(Path(item).absolute() for item in listed)
        raise PostProcessError(
            f"{self.spec.title} answered something that is not an artifact",
            details=f"seen: {answer!r}"[:200],
            resolution="return an Artifact, a path, several paths, or nothing",
        )

    def _failed(self, error: Exception) -> PostProcessError:
        said = str(error).strip()
        brief = f"{self.spec.title} raised {type(error).__name__}"
        frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(_OURS)]
        lines = traceback.format_list(frames) + traceback.format_exception_only(error)
        return PostProcessError(
            f"{brief}: {said.splitlines()[0]}" if said else brief,
            details="Traceback (most recent call last):\n" + "".join(lines).rstrip(),
        )


def _of_files(artifact: Artifact, files: tuple[Path, ...]) -> Artifact:
    """Like the one before, but of these files; names of outputs whose file is gone go, too."""
    gone = {str(path) for path in artifact.files} - {str(path) for path in files}
    outputs = {name: value for name, value in artifact.outputs.items() if value not in gone}
    return attrs.evolve(
        artifact, kind="files", id=files[0].name, files=files, outputs={**outputs, "file": str(files[0])}
    )
