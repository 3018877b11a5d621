"""Makes the statement and signs it."""

from __future__ import annotations

from pathlib import Path

import attrs

from packerpy.contracts import PostProcessor, Run
from packerpy.declare.values import Secret
from packerpy.errors import PluginError, PostProcessError
from packerpy.kit import checksum, publish
from packerpy.postprocessors.provenance.specs import Provenance
from packerpy.postprocessors.provenance.statement import predicate
from packerpy.values import Artifact, Processed


@attrs.frozen
class Worker(PostProcessor):
    """Carries out a :class:`Provenance`."""

    spec: Provenance

    def process(self, run: Run, artifact: Artifact) -> Processed:
        """Add the statement to the artifact's files."""
        try:
            from packerpy.postprocessors.provenance import signing
        except ImportError as error:
            raise missing(error) from error
        if not artifact.files:
            raise PostProcessError(
                f"there is no file to make a statement about: {artifact.id} is not made of files",
                resolution="take the Provenance out of this chain",
            )
        # the key first: a wrong passphrase is told before large files are read
        signer = signing.signer(self._key(run), self._passphrase(run))
        subjects = {_name(run, path): checksum.digest(path, "sha256", run.cancellation) for path in artifact.files}
        target = run.staging / (self.spec.name or f"{run.name.partition('.')[0]}.intoto.jsonl")
        publish.write_text(target, signing.signed(subjects, predicate(run, self.spec.builder_id), signer))
        return Processed(artifact=attrs.evolve(artifact, files=(*artifact.files, target)), needs_input=True)

    def _key(self, run: Run) -> bytes:
        if isinstance(self.spec.key, Secret):
            return run.reveal(self.spec.key).encode()
        try:
            return self.spec.key.read_bytes()
        except OSError as error:
            raise PostProcessError(f"cannot read the key {self.spec.key}", details=error.strerror) from error

    def _passphrase(self, run: Run) -> str | None:
        return run.reveal(self.spec.passphrase) if self.spec.passphrase is not None else None


def _name(run: Run, path: Path) -> str:
    """Relative to the results, where the statement will lie, too."""
    return str(path.relative_to(run.staging)) if path.is_relative_to(run.staging) else path.name


def missing(error: ImportError) -> PluginError:
    """The error for a library that is not there."""
    return PluginError(
        "signing and verifying needs libraries that are not installed",
        details=str(error),
        resolution="pip install 'packerpy[provenance]'",
    )
