"""Reads, compresses, writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import attrs

from packerpy.contracts import PostProcessor, Run
from packerpy.errors import PostProcessError
from packerpy.kit import publish
from packerpy.postprocessors.compress.codecs import CODECS
from packerpy.postprocessors.compress.specs import Compress
from packerpy.postprocessors.compress.stream import Piece, file_pieces, tar_pieces
from packerpy.postprocessors.compress.zipped import write_zip
from packerpy.values import Artifact, Processed

_PROGRESS_EVERY = 0.2
"""Seconds between two reports."""
_LONGEST_RUN = 2**26


@attrs.frozen
class Worker(PostProcessor):
    """Carries out a :class:`Compress`."""

    spec: Compress

    def process(self, run: Run, artifact: Artifact) -> Processed:
        """Make one compressed file of all files."""
        files = sorted(artifact.files, key=lambda path: path.name)
        if not files:
            raise PostProcessError(
                f"there is nothing to compress: {artifact.id} is not made of files",
                resolution="take the Compress out of this chain",
            )
        target = run.staging / self._name(run, files)
        if target.exists():
            raise PostProcessError(
                f"there is already a {target.name} among the results of this build",
                resolution="give Compress another name=",
            )
        with publish.writing(target) as path:
            self._write(run, files, path)
        return Processed(artifact=self._result(artifact, files, target))

    def _tarred(self, files: list[Path]) -> bool:
        return self.spec.format.startswith("tar") or (len(files) > 1 and self.spec.format != "zip")

    def _name(self, run: Run, files: list[Path]) -> str:
        if self.spec.name is not None:
            return self.spec.name
        image = run.name.partition(".")[0]
        if self._tarred(files):
            return f"{image}.tar.{self.spec.codec}".rstrip(".")
        return f"{files[0].name if len(files) == 1 else image}.{self.spec.codec}"

    def _write(self, run: Run, files: list[Path], path: Path) -> None:
        level = self.spec.level if self.spec.level is not None else self.spec.levels().usual
        watch = _watcher(run, sum(file.stat().st_size for file in files))
        with path.open("wb") as stream:
            if self.spec.format == "zip":
                write_zip(stream, files, level, watch)
                return
            pieces = tar_pieces(files) if self._tarred(files) else file_pieces(files[0])
            with closing(CODECS[self.spec.codec](watch(pieces), level)) as parts:
                for part in parts:
                    stream.write(part)

    def _result(self, artifact: Artifact, files: list[Path], target: Path) -> Artifact:
        gone = {str(file) for file in files}
        outputs = {name: value for name, value in artifact.outputs.items() if value not in gone}
        return attrs.evolve(
            artifact,
            kind="files",
            id=target.name,
            files=(target,),
            outputs={**outputs, "file": str(target)},
            facts={**artifact.facts, "compression": self.spec.format},
        )


def _watcher(run: Run, total: int) -> Callable[[Iterable[Piece]], Iterator[Piece]]:
    """Hands on pieces, tells how far it is, stops on a cancel."""
    done, told = 0, 0.0

    def watch(pieces: Iterable[Piece]) -> Iterator[Piece]:
        nonlocal done, told
        for piece in _short(pieces):
            run.cancellation.check()
            yield piece
            done += piece if isinstance(piece, int) else len(piece)
            if (now := time.monotonic()) - told >= _PROGRESS_EVERY:
                told = now
                run.progress(min(done, total), total)
        run.progress(total, total)

    return watch


def _short(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Long runs of zeros in parts, so that a cancel is seen between them."""
    for piece in pieces:
        rest = piece
        while isinstance(rest, int) and rest > _LONGEST_RUN:
            yield _LONGEST_RUN
            rest -= _LONGEST_RUN
        yield rest
