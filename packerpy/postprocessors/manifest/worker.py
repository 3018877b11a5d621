"""Composes the record and appends it."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

import attrs

from packerpy.contracts import PostProcessor, Run
from packerpy.errors import OutputError
from packerpy.kit import publish
from packerpy.postprocessors.manifest.specs import Manifest
from packerpy.values import Artifact, Processed

_SPACE = uuid.UUID("5b2c0a57-4c7e-5a5e-9d57-0f6ad0c38a11")
"""Turns our run's short token into the UUID that readers of Packer's manifest expect; any constant would do."""


@attrs.frozen
class Worker(PostProcessor):
    """Carries out a :class:`Manifest`."""

    spec: Manifest

    def process(self, run: Run, artifact: Artifact) -> Processed:
        """Append the record; the artifact stays what it is, with the manifest added when it lies with the results."""
        path = self.spec.output.absolute() if self.spec.shared else run.staging / self.spec.output
        if self.spec.shared:
            publish.make_folder_of(path)
        record = self._record(run, artifact)
        with publish.locked(path.with_name(f".{path.name}.lock"), run.wait):
            _append(path, record)
        if self.spec.shared or path in artifact.files:
            return Processed(artifact=artifact, needs_input=True)
        return Processed(artifact=attrs.evolve(artifact, files=(*artifact.files, path)), needs_input=True)

    def _record(self, run: Run, artifact: Artifact) -> dict[str, Any]:
        record: dict[str, Any] = {
            "name": run.name,
            "builder_type": artifact.builder_id.removeprefix("packerpy."),
            "build_time": _now(),
            "files": [{"name": self._shown(run, path), "size": path.stat().st_size} for path in artifact.files] or None,
            "artifact_id": artifact.id,
            "packer_run_uuid": str(uuid.uuid5(_SPACE, run.id)),
            "custom_data": dict(self.spec.custom_data) or None,
            "packerpy": {
                "run": run.id,
                "builder_id": artifact.builder_id,
                "kind": artifact.kind,
                "outputs": {name: self._shown_text(run, value) for name, value in artifact.outputs.items()},
                "facts": dict(artifact.facts),
                "data": [
                    {"id": one.id, "title": one.title, "values": dict(one.values)} for one in run.build_facts.data
                ],
            },
        }
        if self.spec.strip_time:
            del record["build_time"]
        return record

    def _shown(self, run: Run, path: Path) -> str:
        """A file that will be published with us is named from the manifest's folder: its path now is a passing one."""
        if self.spec.strip_path:
            return path.name
        return str(path.relative_to(run.staging)) if path.is_relative_to(run.staging) else str(path)

    def _shown_text(self, run: Run, value: str) -> str:
        return self._shown(run, Path(value)) if value.startswith("/") else value


def _now() -> int:
    """Seconds since the epoch, or what the reproducible-builds convention says they are."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(fixed) if fixed.isdecimal() else int(time.time())


def _append(path: Path, record: dict[str, Any]) -> None:
    content = _read(path)
    content["builds"].append(record)
    content["last_run_uuid"] = record["packer_run_uuid"]
    publish.write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"builds": [], "last_run_uuid": ""}
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(content, dict) or not isinstance(content.get("builds"), list):
        raise _unreadable(path, "it has no list `builds`")
    return content


def _unreadable(path: Path, why: str) -> OutputError:
    return OutputError(
        f"{path} is there but is not a manifest to append to",
        details=why,
        resolution="move it away, or name another output",
    )
