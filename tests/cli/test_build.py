"""``packerpy build``, as a program."""

import json
import os
import pty
import signal
import subprocess

import pytest

from tests.cli.conftest import TWO_IMAGES, Cli


def test_builds_and_reuses(cli: Cli) -> None:
    """Results lie beside the file, each line names its build, the second time nothing is done."""
    cli.write(TWO_IMAGES)
    first = cli("build", "images.py")
    assert first.code == 0, first.err
    assert "web: post-1: done in" in first.out
    assert f"web → {cli.folder}/output/web/web.tar" in first.out
    assert "\x1b" not in first.out
    subprocess.run(["sha256sum", "-c", "web.tar.sha256"], cwd=cli.folder / "output/web", check=True)
    second = cli("build", "images.py")
    assert second.code == 0
    assert "web: unchanged, re-used" in second.out
    assert "reuse   web/boot  boot fake  [unchanged]" in second.out
    assert "boot: " not in second.out


def test_selection_output_and_names(cli: Cli) -> None:
    """--only with what it pulls in, --except, --output and FILE.py:name choose what is built and where."""
    cli.write(TWO_IMAGES + 'other = pp.Image("other", pp.Fake())\n')
    assert cli("build", "images.py", "--only", "w*", "--output", "there").code == 0
    assert sorted(path.name for path in (cli.folder / "there").iterdir()) == ["base", "web"]
    assert cli("build", "images.py", "--except", "web", "--except", "base", "--output", "rest").code == 0
    assert [path.name for path in (cli.folder / "rest").iterdir()] == ["other"]
    assert cli("build", "images.py:other", "--output", "named").code == 0
    assert [path.name for path in (cli.folder / "named").iterdir()] == ["other"]
    wrong = cli("build", "images.py", "--only", "nope")
    assert wrong.code == 2
    assert "no build is called 'nope'" in wrong.err


def test_json_lines(cli: Cli) -> None:
    """Every line of standard output is an event as JSON; the last one tells what was delivered."""
    cli.write(TWO_IMAGES)
    made = cli("build", "images.py", "--events", "json")
    told = [json.loads(line) for line in made.out.splitlines()]
    assert told[0]["event"] == "RunStarted"
    assert told[-1]["event"] == "RunFinished"
    assert told[-1]["status"] == "done"
    assert {name for name, _ in told[-1]["artifacts"]} == {"base", "web"}


def test_folder_in_the_way(cli: Cli) -> None:
    """An output folder of somebody else's is not touched without --force."""
    cli.write(TWO_IMAGES)
    (cli.folder / "output/web").mkdir(parents=True)
    (cli.folder / "output/web/mine").write_text("mine")
    refused = cli("build", "images.py")
    assert refused.code == 2
    assert "--force" in refused.err
    assert (cli.folder / "output/web/mine").exists()
    assert cli("build", "images.py", "--force").code == 0
    assert not (cli.folder / "output/web/mine").exists()


def test_failure(cli: Cli) -> None:
    """A failed build: exit code 1, brief and remedy on standard error, no traceback; the others are built."""
    cli.write(TWO_IMAGES + 'bad = pp.Image("bad", pp.Fake(fail="boot"))\n')
    made = cli("build", "images.py")
    assert made.code == 1
    assert "error: the fake machine does not boot" in made.err
    assert "What to do: declare it without fail='boot'" in made.err
    assert "Traceback" not in made.err
    assert (cli.folder / "output/web/web.tar").exists()
    assert "bad: boot: failed" in made.out


def test_several_failures(cli: Cli) -> None:
    """Each failure is told, and how many there are."""
    cli.write(
        'import packerpy as pp\na = pp.Image("a", pp.Fake(fail="boot"))\nb = pp.Image("b", pp.Fake(fail="capture"))\n'
    )
    made = cli("build", "images.py")
    assert made.code == 1
    assert "does not boot" in made.err
    assert "cannot be captured" in made.err
    assert "2 builds failed" in made.err


def test_bug_of_a_plugin(cli: Cli) -> None:
    """An exception that a plug-in did not mean to raise is shown whole, and whose bug it is."""
    cli.write(
        """
import attrs, packerpy as pp
from typing import ClassVar
@attrs.frozen
class Broken:
    kind: ClassVar[str] = "broken"
    keeps_input: ClassVar[bool] = True
    title: ClassVar[str] = "break"
    def check(self): return ()
    def load(self): return self
    def process(self, run, artifact): return 1 / 0
web = pp.Image("web", pp.Fake(), post=[Broken()])
"""
    )
    made = cli("build", "images.py")
    assert made.code == 3
    assert "ZeroDivisionError" in made.err
    assert "bug of the plug-in 'broken'" in made.err


