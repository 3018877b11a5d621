"""Files for media, and the media themselves, read back by other programs."""

import subprocess
from pathlib import Path

import pytest

from packerpy.declare import Secret, Variable
from packerpy.errors import DeclarationError
from packerpy.kit.floppy import CAPACITY, FloppyFull, write_floppy
from packerpy.kit.iso import write_iso
from packerpy.kit.media import Media, media
from packerpy.testing import make_run

FILES = {"a.txt": b"one\n", "Long Name With Spaces.conf": b"two", "sub/deep/c": b"three"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a folder in it."""
    folder = tmp_path / "conf"
    (folder / "inner").mkdir(parents=True)
    (folder / "one.cfg").write_text("1")
    (folder / "inner" / "two.cfg").write_text("22")
    return folder


def reveal(secret: Secret) -> str:
    """The clear text."""
    return secret.value or ""


def test_what_lies_where(tree):
    """A file at the top, a folder under its name, a folder with a slash without it, a pattern flat, content by name."""
    names = {
        (str(tree / "one.cfg"),): {"one.cfg"},
        (str(tree),): {"conf/one.cfg", "conf/inner/two.cfg"},
        (f"{tree}/",): {"one.cfg", "inner/two.cfg"},
        (str(tree / "*" / "*.cfg"),): {"two.cfg"},
    }
    for files, expected in names.items():
        assert set(Media(files=files).collect(reveal)) == expected
    both = Media(files=tree / "one.cfg", content={"/x": "text", "y": tree / "one.cfg", "z": Secret(value="s3")})
    assert both.collect(reveal) == {
        "one.cfg": tree / "one.cfg",
        "x": b"text",
        "y": tree / "one.cfg",
        "z": b"s3",
    }
    assert both.sizes() == {"one.cfg": 1, "x": 4, "y": 1, "z": 0}
    assert set(both.reads()) == {tree / "one.cfg"}
    assert "s3" not in repr(both)


def test_short_forms(tree):
    """A mapping is content; a path or several are files; the whole thing is itself."""
    assert media({"a": "b"}) == Media(content={"a": "b"})
    assert media([tree]) == media(str(tree)) == Media(files=[tree])
    assert media(None) is None


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"files": ["/nowhere/at-all"]}, "files[0]"),
        ({"content": {"../x": "a"}}, "content"),
        ({"content": {"": "a"}}, "content"),
        ({"content": {"a//b": "a"}}, "content"),
        ({"content": {"a": Path("/nowhere/at-all")}}, "content[a]"),
        ({"content": {"a": "x", "a/b": "y"}}, "content"),
        ({"label": "x" * 17}, "label"),
        ({"label": "ä"}, "label"),
    ],
)
def test_each_mistake_is_a_problem(given, where):
    """One mistake, one problem at its place, with a fix."""
    (problem,) = Media(**given).check(max_label=16)
    assert problem.where == where
    assert problem.fix


def test_a_name_taken_twice(tree):
    """Two files that flatten to one name."""
    (tree / "inner" / "one.cfg").write_text("x")
    (problem,) = Media(files=[tree / "one.cfg", tree / "inner" / "one.cfg"]).check(max_label=16)
    assert problem.seen == "one.cfg"


def test_a_variable_needs_its_value():
    """Before a build fills it in, there is nothing to write."""
    with pytest.raises(DeclarationError, match="name"):
        Media(content={"a": Variable("name")}).collect(reveal)


def test_a_cd_is_read_by_xorriso(tmp_path):
    """Long names, folders and the label; only we may read the image."""
    iso = write_iso(tmp_path / "cd.iso", {**FILES, "big": tmp_path / "big"} if _big(tmp_path) else {}, label="Answers")
    assert iso.stat().st_mode & 0o777 == 0o600
    told = subprocess.run(["xorriso", "-indev", iso, "-pvd_info"], check=True, capture_output=True, text=True)
    assert "Answers" in told.stdout + told.stderr
    out = tmp_path / "out"
    subprocess.run(["xorriso", "-osirrox", "on", "-indev", iso, "-extract", "/", out], check=True, capture_output=True)
    for name, content in FILES.items():
        assert (out / name).read_bytes() == content
    assert (out / "big").read_bytes() == (tmp_path / "big").read_bytes()


def _big(folder: Path) -> bool:
    return (folder / "big").write_bytes(bytes(range(256)) * 5000) > 0


def test_a_floppy_is_read_by_mtools(tmp_path):
    """FAT12 of 1.44 MB with long names and folders."""
    run = make_run(tmp_path)
    image = write_floppy(
        run, tmp_path / "f.img", {**FILES, "host": tmp_path / "f.txt"} if _text(tmp_path) else {}, label="OEMDRV"
    )
    assert image.stat().st_size == 1440 * 1024
    assert image.stat().st_mode & 0o777 == 0o600
    for name, content in {**FILES, "host": b"host"}.items():
        read = subprocess.run(["mtype", "-i", image, f"::/{name}"], check=True, capture_output=True)
        assert read.stdout == content
    assert b"OEMDRV" in subprocess.run(["mlabel", "-s", "-i", image, "::"], check=True, capture_output=True).stdout
    assert run.close(failed=False) == ()


def _text(folder: Path) -> bool:
    return (folder / "f.txt").write_text("host") > 0


def test_a_floppy_that_overflows(tmp_path):
    """It is told beforehand, with the largest file; exactly full is not too full."""
    run = make_run(tmp_path)
    with pytest.raises(FloppyFull) as caught:
        write_floppy(run, tmp_path / "f.img", {"small": b"x", "large": bytes(CAPACITY)}, label="")
    assert "large" in str(caught.value)
    assert "cd=" in str(caught.value)
    assert not (tmp_path / "f.img").exists()
    assert write_floppy(run, tmp_path / "g.img", {"large": bytes(CAPACITY)}, label="").exists()
    assert run.close(failed=False) == ()
