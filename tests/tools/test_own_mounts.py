"""The two commands in a plain chroot, whose root folder is no mount point."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]

CHROOT = """\
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/root"
for entry in /*; do
    [ -d "$entry" ] && [ ! -h "$entry" ] || { cp -P "$entry" "$1/root/"; continue; }
    mkdir "$1/root$entry" && mount --rbind "$entry" "$1/root$entry"
done
shift
exec chroot "$@"
"""


def untold() -> dict[str, str]:
    """Our environment, without the mark of a command that did it already: this one may run under it."""
    return {name: value for name, value in os.environ.items() if name != "OWN_MOUNTS"}


def in_plain_chroot(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a copy of this system's folders; all mounts are gone with it."""
    chroot = ["unshare", "--mount", "sh", "-c", CHROOT, "sh", str(folder), str(folder / "root")]
    return subprocess.run(
        [*chroot, "sh", "-c", script], capture_output=True, text=True, check=False, timeout=60, env=untold()
    )


def test_mounts_of_its_own_are_had_in_a_plain_chroot(tmp_path: Path) -> None:
    """What is refused there is allowed after `tools/setup.sh` was read, in the same folder, with the same arguments."""
    chroot = tmp_path / "chroot"
    chroot.mkdir()
    assert "Invalid argument" in in_plain_chroot(chroot, "unshare --mount true").stderr
    checkout = tmp_path / "checkout"
    (checkout / "tools").mkdir(parents=True)
    for name in ("setup.sh", "own_mounts.py"):
        (checkout / "tools" / name).write_bytes((ROOT / "tools" / name).read_bytes())
    command = checkout / "command"
    command.write_text(
        'cd "$(dirname "$0")"\n. tools/setup.sh\necho "$PWD $*"; unshare --mount echo works; ls /proc/self\n'
    )
    seen = in_plain_chroot(chroot, f"sh {command} 'a b' c")
    assert seen.stderr == ""
    assert seen.stdout.splitlines()[:2] == [f"{checkout} a b c", "works"]


def test_elsewhere_nothing_is_done(tmp_path: Path) -> None:
    """A root folder that is a mount point stays what it is."""
    script = f'cd {ROOT}; . tools/setup.sh; echo "mounts: ${{OWN_MOUNTS:-as they were}}"'
    seen = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=60, env=untold())
    assert seen.stdout == "mounts: as they were\n"
