"""Digests of files."""

import hashlib
from pathlib import Path

import pytest

from packerpy.errors import BuildError, CancelledError, DeclarationError
from packerpy.kit import checksum
from packerpy.testing import make_run


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """Three and a bit mebibytes."""
    path = tmp_path / "content"
    path.write_bytes(bytes(range(256)) * 12_345)
    return path


@pytest.mark.parametrize("algorithm", checksum.ALGORITHMS)
def test_digest_is_hashlibs(content: Path, algorithm: str) -> None:
    """Every algorithm gives what hashlib gives of the whole, and verify takes it with and without its name."""
    wanted = hashlib.new(algorithm, content.read_bytes()).hexdigest()
    assert checksum.digest(content, algorithm) == wanted
    checksum.verify(content, wanted)
    checksum.verify(content, f"{algorithm}:{wanted.upper()}")


def test_several_at_once_are_the_same(content: Path) -> None:
    """One pass for all algorithms gives what single passes give."""
    seen: list[int] = []
    made = checksum.digests(content, checksum.ALGORITHMS, progress=seen.append)
    assert made == {name: checksum.digest(content, name) for name in checksum.ALGORITHMS}
    assert seen[-1] == content.stat().st_size


def test_mismatch_tells_both(content: Path) -> None:
    """The error shows what was wanted and what was seen."""
    wanted = "0" * 64
    with pytest.raises(BuildError) as caught:
        checksum.verify(content, wanted)
    assert wanted in str(caught.value)
    assert checksum.digest(content, "sha256") in str(caught.value)


@pytest.mark.parametrize("text", ["sha256:12", "xyz", "sha265:" + "0" * 64, "z" * 64, "md5:" + "0" * 64, ""])
def test_nonsense_is_refused(text: str) -> None:
    """What is not a checksum is a DeclarationError with a way out."""
    with pytest.raises(DeclarationError) as caught:
        checksum.parse(text)
    assert caught.value.resolution


def test_did_you_mean() -> None:
    """A misspelt algorithm gets the near one offered."""
    with pytest.raises(DeclarationError, match="did you mean `sha256`"):
        checksum.parse("sha265:" + "0" * 64)


def test_cancel_stops_reading(content: Path, tmp_path: Path) -> None:
    """A cancelled run stops a digest; a missing file is told."""
    run = make_run(tmp_path)
    run.cancellation.request()
    with pytest.raises(CancelledError):
        checksum.digest(content, "sha256", run.cancellation)
    with pytest.raises(BuildError, match="cannot read"):
        checksum.digest(tmp_path / "missing", "sha256")


def test_content_crc(tmp_path: Path) -> None:
    """It is the same for holes and for zeros, and another for every change, also of the place."""
    path = tmp_path / "file"

    def of(*pieces: tuple[int, bytes], size: int = 3 * 2**20) -> int:
        path.unlink(missing_ok=True)
        with path.open("wb") as file:
            for offset, piece in pieces:
                file.seek(offset)
                file.write(piece)
            file.truncate(size)
        return checksum.content_crc(path)

    plain = of((2**20 + 5, b"abc"))
    assert plain == of((0, bytes(2**20)), (2**20 + 5, b"abc"), (2**21, bytes(2**20)))
    others = {of((2**21 + 5, b"abc")), of((2**20 + 5, b"abd")), of((5, b"abc")), of(), plain}
    assert len(others) == 5
