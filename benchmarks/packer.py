"""Calls the real packer."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any


def packer_build(folder: Path, template: dict[str, Any]) -> None:
    """Build a JSON template in ``folder``; raises when it fails."""
    path = folder / "template.json"
    path.write_text(json.dumps(template))
    log = folder / "packer.log"
    environment = {**os.environ, "CHECKPOINT_DISABLE": "1", "PACKER_CACHE_DIR": str(folder / "cache")}
    with log.open("wb") as output:
        done = subprocess.run(
            ["packer", "build", "-force", "-color=false", path],
            cwd=folder,
            stdout=output,
            stderr=output,
            env=environment,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"packer failed:\n{log.read_text()[-3000:]}")
