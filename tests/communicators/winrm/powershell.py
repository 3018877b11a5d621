"""A stand-in for PowerShell: knows packerpy's own scripts by their text, gives any other to /bin/sh.

So the scripts' protocol is tried, with all that surrounds it; that PowerShell does what they say is not.
"""

from __future__ import annotations

import base64
import importlib.util
import os
import re
import sys
import zipfile
from pathlib import Path

_FOUND = importlib.util.spec_from_file_location("scripts", os.environ["PACKERPY_TEST_SCRIPTS"])
assert _FOUND is not None
assert _FOUND.loader is not None
scripts = importlib.util.module_from_spec(_FOUND)  # by itself, as importing all of packerpy takes a second
_FOUND.loader.exec_module(scripts)


def values(template: str, script: str) -> dict[str, str] | None:
    """What stands in the template's places, if the script is made of it."""
    pattern = re.sub(
        "@([A-Z]+)@", lambda match: rf"(?P<{match[1].lower()}>(?:'(?:[^']|'')*'|[\w-]+))", re.escape(template)
    )
    match = re.fullmatch(pattern, script)
    if match is None:
        return None
    return {name: value.strip("'").replace("''", "'") for name, value in match.groupdict().items()}


def fail(code: int, text: str) -> None:
    """End as a script would."""
    sys.stderr.write(text + "\r\n")
    sys.exit(code)


def put(path: Path, token: str, size: str) -> None:
    """See scripts.PUT."""
    if path.is_dir():
        fail(21, f"{path} is a folder")
    part = path.with_name(f"{path.name}.{token}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            for line in sys.stdin.buffer:
                file.write(base64.b64decode(line))
    except OSError as error:
        part.unlink(missing_ok=True) if part.parent.is_dir() else None
        fail(1, str(error))
    if part.stat().st_size != int(size):
        part.unlink()
        fail(22, "too short")
    part.replace(path)


def get(path: Path) -> None:
    """See scripts.GET."""
    if path.is_dir():
        fail(21, f"{path} is a folder")
    if not path.exists():
        fail(20, f"{path}: No such file")
    with path.open("rb") as file:
        while data := file.read(49152):
            sys.stdout.write(base64.b64encode(data).decode() + "\r\n")


def unpack(path: Path, packed: Path) -> None:
    """See scripts.UNZIP."""
    path.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(path)
    packed.unlink()


def pack(path: Path, packed: Path) -> None:
    """See scripts.ZIP."""
    if not path.is_dir():
        fail(20, f"{path} is not a folder")
    with zipfile.ZipFile(packed, "w") as archive:
        for found in sorted(path.rglob("*")):
            archive.write(found, found.relative_to(path))


def main() -> None:
    """Run one script."""
    script = base64.b64decode(sys.argv[-1]).decode("utf-16-le").removeprefix(scripts.QUIET)
    if script == scripts.BOOT:
        sys.stdout.write(Path(os.environ["PACKERPY_TEST_BOOT"]).read_text().strip() + "\r\n")
    elif found := values(scripts.PUT, script):
        put(Path(found["path"]), found["token"], found["size"])
    elif found := values(scripts.GET, script):
        get(Path(found["path"]))
    elif found := values(scripts.UNZIP, script):
        unpack(Path(found["path"]), Path(found["zip"]))
    elif found := values(scripts.ZIP, script):
        pack(Path(found["path"]), Path(found["zip"]))
    elif found := values(scripts.REMOVE, script):
        Path(found["path"]).unlink(missing_ok=True)
    else:
        os.execv("/bin/sh", ["sh", "-c", script])


if __name__ == "__main__":
    main()
