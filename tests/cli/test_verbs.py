"""The other verbs."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from packerpy.cli import doctor, main, tools
from packerpy.values import HostTool
from packerpy.version import __version__
from tests.cli.conftest import TWO_IMAGES, Cli


def test_plan_in_every_format(cli: Cli) -> None:
    """Text with reasons, JSON, DOT and SVG; planning makes no output folder."""
    cli.write(TWO_IMAGES)
    text = cli("plan", "images.py").out
    assert "run     web/boot" in text
    assert "[not built yet]" in text
    tasks = json.loads(cli("plan", "images.py", "--format", "json").out)["tasks"]
    assert tasks[0]["id"] == "base/boot"
    assert cli("plan", "images.py", "--format", "dot").out.startswith("digraph")
    assert ET.fromstring(cli("plan", "images.py", "--format", "svg").out).tag.endswith("svg")
    assert not (cli.folder / "output").exists()
    assert "web/boot" not in cli("plan", "images.py", "--only", "base").out


def test_graph(cli: Cli) -> None:
    """The graph goes to the screen, or to a file whose ending says how to draw it."""
    cli.write(TWO_IMAGES)
    assert cli("graph", "images.py").out.startswith("digraph")
    assert cli("graph", "images.py", "--to", "g.svg").code == 0
    assert ET.parse(cli.folder / "g.svg").getroot().tag.endswith("svg")
    assert cli("graph", "images.py", "--to", "g.png").code == 2


def test_validate(cli: Cli) -> None:
    """All problems at once, exit code 2; none, exit code 0."""
    cli.write(TWO_IMAGES)
    assert "2 images, no problems" in cli("validate", "images.py").out
    cli.write(
        "import packerpy as pp\nfrom packerpy.postprocessors.convert import Convert\n"
        'a = pp.Image("a", pp.Fake(boot_seconds=-1), post=[Convert("vdmk")])\n'
    )
    made = cli("validate", "images.py")
    assert made.code == 2
    assert "boot_seconds" in made.err
    assert "did you mean `vmdk`" in made.err


def test_inspect(cli: Cli) -> None:
    """What is declared, for people and as JSON; a secret's value is not in it."""
    cli.write(
        TWO_IMAGES + 'v = pp.Variable("release", default="12", description="which", allowed=("11", "12"))\n'
        'third = pp.Image("third", pp.Fake(content=v, name=pp.Secret(value="pssst")))\n'
    )
    text = cli("inspect", "images.py").out
    assert "web  (fake on base.disk)" in text
    assert "variable release (str, default '12', one of 11, 12): which" in text
    made = cli("inspect", "images.py", "--json")
    content = json.loads(made.out)
    assert content["images"][1]["post"] == [["checksum sha256"]]
    assert "pssst" not in text + made.out


def test_version_and_help(cli: Cli) -> None:
    """The version is the package's; help names every verb; no arguments show help."""
    assert __version__ in cli("version").out
    assert __version__ in cli("--version").out
    shown = cli("--help").out
    assert all(verb in shown for verb in ("build", "validate", "plan", "graph", "inspect", "version", "doctor"))
    assert cli("bild").code == 2


def test_app_object(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    """The same command line works inside a process, answers its exit code and raises nothing."""
    path = cli.write(TWO_IMAGES)
    assert main.run(["validate", str(path)]) == 0
    assert "no problems" in capsys.readouterr().out
    assert main.run(["validate", str(path) + "x"]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert main.run(["nonsense"]) == 2


def test_our_own_bug_is_ours(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception from nowhere is shown whole and called packerpy's bug."""
    monkeypatch.setattr(main, "app", lambda *_a, **_k: 1 / 0)
    assert main.run([]) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert "bug of packerpy" in said


def test_doctor_tells_what_is_there(cli: Cli) -> None:
    """Each program with its path, version, package and purpose."""
    made = cli("doctor", "--json")
    found = {tool["name"]: tool for tool in json.loads(made.out)["tools"]}
    assert found["qemu-img"]["path"].endswith("/qemu-img")
    assert found["qemu-img"]["version"][0].isdigit()
    assert found["qemu-img"]["package"] == "qemu-utils"
    assert found["setpriv"]["needed_for"]
    assert "qemu-img" in cli("doctor").out


def test_doctor_of_a_file(cli: Cli) -> None:
    """With a file only what its images need counts."""
    cli.write(TWO_IMAGES)
    names = {tool["name"] for tool in json.loads(cli("doctor", "images.py", "--json").out)["tools"]}
    assert names == {"setpriv", "dot"}


def test_doctor_installs(
    fake_path: Callable[[str, str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Something missing is exit code 3 with the command that helps; --install runs that command, and looks again."""
    tool = HostTool(name="no-such-tool", package="no-such-package", needed_for="this test")
    monkeypatch.setattr(doctor, "needed", lambda _images: (tool,))
    log = tmp_path / "log"
    made = fake_path("no-such-tool-later", "echo no-such-tool 1.2.3")
    fake_path("apt-get", f'echo "$@" >> {log}\n[ "$1" = install ] && cp {made} {made.parent}/no-such-tool; true')
    assert main.run(["doctor"]) == 3
    said = capfd.readouterr().out
    assert "MISSING" in said
    assert "apt-get install --yes --no-install-recommends no-such-package" in said
    assert main.run(["doctor", "--install"]) == 0
    assert log.read_text().splitlines() == ["update --quiet", "install --yes --no-install-recommends no-such-package"]
    assert "1.2.3" in capfd.readouterr().out


def test_doctor_cannot_install(
    fake_path: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """apt-get failing is told, with exit code 3."""
    monkeypatch.setattr(doctor, "needed", lambda _images: (HostTool(name="no-such-tool", package="p"),))
    fake_path("apt-get", "exit 100")
    assert main.run(["doctor", "--install"]) == 3
    assert "exit code 100" in capfd.readouterr().err


def test_tools_of_all_plugins() -> None:
    """Every declaration that calls programs can tell which, also where it has fields without a default."""
    assert {"qemu-img", "setpriv"} <= {tool.name for tool in tools.needed(None)}


def test_clean_text() -> None:
    """Escape sequences and control characters of a guest do not reach the terminal."""
    from packerpy.cli.text import clean
    from packerpy.kit.sizes import show_duration

    assert clean("a\x1b[31mred\x1b[0m\x1b]0;title\x07b\x9b\bc\td\n") == "aredbc\td\n"
    assert [show_duration(s) for s in (0.44, 12.4, 185, 7800)] == ["0.4 s", "12 s", "3 min 05 s", "2 h 10 min"]


def test_clean_finds_nothing(cli: Cli) -> None:
    """Without dead runs there is nothing to clean, and it says so."""
    ended = cli("clean", "--dry-run")
    assert (ended.code, ended.out) == (0, "nothing was left behind\n")
