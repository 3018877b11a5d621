"""Runs the scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping

import attrs

from packerpy.contracts import PostProcessor, Run
from packerpy.errors import PostProcessError
from packerpy.kit.host_script import run_on_host
from packerpy.postprocessors.shell_local.specs import ShellLocal
from packerpy.values import Artifact, Processed


@attrs.frozen
class Worker(PostProcessor):
    """Carries out a :class:`ShellLocal`."""

    spec: ShellLocal

    def process(self, run: Run, artifact: Artifact) -> Processed:
        """Run everything in order; the artifact stays what it is."""
        run_on_host(run, self.spec, _told(run, artifact), PostProcessError)
        return Processed(artifact=artifact, needs_input=True)


def _told(run: Run, artifact: Artifact) -> Mapping[str, str]:
    """What was built, with the names that scripts written for Packer look for."""
    return {
        "PACKERPY_ARTIFACT": json.dumps(_described(artifact)),
        "PACKERPY_OUTPUT": str(run.staging),
        "PACKERPY_BUILD_NAME": run.name,
        "PACKERPY_RUN": run.id,
        "PACKER_BUILD_NAME": run.name,
        "PACKER_BUILDER_TYPE": artifact.builder_id.removeprefix("packerpy."),
    }


def _described(artifact: Artifact) -> dict[str, object]:
    return {
        "id": artifact.id,
        "kind": artifact.kind,
        "builder_id": artifact.builder_id,
        "files": [str(path) for path in artifact.files],
        "outputs": dict(artifact.outputs),
        "facts": dict(artifact.facts),
    }
