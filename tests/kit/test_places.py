"""Files for machines, as declared."""

import hashlib
from pathlib import Path

import pytest

from packerpy.declare import Variable
from packerpy.errors import BuildError, DeclarationError
from packerpy.kit.places import Download, downloads
from packerpy.kit.sums import Sums
from packerpy.testing import make_run


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"places": []}, ""),
        ({"places": "ftp://example.org/a.iso", "checksum": "none"}, ""),
        ({"places": ["a.iso", "s3://b/"], "checksum": "none"}, "[1]"),
        ({"places": "https://example.org/a.iso"}, "checksum"),
        ({"places": "https://example.org/a.iso?checksum=md5:0", "checksum": "none"}, ""),
        ({"places": "a.iso", "checksum": "sha256:abc"}, "checksum"),
        ({"places": "a.iso", "checksum": Sums("S", signature="S.sign")}, "checksum.keyring"),
    ],
)
def test_every_mistake_has_its_place(given, where):
    """One problem each, with what to write."""
    (problem,) = Download(**given).check()
    assert problem.where == where
    assert problem.fix


def test_several_files_are_not_mirrors():
    """One alone, paths and declared files are each a file of its own."""
    one = Download(["a.iso", "https://example.org/a.iso"], checksum="none")
    assert downloads("b.iso") == (Download("b.iso"),)
    assert downloads([one, Path("b.iso")]) == (one, Download("b.iso"))
    assert list(one.reads()) == [Path("a.iso")]


def test_the_file_is_checked_where_it_lies(tmp_path):
    """The second place has it; another content is an error, and so is a variable without a value."""
    run = make_run(tmp_path)
    (tmp_path / "a.iso").write_bytes(b"tools")
    checksum = "sha256:" + hashlib.sha256(b"tools").hexdigest()
    assert Download([tmp_path / "gone", tmp_path / "a.iso"], checksum).fetch(run, "cdroms[0]") == tmp_path / "a.iso"
    with pytest.raises(BuildError, match="wrong checksum"):
        Download(tmp_path / "a.iso", "sha256:" + "0" * 64).fetch(run, "cdroms[0]")
    with pytest.raises(DeclarationError, match=r"cdroms\[0\] has no value yet"):
        Download(Variable("tools")).fetch(run, "cdroms[0]")
    assert run.close(failed=False) == ()
