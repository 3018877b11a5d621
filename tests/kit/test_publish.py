"""Files that appear only when complete."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from packerpy.errors import OutputError
from packerpy.kit import publish


def test_appears_complete(tmp_path: Path) -> None:
    """The target is not there while it is written, and holds everything afterwards; nothing else stays."""
    target = tmp_path / "a"
    with publish.writing(target) as path:
        path.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """An error inside the block removes what was written and keeps the file that was there."""
    target = tmp_path / "a"
    target.write_text("old")

    def fail() -> None:
        with publish.writing(target) as path:
            path.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_full_disk_is_said_so(tmp_path: Path) -> None:
    """A full file system (a real one, of 1 MiB) is an OutputError that names the folder, and leaves nothing."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "none", folder], check=True)
    try:
        with pytest.raises(OutputError, match="is full") as caught, publish.writing(folder / "a") as path:
            path.write_bytes(bytes(2**21))
        assert str(folder) in caught.value.brief
        assert caught.value.resolution
        assert list(folder.iterdir()) == []
    finally:
        subprocess.run(["umount", folder], check=True)


def test_missing_folder_and_folder_in_the_way(tmp_path: Path) -> None:
    """Both are told before or instead of a bare operating system error."""
    with pytest.raises(OutputError, match="no folder"), publish.writing(tmp_path / "no" / "a"):
        pass
    (tmp_path / "d").mkdir()
    with pytest.raises(OutputError, match="is a folder"), publish.writing(tmp_path / "d") as path:
        path.write_text("x")


def test_lock_excludes_threads(tmp_path: Path) -> None:
    """Eight threads that add one 50 times each under the lock lose no addition, and no lock file stays."""
    counter, lock = tmp_path / "n", tmp_path / "lock"
    counter.write_text("0")
    pause = threading.Event()

    def work() -> None:
        for _ in range(50):
            with publish.locked(lock, lambda _seconds: pause.wait(0.0005) and None):
                counter.write_text(str(int(counter.read_text()) + 1))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == "400"
    assert not lock.exists()


def test_lock_of_a_dead_process_blocks_nobody(tmp_path: Path) -> None:
    """A process killed while it holds the lock leaves a file that the next one takes over at once."""
    lock = tmp_path / "lock"
    code = (
        "import sys, os, signal; from pathlib import Path; from packerpy.kit import publish\n"
        "with publish.locked(Path(sys.argv[1]), lambda s: None): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, lock], check=False)
    assert lock.exists()

    def never(_seconds: float) -> None:
        pytest.fail("had to wait")

    with publish.locked(lock, never):
        pass
