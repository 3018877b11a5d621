"""Files and folders as steps."""

from __future__ import annotations

import os
import pwd
from pathlib import Path, PurePosixPath

import pytest

from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.declare import Secret, Variable
from packerpy.declare.fill import fill
from packerpy.errors import DeclarationError, ProvisionError
from packerpy.provisioners.file import File
from packerpy.testing import RecordingChannel, TestRun
from packerpy.values import Completed, Endpoint, Machine

MACHINE = Machine(id="m", endpoint=Endpoint(host="h"), communicator=None)  # type: ignore[arg-type]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A small tree."""
    folder = tmp_path / "site"
    (folder / "css").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>")
    (folder / "css" / "a b.css").write_text("a{}")
    return folder


def names(folder: Path) -> set[str]:
    """All files below."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("staged", [False, True])
def test_the_slash_rule_for_folders(
    channel: SSHChannel, run: TestRun, site: Path, tmp_path: Path, staged: bool
) -> None:
    """With a slash its contents go, without it the folder itself; by way of a private place just the same."""
    target = tmp_path / "www"
    File(f"{site}/", to=f"{target}/one", sudo=staged).load().apply(run, MACHINE, channel)
    File(site, to=f"{target}/two/", sudo=staged).load().apply(run, MACHINE, channel)
    assert names(target) == {"one/index.html", "one/css/a b.css", "two/site/index.html", "two/site/css/a b.css"}
    assert not [path for path in Path("/tmp").glob("packerpy-*") if (path / "tree").exists()]


@pytest.mark.parametrize("staged", [False, True])
def test_one_file(channel: SSHChannel, run: TestRun, site: Path, tmp_path: Path, staged: bool) -> None:
    """A target with a slash is a folder; a mode may be given."""
    target = tmp_path / "www"
    File(site / "index.html", to=f"{target}/", sudo=staged).load().apply(run, MACHINE, channel)
    File(site / "index.html", to=f"{target}/x y.html", mode="0600", sudo=staged).load().apply(run, MACHINE, channel)
    assert names(target) == {"index.html", "x y.html"}
    assert (target / "x y.html").stat().st_mode & 0o777 == 0o600
    assert (target / "index.html").stat().st_mode & 0o777 == (site / "index.html").stat().st_mode & 0o777


@pytest.mark.root
def test_owner(channel: SSHChannel, run: TestRun, site: Path, tmp_path: Path) -> None:
    """Files and whole folders can be given away; the target folder itself is not."""
    nobody = pwd.getpwnam("nobody").pw_uid
    target = tmp_path / "www"
    target.mkdir(mode=0o711)
    File(site / "index.html", to=str(target / "f"), owner="nobody").load().apply(run, MACHINE, channel)
    File(f"{site}/", to=str(target), owner="nobody:nogroup").load().apply(run, MACHINE, channel)
    assert {path.stat().st_uid for path in target.rglob("*")} == {nobody}
    assert target.stat().st_uid == os.getuid()
    assert target.stat().st_mode & 0o777 == 0o711


def test_content_and_template(channel: SSHChannel, run: TestRun, tmp_path: Path) -> None:
    """Text, secrets and filled-in templates become files with mode 0644; the secret is hidden from then on."""
    template = tmp_path / "motd.in"
    template.write_text("welcome to ${name}, $$5\n")
    target = tmp_path / "out"
    File(content="hello\r\n", to=str(target / "a")).load().apply(run, MACHINE, channel)
    File(content=Secret(value="hunter2hunter2"), to=str(target / "b"), mode=0o600).load().apply(run, MACHINE, channel)
    File(template=template, values={"name": "web"}, to=str(target / "c")).load().apply(run, MACHINE, channel)
    assert (target / "a").read_bytes() == b"hello\r\n"
    assert (target / "a").stat().st_mode & 0o777 == 0o644
    assert (target / "b").read_text() == "hunter2hunter2"
    assert (target / "c").read_text() == "welcome to web, $5\n"
    run.output("stdout", "hunter2hunter2\n")
    assert "hunter2" not in run.printed
    assert not list(run.workdir.glob("content-*"))


@pytest.mark.parametrize("staged", [False, True])
def test_download(channel: SSHChannel, run: TestRun, site: Path, tmp_path: Path, staged: bool) -> None:
    """Files and folders come out by the same rules."""
    out = tmp_path / "out"
    File(str(site / "index.html"), to=f"{out}/", direction="download", sudo=staged).load().apply(run, MACHINE, channel)
    File(str(site), to=f"{out}/", direction="download", sudo=staged).load().apply(run, MACHINE, channel)
    File(f"{site}/", to=f"{out}/flat", direction="download", sudo=staged).load().apply(run, MACHINE, channel)
    assert names(out) == {
        "index.html", "site/index.html", "site/css/a b.css", "flat/index.html", "flat/css/a b.css",
    }  # fmt: skip


def test_missing_files(channel: SSHChannel, run: TestRun, tmp_path: Path) -> None:
    """A file that is gone since validation, or not in the machine, is named."""
    with pytest.raises(ProvisionError, match="gone"):
        File(tmp_path / "gone", to="/tmp/x").load().apply(run, MACHINE, channel)
    with pytest.raises(ProvisionError, match="cannot download") as caught:
        File("/no/such", to=f"{tmp_path}/x", direction="download").load().apply(run, MACHINE, channel)
    assert "No such file" in str(caught.value)


def test_a_machine_without_trees(run: TestRun, site: Path) -> None:
    """Where a channel moves single files only, a folder goes file by file, with its links."""
    (site / "link").symlink_to("index.html")
    channel = RecordingChannel()
    File(f"{site}/", to="/var/www").load().apply(run, MACHINE, channel)
    assert set(channel.files) == {PurePosixPath("/var/www/index.html"), PurePosixPath("/var/www/css/a b.css")}
    assert "ln -sfn index.html /var/www/link" in [command.line for command in channel.commands]


def test_a_command_that_fails_while_installing(run: TestRun, site: Path) -> None:
    """The private place is removed and the machine's words are kept."""
    channel = RecordingChannel({"mv -f": Completed(exit_status=1, stderr="read-only file system")})
    with pytest.raises(ProvisionError, match="cannot upload") as caught:
        File(site / "index.html", to="/etc/x", sudo=True).load().apply(run, MACHINE, channel)
    assert "read-only file system" in str(caught.value)
    assert channel.commands[-1].line.startswith("rm -rf /tmp/packerpy-")


