"""Processes that open and close one database at the same time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import sys
from pathlib import Path
from packerpy.artifacts.database import Database
print("ready", flush=True)
for number in range(30):
    sys.stdin.readline()
    database = Database(Path(sys.argv[1]) / f"{number}" / "state.db")
    with database.transaction() as c:
        c.execute("INSERT INTO digests VALUES (?, '', '')", (sys.argv[2],))
    database.close()
    print("ready", flush=True)
"""


def test_many_processes_open_a_new_database_at_once(tmp_path: Path) -> None:
    """None of them finds it locked, not even while the first one changes it to the write-ahead log."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, str(tmp_path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(6)
    ]
    for _ in range(30):
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
    for child in children:
        child.communicate(timeout=120)
    assert [child.returncode for child in children] == [0] * 6
