"""Loading the user's file."""

from pathlib import Path

import pytest

from packerpy.cli.load import UserFileError, load
from packerpy.errors import DeclarationError
from tests.cli.conftest import TWO_IMAGES, Cli


def names(path: Path, name: str = "") -> list[str]:
    """Of the images that loading finds."""
    return [image.name for image in load(f"{path}:{name}" if name else str(path)).images]


def test_finds_images_projects_and_lists(tmp_path: Path) -> None:
    """Without a project all images count, once each; with one, only what it holds; a name chooses."""
    path = tmp_path / "images.py"
    path.write_text(TWO_IMAGES + "again = web\nboth = [base, web]\nnumber = 3\n")
    assert names(path) == ["base", "web"]
    assert names(path, "web") == ["web"]
    assert names(path, "both") == ["base", "web"]
    path.write_text(TWO_IMAGES + "project = pp.Project([web])\n")
    assert names(path) == ["web"]
    assert load(str(path)).output == tmp_path / "output"


def test_is_not_main_and_imports_its_neighbours(tmp_path: Path) -> None:
    """A build under ``if __name__ == "__main__"`` does not start, and modules beside the file can be imported."""
    (tmp_path / "neighbour_of_images.py").write_text("NAME = 'near'\n")
    path = tmp_path / "images.py"
    path.write_text(
        "import packerpy as pp\nfrom neighbour_of_images import NAME\nimage = pp.Image(NAME, pp.Fake())\n"
        "if __name__ == '__main__':\n    raise SystemExit('started')\n"
    )
    assert names(path) == ["near"]
    assert not (tmp_path / "__pycache__" / "images.cpython-311.pyc").exists()


@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        (None, "", "there is no file"),
        ("x = 1\n", "", "declares no image"),
        (TWO_IMAGES, ":bas", "did you mean `base`"),
        (TWO_IMAGES, ":pp", "neither an image nor a project"),
    ],
)
def test_nothing_to_build(tmp_path: Path, text: str | None, target: str, said: str) -> None:
    """Each way to declare nothing is told with a way out."""
    path = tmp_path / "images.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DeclarationError) as caught:
        load(f"{path}{target}")
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["def f():\n    return 1 / 0\nf()\n", "import packerpy as\n", "raise SystemExit(4)\n"])
def test_only_their_own_traceback(cli: Cli, text: str) -> None:
    """An exception in the user's file shows the frames of that file and none of packerpy's; exit code 2."""
    path = cli.write(text)
    made = cli("validate", "images.py")
    assert made.code == 2
    assert str(path) in made.err
    assert "packerpy/cli" not in made.err
    with pytest.raises(UserFileError):
        load(str(path))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('pp.Qemu(disc="x")', "did you mean `disk`? use one of disk, iso"),
        ('pp.Packages("nginx", upgrades=True)', "did you mean `upgrade`?"),
        ('dict.fromkeys(upgrades="x")', ""),
    ],
)
def test_a_field_that_there_is_not(cli: Cli, call: str, said: str) -> None:
    """The traceback is followed by the nearest field, and all that there are."""
    cli.write(f"import packerpy as pp\n{call}\n")
    made = cli("validate", "images.py")
    assert made.code == 2
    assert "TypeError" in made.err
    assert said in made.err
    assert ("What to do" in made.err) is bool(said)


def test_bad_declaration_names_the_line(cli: Cli) -> None:
    """A declaration refused at once is an error without traceback that names the line of the file."""
    path = cli.write('import packerpy as pp\n\nv = pp.Variable("no good")\n')
    made = cli("validate", "images.py")
    assert made.code == 2
    assert f"declared at {path}:3" in made.err
    assert "Traceback" not in made.err