def test_problems(tmp_path: Path) -> None:
    """Each bad value is reported at its place."""
    (tmp_path / "t").write_text("$a $b")
    (tmp_path / "bad").write_text("$ 5")

    def places(spec: File) -> list[str]:
        return [problem.where for problem in spec.check()]

    assert places(File(to="/x")) == [""]
    assert places(File("a", content="b", to="/x")) == ["", "source"]
    assert places(File(tmp_path / "none", to="/x")) == ["source"]
    assert places(File(f"{tmp_path}/t/", to="/x")) == ["source"]
    assert places(File(tmp_path, to="/x", mode=0o600)) == ["mode"]
    assert places(File(content="x", to="")) == ["to"]
    assert places(File(content="x", to="/x/")) == ["to"]
    assert places(File(content="x", to="/x", mode=0o70000, owner="a b")) == ["mode", "owner"]
    assert places(File(content="x", to="/x", values={"a": "b"})) == ["values"]
    assert places(File(template=tmp_path / "t", to="/x", values={"a": "1"})) == ["values"]
    assert places(File(template=tmp_path / "bad", to="/x")) == ["template"]
    assert places(File(template=tmp_path / "none", to="/x")) == ["template"]
    assert places(File(content="x", to="/x", direction="download")) == ["source"]
    assert places(File("/x", to="/x", direction="download", owner="a")) == ["owner"]
    assert places(File("/x", to="/x", direction="sideways")) == ["direction", "source"]  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match="not a file mode"):
        File("/x", to="/x", mode="rw")


def test_declarations(tmp_path: Path) -> None:
    """Values are hashable, filled in, silent about contents, and tell what they read."""
    spec = File(content=Variable("text"), to="/x")
    assert fill(spec, lambda variable: "hello") == File(content="hello", to="/x")
    assert hash(spec) == hash(File(content=Variable("text"), to="/x"))
    assert "hunter2" not in repr(File(content="hunter2", to="/x"))
    assert list(File("a", to="/x").reads()) == [Path("a")]
    assert list(File(template="t", to="/x").reads()) == [Path("t")]
    assert list(File("a", to="x", direction="download").reads()) == []
    assert File("site/", to="/var/www").title == "upload site/ to /var/www"
