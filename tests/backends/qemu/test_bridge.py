"""Machines on a bridge of the host: a real bridge and QEMU's own helper, in a network of the test's own."""

import json
import subprocess
import sys

import pytest

from packerpy.backends.qemu import Qemu, bridge
from packerpy.backends.qemu.argv import mac_of
from packerpy.backends.qemu.errors import GuestGone, NoAddress
from packerpy.backends.qemu.guest import find_guest
from packerpy.communicators.none import NoCommunicator
from packerpy.kit.web_server import WebServer

MACHINE = "11111111-2222-3333-4444-5555556a0b1c"
TABLE = """\
IP address       HW type     Flags       HW address            Mask     Device
192.0.2.7        0x1         0x0         52:54:00:6a:0b:1c     *        pp0
192.0.2.8        0x1         0x2         52:54:00:6a:0b:1c     *        pp1
192.0.2.9        0x1         0x2         52:54:00:6a:0b:1d     *        pp0
"""


def test_a_neighbour_is_known_by_its_mac(tmp_path, monkeypatch):
    """On this bridge, and once it has answered; the newest where it had several."""
    table = tmp_path / "arp"
    table.write_text(TABLE)
    monkeypatch.setattr(bridge, "_NEIGHBOURS", table)
    mac = mac_of(MACHINE)
    assert mac == "52:54:00:6a:0b:1c"
    assert bridge.address_of(mac, "pp0") is None
    table.write_text(TABLE + "192.0.2.10  0x1  0x2  52:54:00:6a:0b:1c  *  pp0\n")
    assert bridge.address_of(mac, "pp0") == "192.0.2.10"


def test_a_bridge_that_is_not_there(run, blank_disk):
    """Is told before anything starts, with those that are there."""
    spec = Qemu(disk=blank_disk, bridge="no-such-bridge")
    assert list(spec.check()) == []
    (problem,) = spec.load().preflight(run)
    assert problem.where == "bridge"
    assert "there are: " in problem.what


def test_a_machine_that_is_not_heard_of(run, blank_disk):
    """The error says what to do; a machine that ends meanwhile is told at once."""
    small = {"memory": "64 MiB", "cpus": 1, "accelerator": "tcg", "seed": None, "communicator": NoCommunicator()}
    guest = find_guest(Qemu(disk=blank_disk, **small).load().boot(run).id)
    with pytest.raises(NoAddress, match=f"{mac_of(guest.id)} on pp0 within 0.1 s"):
        bridge.wait_for_address(run, guest, "pp0", limit=0.1)
    guest.child.kill()
    guest.child.wait(20)
    with pytest.raises(GuestGone):
        bridge.wait_for_address(run, guest, "pp0", limit=600)


SCRIPT = """
import json, subprocess, sys
from pathlib import Path
from packerpy.backends.qemu import Qemu
from packerpy.backends.qemu.guest import find_guest
from packerpy.communicators.ssh import SSH
from packerpy.testing import make_run

folder = Path(sys.argv[1])
small = {"memory": "64 MiB", "cpus": 1, "accelerator": "tcg", "seed": None, "bridge": "pp0"}
run = make_run(folder, name="web.qemu")
told = {}
try:
    spec = Qemu(disk=folder / "blank.qcow2", communicator=SSH(timeout=60), http={"a": "b"}, **small)
    assert list(spec.check()) == [] and list(spec.load().preflight(run)) == []
    original, saying = run.say, []

    def say(text):
        # In the place of a guest that asks for an address: the kernel learns who has it.
        original(text)
        saying.append(text)
        if text.startswith("waiting for 52:"):
            mac = text.split()[2]
            told["mac"] = mac
            subprocess.run(["ip", "neigh", "add", "192.0.2.77", "lladdr", mac, "dev", "pp0", "nud", "reachable"], check=True)

    run.say = say
    machine = spec.load().boot(run)
    told["http"] = [said for said in saying if said.startswith("serving HTTP at 192.0.2.1:")][0].split()[-1]
    told["endpoint"] = [machine.endpoint.host, machine.endpoint.port]
    told["card"] = find_guest(machine.id).qmp.execute("query-rx-filter")[0]["main-mac"]
    told["ports"] = len(list(Path("/sys/class/net/pp0/brif").iterdir()))
finally:
    assert run.close(failed=True) == ()
told["ports left"] = len(list(Path("/sys/class/net/pp0/brif").iterdir()))
print(json.dumps(told))
"""
SETUP = """
set -e
mount -t tmpfs tmpfs /etc/qemu
echo allow pp0 > /etc/qemu/bridge.conf
mount -t sysfs sysfs /sys
ip link set lo up
ip link add pp0 type bridge
ip addr add 192.0.2.1/24 dev pp0
ip link set pp0 up
exec "$0" -c "$1" "$2"
"""


@pytest.mark.root
def test_a_machine_is_connected_to_the_bridge(blank_disk):
    """Its card has a MAC of its own there; its address is the one that the host has heard of; so is the web server's."""
    command = ["unshare", "--net", "--mount", "sh", "-c", SETUP, sys.executable, SCRIPT, str(blank_disk.parent)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told["mac"] == told["card"]
    assert told == {
        "http": "192.0.2.1",
        "endpoint": ["192.0.2.77", 22],
        "ports": 1,
        "ports left": 0,
        "mac": told["card"],
        "card": told["card"],
    }


@pytest.mark.parametrize("name", ["", "a bridge", "br0,model=x"])
def test_a_name_that_no_bridge_has(name):
    """Nothing gets into QEMU's options by it."""
    (problem,) = Qemu(disk="a", bridge=name).check()
    assert problem.where == "bridge"
    assert [p.where for p in Qemu(disk="a", bridge="br0", host_port=2222).check()] == ["host_port"]
    assert not Qemu(disk="a", bridge="br0").saves_live
    assert Qemu(disk="a", bridge="br0", communicator=NoCommunicator(), http=WebServer({})).mute
