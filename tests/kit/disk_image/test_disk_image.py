"""Tables and file systems, read back by the programs that everybody uses."""

import json
import struct
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from packerpy.errors import DeclarationError, SourceError
from packerpy.kit.disk_image import BIOS_BOOT, ESP, Ext4, Partition, make_ext4, make_fat, place_grub, write_gpt
from packerpy.kit.disk_image.ext4_times import crc32c

ONE, TWO, DISK = (UUID(int=number << 100 | 7) for number in (1, 2, 3))
SIZE = 64 << 20


def part(start: int, sectors: int, name: str = "a", kind: UUID = BIOS_BOOT, identity: UUID = ONE) -> Partition:
    """A partition."""
    return Partition(start=start, sectors=sectors, type=kind, id=identity, name=name)


def output_of(*argv: object) -> str:
    """What a program printed."""
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=True).stdout


def test_sfdisk_reads_the_table(tmp_path: Path) -> None:
    """Both copies of the table are good, and say what was asked for."""
    disk = tmp_path / "disk"
    write_gpt(disk, SIZE, DISK, [part(2048, 2048, "bios"), part(4096, 8192, "esp", ESP, TWO)])
    assert disk.stat().st_size == SIZE
    table = json.loads(output_of("sfdisk", "--json", disk))["partitiontable"]
    assert table["label"] == "gpt"
    assert UUID(table["id"]) == DISK
    seen = [(p["start"], p["size"], UUID(p["type"]), UUID(p["uuid"]), p["name"]) for p in table["partitions"]]
    assert seen == [(2048, 2048, BIOS_BOOT, ONE, "bios"), (4096, 8192, ESP, TWO, "esp")]
    assert "No errors detected" in output_of("sfdisk", "--verify", disk)
    with disk.open("r+b") as file:  # without the first copy the second must do
        file.seek(512)
        file.write(bytes(512))
    assert json.loads(output_of("sfdisk", "--json", disk))["partitiontable"]["partitions"] == table["partitions"]


@pytest.mark.parametrize(
    "partitions",
    [
        [part(33, 10)],
        [part(2048, SIZE // 512)],
        [part(2048, 0)],
        [part(2048, 100), part(2100, 100)],
        [part(2048, 8, "x" * 37)],
    ],
    ids=["in the table", "past the end", "empty", "overlap", "long name"],
)
def test_bad_tables_are_refused(tmp_path: Path, partitions: list[Partition]) -> None:
    """Nothing is written that would not be a good table."""
    with pytest.raises(DeclarationError):
        write_gpt(tmp_path / "disk", SIZE, DISK, partitions)
    assert not (tmp_path / "disk").exists()


def test_grub_is_told_where_its_parts_are(tmp_path: Path) -> None:
    """Boot sector and first sector of the core name the sectors that follow; the partition table stays."""
    disk, place = tmp_path / "disk", part(2048, 2048)
    write_gpt(disk, SIZE, DISK, [place])
    before = disk.read_bytes()
    place_grub(disk, place, b"B" * 512, b"C" * 1300)
    after = disk.read_bytes()
    assert after[440:1048576] == before[440:1048576]
    assert struct.unpack_from("<Q", after, 0x5C) == (2048,)
    assert struct.unpack_from("<QHH", after, place.offset + 0x1F4) == (2049, 2, 0x820)
    with pytest.raises(SourceError, match="does not fit"):
        place_grub(disk, part(2048, 2), b"B" * 512, b"C" * 1300)


def test_fat(tmp_path: Path) -> None:
    """Mtools finds the files; equal inputs give equal bytes."""
    (tmp_path / "loader").write_bytes(b"x" * 5000)
    for name in ("one", "two"):
        make_fat(tmp_path / name, 8 << 20, {"EFI/BOOT/A.EFI": tmp_path / "loader"}, label="ESP", serial=7, epoch=10**9)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert output_of("mtype", "-i", tmp_path / "one", "::/EFI/BOOT/A.EFI") == "x" * 5000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A few files, one with an odd name."""
    root = tmp_path / "tree"
    (root / "etc").mkdir(parents=True)
    (root / "etc/ü x").write_text("content")
    (root / "etc/link").symlink_to("ü x")
    return root


def test_ext4_at_an_offset(tmp_path: Path, tree: Path) -> None:
    """e2fsck finds nothing wrong, and the files are there."""
    image = tmp_path / "disk"
    image.touch()
    make_ext4(Ext4(offset=1 << 20, size=32 << 20, id=ONE), tree, image)
    place = f"{image}?offset={1 << 20}"
    assert str(ONE) in output_of("dumpe2fs", "-h", place)
    output_of("e2fsck", "-fn", place)
    assert output_of("debugfs", "-R", 'cat "/etc/ü x"', place) == "content"


def test_ext4_is_reproducible(tmp_path: Path, tree: Path) -> None:
    """With a fixed time, two file systems of one tree are equal byte for byte, whatever was read in between."""
    for name in ("one", "two"):
        (tmp_path / name).touch()
        make_ext4(Ext4(offset=0, size=16 << 20, id=ONE, epoch=10**9), tree, tmp_path / name)
        (tree / "etc").chmod(0o700)
        (tree / "etc").chmod(0o755)  # a new ctime
        output_of("e2fsck", "-fn", tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_ext4_too_small(tmp_path: Path, tree: Path) -> None:
    """A tree that does not fit is an error that says what to do."""
    (tree / "big").write_bytes(b"x" * (20 << 20))
    (tmp_path / "disk").touch()
    with pytest.raises(SourceError, match="does not fit") as seen:
        make_ext4(Ext4(offset=0, size=8 << 20, id=ONE), tree, tmp_path / "disk")
    assert seen.value.resolution == "raise size="


def test_crc32c() -> None:
    """The checksum is Castagnoli's: the value of its usual test text, before the last inversion."""
    assert crc32c(b"123456789") ^ 0xFFFFFFFF == 0xE3069283
