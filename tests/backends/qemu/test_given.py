"""What a machine is given at its start: values of the build in what it fetches, a key that it is to let in."""

import re
import stat
import urllib.request
from pathlib import Path

import pytest

import packerpy as pp
from packerpy.backends.fake.channel import FakeChannel
from packerpy.backends.qemu import Qemu
from packerpy.backends.qemu.checkpoints import record
from packerpy.backends.qemu.guest import find_guest
from packerpy.backends.qemu.installer.checks import wants_key
from packerpy.backends.qemu.installer.prepare import prepare
from packerpy.events import TaskMessage
from packerpy.kit.interfaces import NoInterface
from packerpy.kit.ssh_keys import public_of
from packerpy.testing import make_run

KEY = "ssh-ed25519 AAAA packerpy-0123"
SMALL = {"memory": "64 MiB", "cpus": 1, "accelerator": "tcg", "disk_size": "64 MiB"}


@pytest.fixture
def files(tmp_path) -> dict[str, Path]:
    """A file for every field that takes one."""
    made = {name: tmp_path / name for name in ("iso", "kernel", "initrd", "tools")}
    for path in made.values():
        path.write_bytes(bytes(4096))
    return made


def port_of(run) -> int:
    """Where the web server listens, as it was told."""
    said = "\n".join(event.text for event in run.events if isinstance(event, TaskMessage))
    return int(re.findall(r"serving HTTP at [\d.]+:(\d+)", said)[-1])


def fetch(port: int, name: str) -> str:
    """As a guest would."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}") as answer:
        return answer.read().decode()


def test_values_of_the_build_are_in_what_is_served(run, files):
    """The key, the server's own place, alone and among other texts; also in media and in a kernel's arguments."""
    this = pp.this_build
    content = {
        "keys": this.ssh_public_key,
        "script": pp.text("fetch ", this.http_url, "/keys with ", pp.Secret(value="pass-word")),
    }
    spec = Qemu(
        kernel=files["kernel"],
        initrd=files["initrd"],
        kernel_args=["url=http://<http>/p ", pp.text("port=", this.http_port), " name=<name> key='<sshpublickey>'"],
        http=content,
        floppy={"keys": this.ssh_public_key},
        cd={"place": this.http_host},
        **SMALL,
    )
    assert list(spec.check()) == []
    assert wants_key(spec)
    given = prepare(run, spec, KEY)
    port = port_of(run)
    assert fetch(port, "keys") == KEY
    assert fetch(port, "script") == f"fetch http://10.0.2.2:{port}/keys with pass-word"
    assert given.kernel is not None
    assert given.kernel.arguments == f"url=http://10.0.2.2:{port}/p port={port} name=web key='{KEY}'"
    assert given.floppy is not None
    assert KEY.encode() in given.floppy.read_bytes()
    assert b"10.0.2.2" in given.cdroms[0].read_bytes()


def test_the_web_server_listens_where_it_should(run, files):
    """On all addresses guests still reach it as the host; on another one they go there. The port is one of the range."""
    server = pp.WebServer({"a": "b"}, port=(20000, 40000), address="0.0.0.0")
    given = prepare(run, Qemu(iso=files["iso"], http=server, **SMALL))
    assert given.fills["httpip"] == "10.0.2.2"
    assert 20000 <= int(given.fills["httpport"]) <= 40000
    assert fetch(port_of(run), "a") == "b"


def test_the_web_server_listens_on_an_interface(run, files):
    """Guests reach it at the interface's address; one that is not there is told before anything starts."""
    spec = Qemu(iso=files["iso"], http=pp.WebServer({"a": "b"}, interface="lo"), **SMALL)
    assert list(spec.load().preflight(run)) == []
    assert prepare(run, spec).fills["httpip"] == "10.0.2.2"
    assert fetch(port_of(run), "a") == "b"
    (problem,) = Qemu(iso=files["iso"], http=pp.WebServer({}, interface="eth77"), **SMALL).load().preflight(run)
    assert problem.where == "http.interface"
    assert "lo (127.0.0.1)" in problem.what


def test_a_web_server_on_a_bridge_that_is_not_there(run, files):
    """Is an error that lists the interfaces."""
    with pytest.raises(NoInterface, match="'br77' is not there"):
        prepare(run, Qemu(iso=files["iso"], http={"a": "b"}, bridge="br77", **SMALL))


def test_on_a_bridge_the_web_server_is_at_the_bridges_address(run, files):
    """Also where it listens on all addresses; the loopback device stands for a bridge here."""
    everywhere = pp.WebServer({"a": "b"}, address="0.0.0.0")
    assert prepare(run, Qemu(iso=files["iso"], http=everywhere, bridge="lo", **SMALL)).fills["httpip"] == "127.0.0.1"


def test_further_cds_come_after_ours(run, files):
    """The installer's ISO is booted, then our own CD, then guest tools."""
    spec = Qemu(iso=files["iso"], cd={"a": "b"}, cdroms=pp.Download(files["tools"]), **SMALL)
    first, second, third = prepare(run, spec).cdroms
    assert (first, second.name, third) == (files["iso"], "cd.iso", files["tools"])


def test_a_key_is_made_only_where_it_is_named(run, files):
    """Else logins would begin with a key that nobody knows."""
    assert not wants_key(Qemu(iso=files["iso"], http={"a": "b"}, **SMALL))
    assert wants_key(Qemu(iso=files["iso"], boot_command="key=<sshPublicKey>"))
    machine = Qemu(iso=files["iso"], http={"a": "b"}, **SMALL).load().boot(run)
    assert machine.endpoint.key_file is None


def test_the_key_is_of_the_type_that_was_asked_for(run, files):
    """By the communicator, for machines that do not know ed25519."""
    spec = Qemu(
        iso=files["iso"], communicator=pp.SSH(made_key="ecdsa"), http={"k": pp.this_build.ssh_public_key}, **SMALL
    )
    machine = spec.load().boot(run)
    assert machine.endpoint.key_file is not None
    assert public_of(machine.endpoint.key_file).startswith("ecdsa-sha2-nistp256 ")


def test_the_key_is_kept_with_a_saved_disk(run, files, tmp_path):
    """What an installer was told to let in logs in again when the installed disk is booted from its layer."""
    source = Qemu(iso=files["iso"], http={"keys": pp.this_build.ssh_public_key}, **SMALL).load()
    machine = source.boot(run)
    made = machine.endpoint.key_file
    assert made is not None
    assert fetch(port_of(run), "keys") == f"{public_of(made)} packerpy-{run.id}"
    layer = tmp_path / "layer"
    layer.mkdir(mode=0o700)
    source.save(run, machine, FakeChannel(tmp_path, run.cancellation, None), layer)()
    assert stat.S_IMODE((layer / record.KEY).stat().st_mode) == 0o600
    (tmp_path / "other").mkdir()
    other = make_run(tmp_path / "other", name="other.qemu")
    try:
        again = source.restore(other, layer)
        kept = again.endpoint.key_file
        assert kept is not None
        assert kept.read_bytes() == made.read_bytes()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert find_guest(again.id) is not None
    finally:
        assert other.close(failed=True) == ()
    assert not kept.exists()