SLOW = 'import packerpy as pp\nweb = pp.Image("web", pp.Fake(boot_seconds=600))\n'


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt(cli: Cli, number: signal.Signals) -> None:
    """Ctrl-C, or a polite kill, during the boot undoes everything, says so, and ends with 130."""
    cli.write(SLOW)
    process = cli.start("build", "images.py", "--events", "json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "TaskStarted":
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    told = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == 130
    assert "everything that was made has been undone" in err
    assert "CancelRequested" in {event["event"] for event in told}
    assert told[-1]["status"] == "cancelled"
    assert list((cli.folder / "output").iterdir()) == []


def test_reader_goes_away(cli: Cli) -> None:
    """When nobody reads our output any more the build still ends well, without a word about it."""
    cli.write(TWO_IMAGES)
    reading, writing = os.pipe()
    os.close(reading)
    process = cli.start("build", "images.py", stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err == ""
    assert (cli.folder / "output/web/web.tar").exists()


def on_terminal(cli: Cli, *arguments: str, typed: bytes = b"", answer_to: bytes = b"\0") -> tuple[int, str]:
    """Run with a terminal; type when a text appears. Answers exit code and everything shown."""
    ours, theirs = pty.openpty()
    process = cli.start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
        if typed and answer_to in shown:
            os.write(ours, typed)
            typed = b""
    os.close(ours)
    return process.wait(20), shown.decode()


def test_live_on_a_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal there is a moving display, in colours unless NO_COLOR asks for none."""
    cli.write(TWO_IMAGES)
    monkeypatch.setenv("TERM", "xterm-256color")
    code, shown = on_terminal(cli, "build", "images.py")
    assert code == 0
    assert "\x1b[32m" in shown
    assert "deliver: done in" in shown
    assert "\x1b[?25h" in shown  # the cursor is given back
    monkeypatch.setattr(Cli, "environment", {**cli.environment, "NO_COLOR": "1"})
    code, shown = on_terminal(cli, "build", "images.py", "--force", "--output", "again")
    assert code == 0
    assert "\x1b[32m" not in shown


def test_asks(cli: Cli) -> None:
    """--on-error ask asks on the terminal; the answer decides."""
    cli.write('import packerpy as pp\nbad = pp.Image("bad", pp.Fake(fail="boot"))\n')
    code, shown = on_terminal(
        cli, "build", "images.py", "--on-error", "ask", typed=b"c\n", answer_to=b"leave everything? "
    )
    assert code == 1
    assert "bad/boot failed" in shown
    refused = cli("build", "images.py", "--on-error", "ask")
    assert refused.code == 2
    assert "needs a terminal" in refused.err


def test_variables(cli: Cli) -> None:
    """--var beats --var-file beats files beside the declarations beat the environment; what makes no sense is told."""
    cli.write(
        'import packerpy as pp\nv = pp.Variable("text", allowed=("a", "b", "c"))\n'
        'web = pp.Image("web", pp.Fake(content=v))\n'
    )
    (cli.folder / "v.json").write_text('{"text": "b"}')
    (cli.folder / "v.toml").write_text('text = "c"')

    def content(*arguments: str) -> str:
        made = cli("build", "images.py", "--force", *arguments, PACKERPY_VAR_text="a")
        assert made.code == 0, made.err
        tar = ["tar", "-xOf", cli.folder / "output/web/web.tar", "content"]
        return subprocess.run(tar, capture_output=True, text=True, check=True).stdout

    assert content() == "a"
    (cli.folder / "z.auto.vars.toml").write_text('text = "b"')
    assert content() == "b"
    (cli.folder / "a.auto.vars.json").write_text('{"text": "c"}')
    assert content() == "c"
    assert content("--var-file", "v.json") == "b"
    (cli.folder / "z.auto.vars.toml").unlink()
    (cli.folder / "a.auto.vars.json").unlink()
    assert content("--var-file", "v.json") == "b"
    assert content("--var-file", "v.json", "--var-file", "v.toml") == "c"
    assert content("--var-file", "v.json", "--var", "text=a") == "a"
    for arguments, said in (
        ((), "the variable is not set"),
        (("--var", "text=z"), "not allowed"),
        (("--var", "text"), "not name=value"),
        (("--var-file", "images.py"), "cannot tell what"),
    ):
        made = cli("build", "images.py", *arguments)
        assert made.code == 2
        assert said in made.err


@pytest.mark.parametrize("arguments", [["--jobs", "0"], ["--on-error", "maybe"], ["--bogus"], ["--jobs", "x"]])
def test_bad_options(cli: Cli, arguments: list[str]) -> None:
    """A command line that makes no sense is exit code 2, said on standard error."""
    cli.write(TWO_IMAGES)
    made = cli("build", "images.py", *arguments)
    assert made.code == 2
    assert made.err
    assert not (cli.folder / "output").exists()
