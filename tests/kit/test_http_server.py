"""The web server for installers, asked by a real client."""

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from packerpy.events import TaskMessage
from packerpy.kit.http_server import NoPort, Serve, owner, wanted_name
from packerpy.kit.interfaces import NoInterface
from packerpy.kit.web_server import WebServer
from packerpy.testing import make_run


@pytest.fixture
def served(tmp_path):
    """A run with a server of two files: the run, and its address."""
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "preseed.cfg").write_text("d-i")
    (root / "sub" / "b.bin").write_bytes(bytes(range(256)) * 1000)
    (tmp_path / "outside").write_text("no")
    run = make_run(tmp_path)
    server = run.do(Serve(root))
    yield run, f"http://127.0.0.1:{server.port}"
    assert run.close(failed=False) == ()


def said(run) -> list[str]:
    """What the run told."""
    run.flush()
    return [event.text for event in run.events if isinstance(event, TaskMessage)]


def test_files_are_served_and_told(served):
    """Content, type and length; each request is one line in the run's log."""
    run, url = served
    with urllib.request.urlopen(url + "/preseed.cfg?a=b") as answer:
        assert answer.read() == b"d-i"
    with urllib.request.urlopen(url + "/sub/b.bin") as answer:
        assert answer.read() == bytes(range(256)) * 1000
        assert answer.headers["Content-Length"] == "256000"
    with urllib.request.urlopen(urllib.request.Request(url + "/preseed.cfg", method="HEAD")) as answer:
        assert answer.read() == b""
    assert said(run) == [
        "HTTP: GET /preseed.cfg?a=b: 200",
        "HTTP: GET /sub/b.bin: 200",
        "HTTP: HEAD /preseed.cfg: 200",
    ]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/presed.cfg", "did you mean /preseed.cfg?"),
        ("/b.bin", "did you mean /sub/b.bin?"),
        ("/zzz", "there is /preseed.cfg, /sub/b.bin"),
        ("/", "there is"),
        ("/sub", "there is no /sub"),
        ("/../outside", "there is no /outside"),
        ("/%2e%2e/outside", "there is no /outside"),
    ],
)
def test_what_is_not_there(served, path, told):
    """404 to the client and in the log, with the nearest name; nothing outside of the folder is reached."""
    run, url = served
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url + path)
    assert caught.value.code == 404
    assert told in caught.value.read().decode()
    assert told in said(run)[-1]


def test_the_server_ends_with_the_run(tmp_path):
    """It listens on the loopback address only, and its port is free afterwards."""
    run = make_run(tmp_path)
    server = run.do(Serve(tmp_path))
    port = server.port
    assert server._server.server_address[0] == "127.0.0.1"
    assert run.close(failed=True) == ()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_names_stay_inside():
    """Whatever a request line holds becomes a relative path without dots."""
    assert [wanted_name(path) for path in ("/a/./b", "/a/../../b", "//c", "/d%20e#f")] == ["a/b", "b", "c", "d e"]
    assert not Path(wanted_name("/../../etc/passwd")).is_absolute()


ASK = 'exec 3<>"/dev/tcp/127.0.0.1/$1"; printf "GET /preseed.cfg HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3'


@pytest.mark.root
def test_another_user_of_the_host_is_refused(served):
    """The same request, by a process of another user and by one of ours."""
    run, url = served
    command = ["bash", "-c", ASK, "bash", url.rpartition(":")[2]]
    other = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}
    stranger = subprocess.run(command, check=False, capture_output=True, text=True, **other)
    assert stranger.stdout == ""
    assert "refused a connection by a process of another user" in said(run)[-1]
    assert "d-i" in subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_who_is_at_the_other_end():
    """The kernel knows the owner of a connection, and that there is none of another number."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert owner(client.getsockname(), server.getsockname()) == os.getuid()
        assert owner(("127.0.0.2", 1), server.getsockname()) == -1


def test_a_port_is_chosen(tmp_path):
    """The first free one of a range, on the address that was declared; none is an error that says which."""
    run = make_run(tmp_path)
    with socket.create_server(("0.0.0.0", 0)) as taken:
        first = taken.getsockname()[1]
        server = run.do(Serve(tmp_path, address="0.0.0.0", ports=(first, first + 20)))
        assert first < server.port <= first + 20
        assert server._server.server_address[0] == "0.0.0.0"
        with pytest.raises(NoPort, match=f"port {first} of 0.0.0.0"):
            run.do(Serve(tmp_path, address="0.0.0.0", ports=(first, first)))
    assert run.close(failed=True) == ()


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"root": "/nowhere/at-all"}, ""),
        ({"root": {"../x": "a"}}, "content"),
        ({"port": 0}, "port"),
        ({"port": (9000, 8000)}, "port"),
        ({"port": 70000}, "port"),
        ({"address": "localhost"}, "address"),
        ({"address": "::1"}, "address"),
        ({"address": "127.0.0.2"}, "address"),
        ({"address": "0.0.0.0", "interface": "lo"}, "interface"),
        ({"interface": ""}, "interface"),
    ],
)
def test_a_server_that_cannot_be(given, where):
    """Each is one problem, and tells what to write."""
    (problem,) = WebServer(**{"root": {"a": "b"}, **given}).check()
    assert problem.where == where
    assert problem.fix


def test_an_interface_stands_for_its_address():
    """The first IPv4 address that it has; of one that is not there the error lists those that are."""
    assert WebServer({"a": "b"}, interface="lo").listens_at() == "127.0.0.1"
    with pytest.raises(NoInterface, match="'loo' is not there") as caught:
        WebServer({"a": "b"}, interface="loo").listens_at()
    assert "lo (127.0.0.1)" in str(caught.value)
    assert "did you mean `lo`?" in str(caught.value)


@pytest.mark.root
def test_an_interface_without_an_address():
    """Is there, but nobody can listen on it."""
    code = "from packerpy.kit.interfaces import address_of; address_of('lo')"
    command = ["unshare", "--net", sys.executable, "-c", code]
    said = subprocess.run(command, check=False, capture_output=True, text=True).stderr
    assert "the network interface 'lo' has no IPv4 address" in said
    assert "there are: lo\n" in said
