"""Compress, judged by the formats' own programs and by Python's readers."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import lz4.frame
import pytest
import zstandard

from packerpy.errors import CancelledError, OutputError, PluginError, PostProcessError
from packerpy.postprocessors.compress import Compress, codecs, parallel
from packerpy.postprocessors.compress.stream import blocks, file_pieces, zeros
from packerpy.testing import TestRun
from packerpy.values import Artifact
from tests.postprocessors.conftest import make_disk

PROGRAMS = {"gz": "gzip", "zst": "zstd", "xz": "xz", "bz2": "bzip2", "lz4": "lz4", "bgzf": "bgzip"}


def unpack_python(codec: str, path: Path) -> bytes:
    """What Python's own readers make of a file."""
    if codec == "zst":
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(path.read_bytes())).read()
    if codec == "lz4":
        return bytes(lz4.frame.decompress(path.read_bytes()))
    return {"gz": gzip, "bgzf": gzip, "xz": lzma, "bz2": bz2}[codec].open(path).read()


@pytest.mark.parametrize("codec", PROGRAMS)
@pytest.mark.parametrize("size", [0, 1, 12_000_000])
def test_one_file(codec: str, size: int, run: TestRun, leftovers: Callable[[], list[str]]) -> None:
    """The format's own program and Python's reader give back the content; the name says what was compressed."""
    disk = make_disk(run, size)
    disk.files[0].write_bytes(disk.files[0].read_bytes()[:size] or b"x" * size)
    content = disk.files[0].read_bytes()
    made = Compress(codec, level=1).load().process(run, disk)
    (path,) = made.artifact.files
    assert path.name == f"web.raw.{codec}"
    assert not made.needs_input
    assert "disk" not in made.artifact.outputs
    assert unpack_python(codec, path) == content
    seen = subprocess.run([PROGRAMS[codec], "-dc", path], capture_output=True, check=True).stdout
    assert seen == content
    assert leftovers() == []


def test_gzip_is_one_member(run: TestRun, disk: Artifact) -> None:
    """Readers that know one member only get everything."""
    (path,) = Compress("gz").load().process(run, disk).artifact.files
    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(path.read_bytes()) == disk.files[0].read_bytes()
    assert reader.eof
    assert reader.unused_data == b""


@pytest.mark.parametrize("codec", PROGRAMS)
def test_several_files_become_a_tar(codec: str, run: TestRun, disk: Artifact) -> None:
    """Real tar unpacks the files as they were; order, times and owners of the input leave no trace."""
    other = run.staging / "notes.txt"
    other.write_text("hello")
    both = attrs.evolve(disk, files=(*disk.files, other))
    first = Compress(codec, level=1).load().process(run, both).artifact.files[0]
    assert first.name == f"web.tar.{codec}"
    out = run.staging / "out"
    out.mkdir()
    subprocess.run(["tar", f"--use-compress-program={PROGRAMS[codec]}", "-xf", first, "-C", out], check=True)
    assert (out / "notes.txt").read_text() == "hello"
    assert (out / "web.raw").read_bytes() == disk.files[0].read_bytes()
    os.utime(other, (1, 1))
    swapped = attrs.evolve(disk, files=(other, *disk.files))
    second = Compress(codec, level=1, name="again").load().process(run, swapped).artifact.files[0]
    assert second.read_bytes() == first.read_bytes()


def test_tar_of_one_file(run: TestRun, disk: Artifact) -> None:
    """``tar.gz`` makes an archive of a single file too."""
    made = Compress("tar.gz").load().process(run, disk).artifact.files[0]
    with tarfile.open(made) as archive:
        assert archive.getnames() == ["web.raw"]


def test_tar_alone(run: TestRun, disk: Artifact) -> None:
    """An archive without compression; the format may come from the name alone, as in Packer."""
    made = Compress(name="all.tar").load().process(run, disk).artifact.files[0]
    assert made.name == "all.tar"
    with tarfile.open(made, "r:") as archive:
        assert archive.extractfile("web.raw").read() == disk.files[0].read_bytes()  # type: ignore[union-attr]
    assert Compress("tar").load().process(run, disk).artifact.files[0].name == "web.tar"


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.tar.gz", "tar.gz"), ("a.tgz", "tar.gz"), ("a.gz", "gz"), ("a.zip", "zip"), ("a.tar.bgzf", "tar.bgzf"), (None, "zst"), ("a.box", "zst")],
)  # fmt: skip
def test_format_by_name(name: str | None, form: str) -> None:
    """The end of the name says the format unless it is given."""
    assert Compress(name=name).format == form
    assert Compress("xz", name=name).format == "xz"


