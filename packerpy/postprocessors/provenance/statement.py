"""What the statement says."""

from __future__ import annotations

import datetime as dt
import platform
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packerpy.contracts import Run
from packerpy.errors import DeclarationError
from packerpy.kit import checksum
from packerpy.values import BuildFacts
from packerpy.version import __version__

BUILD_TYPE = "urn:packerpy:build:v1"
"""Says how the parameters below are to be read."""


def predicate(run: Run, builder_id: str) -> dict[str, Any]:
    """The SLSA predicate of a run's build, as plain data."""
    facts = run.build_facts
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "image": facts.image,
                "build": run.name,
                "source": facts.source,
                "tasks": [task.title for task in facts.tasks],
            },
            "internalParameters": {
                "keys": {task.id: task.key for task in facts.tasks},
                "data": {one.id: {"title": one.title, "values": dict(one.values)} for one in facts.data},
            },
            "resolvedDependencies": list(_dependencies(facts)),
        },
        "runDetails": {
            "builder": {
                "id": builder_id,
                "version": {"packerpy": __version__, "python": platform.python_version()},
            },
            "metadata": {
                "invocationId": run.id,
                "startedOn": _time(facts.started),
                "finishedOn": _time(time.time()),
            },
        },
    }


def _dependencies(facts: BuildFacts) -> Iterator[Mapping[str, Any]]:
    """Files by their content, downloads by their checksum, images by the key of their delivery."""
    for path, digest in facts.files.items():
        # a folder's digest is of its listing, which no other program computes
        algorithm = "packerpyTree" if Path(path).is_dir() else "sha256"
        yield {"name": path, "digest": {algorithm: digest}}
    for url, wanted in facts.downloads.items():
        try:
            parsed = checksum.parse(wanted)
        except DeclarationError:
            yield {"uri": url}  # there is none, or it stands in another file
        else:
            yield {"uri": url, "digest": {parsed.algorithm: parsed.digest}}
    for image, key in facts.images.items():
        entry: dict[str, Any] = {"name": image, "uri": f"urn:packerpy:image:{image.replace(' ', '%20')}"}
        yield {**entry, "digest": {"packerpyKey": key}} if key else entry


def _time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
