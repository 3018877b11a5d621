"""What all tests share: order, folders of their own, one real base image, and no process left at the end."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import packerpy as pp
from packerpy.cli.load import load
from packerpy.values import Artifact
from tests import guests

MARK = "PACKERPY_TEST_SESSION"
"""An environment variable that processes inherit from the session that started them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What boots guests comes last, so that small mistakes are told soon."""
    items.sort(key=lambda item: item.get_closest_marker("live") is not None)


def pytest_configure() -> None:
    """A job in the background of a shell ignores Ctrl-C, and so would all programs that are tested with it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """At the end of the session no process is left that a test started; what is found is ended, and an error."""
    token = secrets.token_hex(8)
    os.environ[MARK] = token
    yield
    left = dict(_processes_of(token, tmp_path_factory.getbasetemp()))
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    assert not left, f"processes that tests left behind: {left}"


def _processes_of(token: str, folder: Path) -> Iterator[tuple[int, str]]:
    """Those that carry our mark, or work in our folder (sshd and mmdebstrap drop the environment)."""
    ours = {os.getpid(), os.getppid()}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) in ours:
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            environment = (entry / "environ").read_bytes()
        except OSError:  # ended while we looked, or not ours to look at
            continue
        if line and (f"{MARK}={token}".encode() in environment.split(b"\0") or f"{folder}/" in line):
            yield int(entry.name), line[:200]


@pytest.fixture(scope="session")
def download_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packages that were downloaded once in this session."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(autouse=True)
def own_cache(
    tmp_path_factory: pytest.TempPathFactory, download_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Every test has packerpy's cache folder to itself, outside its tmp_path; only downloaded packages are shared."""
    folder = _cache(tmp_path_factory.getbasetemp() / f"cache-{secrets.token_hex(4)}", download_cache)
    monkeypatch.setenv("PACKERPY_CACHE_DIR", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _cache(folder: Path, downloads: Path) -> Path:
    folder.mkdir(mode=0o700)
    (downloads / "apt").mkdir(exist_ok=True)
    (folder / "apt").symlink_to(downloads / "apt")
    return folder


@attrs.frozen
class Quickstart:
    """Where the session builds examples/quickstart.py."""

    file: Path
    output: Path
    cache: Path


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory, download_cache: Path) -> Iterator[Quickstart]:
    """The example, and folders in which what one test built is re-used by the next."""
    folder = tmp_path_factory.mktemp("quickstart")
    file = Path(__file__).parents[1] / "examples" / "quickstart.py"
    yield Quickstart(file, folder / "output", _cache(folder / "cache", download_cache))
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def base_disk(quickstart: Quickstart) -> Path:
    """A bootable Debian disk, not to be written to: the quickstart's base, built once in a session.

    Developers who run live tests often name a finished one in PACKERPY_TEST_BASE_DISK.
    """
    named = os.environ.get("PACKERPY_TEST_BASE_DISK")
    if named:
        return Path(named)
    (base,) = load(f"{quickstart.file}:base").images
    result = pp.build(base, output=quickstart.output, cache=quickstart.cache)
    (artifact,) = result.artifacts[base.name]
    return Path(artifact.outputs["disk"])


@pytest.fixture(scope="session")
def base(base_disk: Path) -> Artifact:
    """The same as what its build makes: it is known how guests of it are reached."""
    return guests.as_artifact(base_disk)


@pytest.fixture(scope="session")
def booted(base_disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[guests.Booted]:
    """A guest of the base, booted and saved once in a session, for tests in which the boot is not what is tested."""
    folder = tmp_path_factory.mktemp("booted")
    yield guests.boot(base_disk, folder)
    shutil.rmtree(folder)
