"""Each built-in data source reads the real thing, and says clearly when it cannot."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.errors import CancelledError, DataError
from packerpy.testing import TestRun
from tests.data.conftest import Web


def _read(spec: Any, run: TestRun) -> Any:
    assert list(spec.check()) == []
    return spec.load().read(run)


def test_file(run: TestRun, tmp_path: Path) -> None:
    """Text, what it says in its format, and its digest; the format follows the name, or is told."""
    (tmp_path / "a.json").write_text('{"items": [{"id": 7}]}')
    (tmp_path / "a.toml").write_text("[web]\nport = 80\n")
    (tmp_path / "a.txt").write_text("[1, 2]\n")
    found = _read(pp.FileData(tmp_path / "a.json"), run)
    assert found["data"]["items"][0]["id"] == 7
    assert found["sha256"] == hashlib.sha256((tmp_path / "a.json").read_bytes()).hexdigest()
    assert _read(pp.FileData(tmp_path / "a.toml"), run)["data"]["web"]["port"] == 80
    assert _read(pp.FileData(str(tmp_path / "a.txt")), run) == {
        "text": "[1, 2]\n",
        "data": None,
        "sha256": hashlib.sha256(b"[1, 2]\n").hexdigest(),
    }
    assert _read(pp.FileData(tmp_path / "a.txt", format="json"), run)["data"] == [1, 2]


def test_command(run: TestRun, tmp_path: Path) -> None:
    """Text, lines and JSON; a secret goes by the environment, an argument is no shell's business."""
    spec = pp.CommandData(
        "sh", "-c", 'echo "$1 $TOKEN"; pwd', "sh", "a  b;c", env={"TOKEN": pp.Secret(value="hunter2")}, folder=tmp_path
    )
    found = _read(spec, run)
    assert found["lines"] == ["a  b;c hunter2", str(tmp_path)]
    assert _read(pp.CommandData("echo", '{"a": [1]}', format="json"), run)["data"] == {"a": [1]}


def test_failing_command(run: TestRun) -> None:
    """Its own last words are shown; a program that is not there is named."""
    with pytest.raises(DataError, match="exit code 3") as failed:
        _read(pp.CommandData("sh", "-c", "echo no luck >&2; exit 3"), run)
    assert "no luck" in str(failed.value)
    with pytest.raises(DataError, match="exit code 127"):
        _read(pp.CommandData("no-such-program-here"), run)
    with pytest.raises(DataError, match="not json"):
        _read(pp.CommandData("echo", "{", format="json"), run)


def test_slow_command_is_killed(run: TestRun) -> None:
    """With all that it started, when its time is up and when the build is cancelled."""
    with pytest.raises(DataError, match=r"did not end within 0.3 s"):
        _read(pp.CommandData("sh", "-c", "sleep 3600 & sleep 3600", timeout=0.3), run)
    threading.Timer(0.3, run.cancellation.request).start()
    with pytest.raises(CancelledError):
        _read(pp.CommandData("sleep", "3600"), run)


def _git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True)


def test_git_revision(run: TestRun, tmp_path: Path) -> None:
    """Commit, branch, tag, distance from it, and whether anything was changed, of a real checkout."""
    _git(tmp_path, "init", "--initial-branch=main", ".")
    (tmp_path / ".gitignore").write_text("state.db*\ncache\n")
    _git(tmp_path, "add", ".gitignore")
    _git(tmp_path, "commit", "--message=one", "--date=2026-01-02T03:04:05Z")
    first = _read(pp.GitRevision(tmp_path), run)
    assert len(first["commit"]) in (40, 64)
    assert first["commit"].startswith(first["short"])
    assert first["describe"] == first["short"]
    assert (first["branch"], first["tag"], first["dirty"]) == ("main", "", False)
    _git(tmp_path, "tag", "v1.2")
    assert _read(pp.GitRevision(tmp_path), run)["tag"] == "v1.2"
    _git(tmp_path, "commit", "--allow-empty", "--message=two")
    second = _read(pp.GitRevision(tmp_path), run)
    assert second["describe"] == f"v1.2-1-g{second['short']}"
    (tmp_path / "new").touch()
    assert _read(pp.GitRevision(tmp_path), run)["dirty"] is True