def test_bgzf_blocks(run: TestRun) -> None:
    """Every block tells its length and is below 64 KiB, also for content that does not compress; the end is marked."""
    path = run.staging / "noise"
    path.write_bytes(os.urandom(5_000_000))
    made = Compress("bgzf").load().process(run, Artifact(kind="files", id="noise", files=(path,))).artifact.files[0]
    data, at, blocks_seen = made.read_bytes(), 0, 0
    while at < len(data):
        assert data[at : at + 4] == b"\x1f\x8b\x08\x04"
        assert data[at + 12 : at + 14] == b"BC"
        at += int.from_bytes(data[at + 16 : at + 18], "little") + 1
        blocks_seen += 1
    assert at == len(data)
    assert blocks_seen == -(-5_000_000 // 0xFF00) + 1
    assert data.endswith(bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000"))


def test_lz4_is_optional(run: TestRun, disk: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its library the error says what to install, and nothing is left."""
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    with pytest.raises(PluginError, match=r"needs the library lz4") as raised:
        Compress("lz4").load().process(run, disk)
    assert "packerpy[lz4]" in (raised.value.resolution or "")
    assert [path.name for path in run.staging.iterdir()] == ["web.raw"]


def test_zip(run: TestRun, disk: Artifact) -> None:
    """Python's zipfile finds a sound archive with the right content, modes and names, also ones that are not ASCII."""
    other = run.staging / "grüße.txt"
    other.write_text("hello")
    both = attrs.evolve(disk, files=(*disk.files, other))
    made = Compress("zip").load().process(run, both).artifact.files[0]
    assert made.name == "web.zip"
    with zipfile.ZipFile(made) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["grüße.txt", "web.raw"]
        assert archive.read("web.raw") == disk.files[0].read_bytes()
        info = archive.getinfo("web.raw")
        assert info.compress_size < info.file_size
        assert info.external_attr >> 16 == 0o100644
    subprocess.run(["python3", "-m", "zipfile", "-t", made], check=True, capture_output=True)


@pytest.mark.parametrize("name", ["gz", "zst", "xz", "bz2", "lz4", "bgzf", "zip", "tar", "tar.gz"])
def test_same_bytes_on_any_machine(name: str, run: TestRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """One processor or five, sparse input or not: the output is the same, byte for byte."""
    disk = make_disk(run, 10_000_000)
    results = []
    for processors, sparse in ((1, False), (5, True)):
        monkeypatch.setattr(parallel, "processors", lambda n=processors: n)
        monkeypatch.setattr(codecs, "processors", lambda n=processors: n)
        if sparse:
            subprocess.run(["fallocate", "--dig-holes", disk.files[0]], check=True)
        made = Compress(name, level=1, name=f"{processors}").load().process(run, disk).artifact.files[0]
        results.append(made.read_bytes())
    assert results[0] == results[1]


@pytest.mark.parametrize("name", ["gz", "zst", "xz", "bz2", "zip"])
def test_holes_cost_little(name: str, run: TestRun) -> None:
    """Four gibibytes of hole are compressed in seconds, and their length is right."""
    path = run.staging / "web.raw"
    with path.open("wb") as stream:
        stream.write(b"begin")
        stream.truncate(4 * 2**30)
    disk = Artifact(kind="disk", id="web.raw", files=(path,))
    begin = time.monotonic()
    (made,) = Compress(name).load().process(run, disk).artifact.files
    assert time.monotonic() - begin < 90  # reading and compressing that much takes longer by far
    if name == "gz":
        assert made.read_bytes()[-4:] == bytes(4)  # 2**32 modulo 2**32
    if name == "xz":
        listed = subprocess.run(["xz", "--robot", "-l", made], capture_output=True, text=True, check=True).stdout
        assert f"\t{4 * 2**30}\t" in listed
    if name == "zip":
        with zipfile.ZipFile(made) as archive:
            assert archive.getinfo("web.raw").file_size == 4 * 2**30


def test_blocks_do_not_depend_on_holes(tmp_path: Path) -> None:
    """Blocks are cut at the same places whatever pieces the content comes in; blocks of zeros are shared."""
    content = b"ab" + bytes(30) + b"c" + bytes(3)
    assert b"".join(blocks([content], 8)) == content
    pieces = [[content], [b"ab", 30, b"c", 3], [b"a", b"b", 10, 20, b"c", bytes(1), 2], [content[:9], content[9:]]]
    cut = [list(blocks(p, 8)) for p in pieces]
    assert all(one == cut[0] for one in cut)
    assert all(one[1] is zeros(8) for one in cut)


def test_pieces_of_a_sparse_file(tmp_path: Path) -> None:
    """Holes of a real file come as numbers, data as bytes, and together they are the file."""
    path = tmp_path / "sparse"
    with path.open("wb") as stream:
        stream.seek(2**20)
        stream.write(b"middle")
        stream.truncate(2**22)
    pieces = list(file_pieces(path))
    assert pieces[0] == 2**20
    assert b"".join(bytes(p) if isinstance(p, int) else p for p in pieces) == path.read_bytes()


def test_uses_all_processors(run: TestRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many blocks as there are processors are in work at the same time (each waits for the others)."""
    monkeypatch.setattr(parallel, "processors", lambda: 3)
    meeting = threading.Barrier(3, timeout=20)

    def encode(slices: Iterator[bytes]) -> bytes:
        meeting.wait()
        return b"".join(slices)

    data = [bytes([n]) * 1000 for n in range(1, 7)]
    assert b"".join(parallel.encode_blocks(data, encode)) == b"".join(data)


@pytest.mark.parametrize("name", ["gz", "zst", "xz", "bz2", "zip"])
def test_cancel(name: str, run: TestRun, leftovers: Callable[[], list[str]]) -> None:
    """A cancel in the middle ends it soon, with no thread and no file left."""
    disk = make_disk(run, 100_000_000)
    before = threading.active_count()
    at: list[float] = []

    def stop(_done: float, _total: float | None, _unit: str = "bytes") -> None:
        if not at:
            at.append(time.monotonic())
            run.cancellation.request()

    run.progress = stop  # type: ignore[method-assign]
    with pytest.raises(CancelledError):
        Compress(name, level=9).load().process(run, disk)
    assert time.monotonic() - at[0] < 10  # seconds, on a busy machine; the whole takes far longer
    assert leftovers() == []
    assert threading.active_count() == before


def test_full_disk(run: TestRun, disk: Artifact, tmp_path: Path) -> None:
    """A full file system (a real one) is told as such and holds nothing afterwards."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "none", folder], check=True)
    try:
        run._staging = folder
        for name in ("gz", "zst", "xz", "bz2", "lz4", "bgzf", "zip", "tar"):
            with pytest.raises(OutputError, match="is full"):
                Compress(name, level=1).load().process(run, disk)
            assert list(folder.iterdir()) == []
    finally:
        subprocess.run(["umount", folder], check=True)


def test_refuses(run: TestRun, disk: Artifact) -> None:
    """Nothing to compress, a file that vanished, a name that is taken: each is told."""
    with pytest.raises(PostProcessError, match="nothing to compress"):
        Compress().load().process(run, Artifact(kind="ami", id="ami-1"))
    with pytest.raises(PostProcessError, match="already"):
        Compress("gz", name="web.raw").load().process(run, disk)


@pytest.mark.parametrize(
    ("spec", "where", "hint"),
    [
        (Compress("zstd"), "format", "did you mean `zst`"),
        (Compress("tar.gzip"), "format", "did you mean `tar.gz"),
        (Compress("gz", level=10), "level", "1 to 9"),
        (Compress("zst", level=0), "level", "1 to 19"),
        (Compress("gz", name="../x"), "name", "without folders"),
        (Compress("tar", level=3), "level", "tar.gz"),
        (Compress("lz4", level=13), "level", "1 to 12"),
        (Compress("gz", level=-2), "level", "1 to 9"),
        (Compress("rar"), "format", "use one of"),
    ],
    ids=str,
)
def test_check(spec: Compress, where: str, hint: str) -> None:
    """Each bad declaration is one problem at the right place, with what to write instead."""
    (problem,) = spec.check()
    assert problem.where == where
    assert hint in (problem.fix or "")
