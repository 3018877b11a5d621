"""``python -m benchmarks``: run the cases and print the table.

Needs root, and Debian's ``packer`` and ``openssh-server`` (installed if missing).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks import cold, compress, layers, upload
from benchmarks.rounds import compare, table

CASES = {
    "cold": cold.case,
    "upload": upload.case,
    "compress": compress.case,
    "edit": layers.edit,
    "edit-fast": layers.edit_fast,
    "unchanged": layers.unchanged,
    "booted": layers.booted,
    "eight": layers.eight,
}


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), help=f"any of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    _install("packer", "openssh-server")
    folder = Path(tempfile.mkdtemp(prefix="packerpy-bench-"))
    try:
        print(table([compare(CASES[name](folder / name), options.rounds) for name in options.cases]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _install(*packages: str) -> None:
    missing = [p for p in packages if subprocess.run(["dpkg", "-s", p], capture_output=True, check=False).returncode]
    if missing:
        subprocess.run(["apt-get", "install", "-y", "-qq", *missing], check=True)


if __name__ == "__main__":
    main()