def test_no_checkout(run: TestRun, tmp_path: Path) -> None:
    """A folder that is no checkout is told in git's own words."""
    with pytest.raises(DataError, match="git log in") as failed:
        _read(pp.GitRevision(tmp_path), run)
    assert "not a git repository" in str(failed.value)


def test_http(run: TestRun, web: Web) -> None:
    """Method, headers and body are sent; status, headers, text, JSON and digest come back."""
    web.answers["/latest"] = [(201, {"Content-Type": "application/json"}, b'{"version": "1.2"}')]
    spec = pp.HTTPData(
        web.url + "/latest",
        method="POST",
        headers={"Authorization": pp.text("Bearer ", pp.Secret(value="hunter2-hunter2"))},
        body="question",
        expect=201,
        sha256=hashlib.sha256(b'{"version": "1.2"}').hexdigest(),
    )
    found = _read(spec, run)
    assert found["data"]["version"] == "1.2"
    assert found["status"] == 201
    assert found["headers"]["content-type"] == "application/json"
    ((method, path, headers, body),) = web.asked
    assert (method, path, headers["Authorization"], body) == ("POST", "/latest", "Bearer hunter2-hunter2", b"question")


def test_http_tries_again(run: TestRun, web: Web) -> None:
    """An overloaded server is asked again; one that stays so, or says no, is an error with what it said."""
    web.answers["/busy"] = [(503, {}, b""), (200, {}, b"now")]
    assert _read(pp.HTTPData(web.url + "/busy"), run)["text"] == "now"
    assert len(web.asked) == 2
    with pytest.raises(DataError, match="answered 404") as failed:
        _read(pp.HTTPData(web.url + "/none?token=hunter2"), run)
    assert "nothing here" in str(failed.value)
    assert "hunter2" not in str(failed.value)


def test_http_digest_and_json_are_checked(run: TestRun, web: Web) -> None:
    """Another body than the one promised, and JSON that is none, are errors."""
    web.answers["/x"] = [(200, {"Content-Type": "application/json"}, b"{")]
    with pytest.raises(DataError, match="wrong SHA-256"):
        _read(pp.HTTPData(web.url + "/x", sha256="0" * 64), run)
    with pytest.raises(DataError, match="called JSON"):
        _read(pp.HTTPData(web.url + "/x"), run)


def test_http_is_not_asked_twice_what_changes_things(run: TestRun, web: Web) -> None:
    """A POST whose answer was lost may have been carried out."""
    web.answers["/x"] = [(503, {}, b""), (200, {}, b"")]
    with pytest.raises(DataError, match="503"):
        _read(pp.HTTPData(web.url + "/x", method="POST"), run)
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("spec", "fragment"),
    [
        (pp.FileData("/nowhere/at/all"), "no such file"),
        (pp.FileData(__file__, format="jsn"), "did you mean `json`"),  # type: ignore[arg-type]
        (pp.CommandData(), "no program"),
        (pp.CommandData("x", pp.Secret(value="s")), "seen by every user"),
        (pp.CommandData("x", pp.text("--token=", pp.Secret(value="s"))), "seen by every user"),
        (pp.CommandData("x", format="xml"), "not known"),  # type: ignore[arg-type]
        (pp.CommandData("x", timeout=0), "more than 0"),
        (pp.GitRevision("/nowhere/at/all"), "no such folder"),
        (pp.HTTPData("example.org"), "not an http address"),
        (pp.HTTPData("http://"), "not an http address"),
        (pp.HTTPData("http://h", method="FETCH"), "not known"),
        (pp.HTTPData("http://h", method="get"), "not known"),
        (pp.HTTPData("http://h", body="x"), "has no body"),
        (pp.HTTPData("http://h", headers={"a b": "c"}), "name for a header"),
        (pp.HTTPData("http://h", expect=()), "100 to 599"),
        (pp.HTTPData("http://h", sha256="abc"), "64 hex"),
        (pp.HTTPData("http://h", timeout=-1), "more than 0"),
    ],
)
def test_bad_declarations(spec: Any, fragment: str) -> None:
    """Each mistake is told before anything is read."""
    assert fragment in "\n".join(map(str, spec.check()))
