"""Real QEMU processes that boot nothing: everything that can go wrong around a guest."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from packerpy.artifacts.journal import step_of
from packerpy.backends.qemu import Qemu
from packerpy.backends.qemu.errors import DiedAtStart, DiskMissing, PortTaken, WillNotStop
from packerpy.backends.qemu.guest import find_guest, find_process
from packerpy.communicators.agent import GuestAgent
from packerpy.communicators.ssh import SSH
from packerpy.contracts import Diagnoses
from packerpy.declare import Image
from packerpy.errors import BuildError, CancelledError, CommunicatorError, SourceError
from packerpy.testing.run import make_run
from packerpy.values import Artifact, Completed


def quick(disk, **given) -> Qemu:
    """The smallest machine that QEMU starts."""
    return Qemu(**{"disk": disk, "memory": "64 MiB", "cpus": 1, "accelerator": "tcg", **given})


class Mute:
    """A channel on which every command ends well and does nothing."""

    def run(self, command, *, sink=None):
        return Completed(exit_status=0)


def wait_gone(pid: int, seconds: float = 10) -> bool:
    """Whether a process has ended within the time."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def test_a_missing_disk_is_named(run, tmp_path):
    """By preflight as a problem, by boot as an error, and no process is started."""
    spec = quick(tmp_path / "nothing.qcow2")
    assert [problem.where for problem in spec.load().preflight(run)] == ["disk"]
    with pytest.raises(DiskMissing, match="nothing"):
        spec.load().boot(run)


def test_a_wrong_checksum_is_told(run, blank_disk):
    """The file is not booted."""
    with pytest.raises(BuildError, match="checksum"):
        quick(blank_disk, checksum="sha256:" + "0" * 64).load().boot(run)


def test_qemu_that_dies_at_its_start_is_quoted(run, blank_disk):
    """The error holds the exit code and what QEMU printed; no folder or overlay is left of it but by the run's end."""
    with pytest.raises(DiedAtStart) as caught:
        quick(blank_disk, extra_args=["-device", "no-such-device"]).load().boot(run)
    assert "exit code 1" in caught.value.brief
    assert "no-such-device" in (caught.value.details or "")


def test_a_port_that_is_taken_is_named(run, blank_disk):
    """One fixed port, held by somebody else."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortTaken, match=str(port)):
            quick(blank_disk, host_port=port).load().boot(run)


def free_range(count: int) -> tuple[int, int]:
    """The first and last of neighbouring ports that are free now."""
    for first in range(20000, 60000, 17):
        with ExitStack() as held:
            try:
                for port in range(first, first + count):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first, first + count - 1
    raise AssertionError("no free ports")


def test_a_range_of_ports_is_shared_without_a_race(tmp_path, blank_disk):
    """Three machines started at once get one port each; a fourth finds the range used up."""
    wanted = free_range(3)
    runs = [make_run(tmp_path, name=f"web{number}") for number in range(4)]
    spec = quick(blank_disk, host_port=wanted)
    try:
        with ThreadPoolExecutor(3) as pool:
            ports = list(pool.map(lambda own: spec.load().boot(own).endpoint.port, runs[:3]))
        assert sorted(ports) == list(range(wanted[0], wanted[1] + 1))
        with pytest.raises(PortTaken, match="all ports"):
            spec.load().boot(runs[3])
    finally:
        for own in runs:
            own.close(failed=True)


def test_a_guest_that_never_offers_ssh_is_diagnosed(run, blank_disk):
    """The channel's time limit ends the wait; console and a PNG of the screen lie outside of the run's folder."""
    source = quick(blank_disk, boot_timeout=4.0).load()
    machine = source.boot(run)
    assert isinstance(source, Diagnoses)
    with pytest.raises(CommunicatorError, match="4 s"):
        machine.communicator.load().connect(run, machine, died=lambda: source.died(run, machine))
    text = source.diagnose(run, machine)
    assert "its serial console printed nothing" in text
    picture = next(run.cache.glob("crash/*/screen.png"))
    assert str(picture) in text
    assert picture.read_bytes().startswith(b"\x89PNG")
    run.close(failed=True)
    assert picture.exists()


def test_a_machine_that_dies_while_one_waits_for_it_is_told_at_once(run, blank_disk):
    """The wait for a channel ends with the reason, long before its time limit; a diagnosis still works."""
    source = quick(blank_disk).load()
    machine = source.boot(run)
    guest = find_guest(machine.id)
    assert guest is not None
    assert source.died(run, machine) is None
    os.kill(guest.pid, signal.SIGSEGV)
    with pytest.raises(CommunicatorError) as caught:
        machine.communicator.load().connect(run, machine, died=lambda: source.died(run, machine))
    assert "signal 11" in str(caught.value)
    assert "QEMU is gone" in source.diagnose(run, machine)


def test_a_guest_that_ignores_the_power_button_is_not_killed_silently(run, blank_disk):
    """It is an error that says how the guest was asked, and the machine still runs until the run ends."""
    source = quick(blank_disk, shutdown_command="", shutdown_timeout=1.0, generalize=False).load()
    machine = source.boot(run)
    with pytest.raises(WillNotStop, match="ACPI power button and still runs after 1 s"):
        source.capture(run, machine, Mute())
    assert source.died(run, machine) is None
    assert list(run.staging.iterdir()) == []


def test_a_cancel_while_waiting_leaves_no_process(tmp_path, blank_disk):
    """The wait ends at once, the run's end takes the process and all files."""
    run = make_run(tmp_path)
    source = quick(blank_disk).load()
    machine = source.boot(run)
    guest = find_guest(machine.id)
    assert guest is not None
    threading.Timer(0.5, run.cancellation.request).start()
    with pytest.raises(CancelledError):
        machine.communicator.load().connect(run, machine, died=lambda: source.died(run, machine))
    assert run.close(failed=True) == ()
    assert wait_gone(guest.pid, 0)
    assert find_process(machine.id) is None
    assert not run._workdir.exists()
    assert run.journal.entries() == ()


def test_everything_acquired_is_found_again_by_the_journal_alone(run, blank_disk):
    """What a crash leaves is only the journal: made anew from it, each step finds its thing, the process included."""
    machine = quick(blank_disk, firmware="uefi", layers="off").load().boot(run)  # memory has no name to be found by
    steps = [step_of(entry) for entry in run.journal.entries()][:5]
    assert [type(step).__name__ for step in steps] == [
        "Launch",
        "CopyVariables",
        "CreateOverlay",
        "Folder",
        "MakeSeed",
    ]
    found = [step.find(run) for step in steps]
    assert all(thing is not None for thing in found)
    guest = found[0]
    assert guest.pid == find_process(machine.id)
    steps[0].undo(run, guest)
    assert wait_gone(guest.pid)


def test_a_cancel_before_the_start_starts_nothing(run, blank_disk):
    """Nothing is acquired after a cancel."""
    run.cancellation.request()
    with pytest.raises(CancelledError):
        quick(blank_disk).load().boot(run)
    assert run.journal.entries() == ()


def test_killing_packerpy_with_sigkill_leaves_no_qemu(tmp_path, blank_disk):
    """A process of its own boots a machine and is killed; the kernel ends QEMU with it."""
    script = f"""
import time
from pathlib import Path
from packerpy.artifacts.journal import step_of
from packerpy.backends.qemu import Qemu
from packerpy.testing.run import make_run
run = make_run(Path({str(tmp_path)!r}))
machine = Qemu(disk={str(blank_disk)!r}, memory="64 MiB", cpus=1, accelerator="tcg").load().boot(run)
print(machine.id, run.workdir, flush=True)
time.sleep(600)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    machine, workdir = child.stdout.readline().split()
    pid = find_process(machine)
    assert pid is not None
    child.kill()
    child.wait()
    child.stdout.close()
    assert wait_gone(pid)
    subprocess.run(["rm", "-rf", workdir], check=True)


def test_an_artifact_tells_user_and_seed_to_the_machine(tmp_path, blank_disk):
    """Facts of another image's disk decide the login name; the base itself stays untouched."""
    base = Image("base", source=quick(blank_disk))
    artifact = Artifact(
        kind="disk",
        id="base.qcow2",
        outputs={"disk": str(blank_disk)},
        facts={"format": "qcow2", "user": "debian", "seed": "packerpy", "agent": "qemu"},
    )
    before = blank_disk.read_bytes()
    run = make_run(tmp_path, artifacts={base.output("disk"): artifact})
    try:
        machine = quick(base.output("disk"), disk_size="128 MiB").load().boot(run)
        assert machine.endpoint.user == "debian"
        assert machine.facts["seed"] == "packerpy"
        assert machine.facts["agent"] == "qemu"
        assert blank_disk.read_bytes() == before
    finally:
        run.close(failed=True)


def test_an_output_that_is_no_disk_is_told(tmp_path, blank_disk):
    """The error lists what the artifact has."""
    wrong = Image("base", source=quick(blank_disk)).output("ova")
    artifact = Artifact(kind="disk", id="base.qcow2", outputs={"disk": str(blank_disk)})
    run = make_run(tmp_path, artifacts={wrong: artifact})
    try:
        with pytest.raises(SourceError, match="no output 'ova'"):
            quick(wrong).load().boot(run)
    finally:
        run.close(failed=True)


def test_the_communicators_user_is_the_one_that_is_seeded(run, blank_disk):
    """A login name given to SSH is the one for whom the key is put into the guest."""
    machine = quick(blank_disk, communicator=SSH(user="me")).load().boot(run)
    assert machine.endpoint.user == "me"
    assert machine.endpoint.host_keys[0].startswith("ssh-ed25519 ")


def test_without_a_seed_no_keys_are_made(run, blank_disk):
    """Then the communicator must bring its own."""
    machine = quick(blank_disk, seed=None).load().boot(run)
    assert machine.endpoint.key_file is None
    assert machine.endpoint.host_keys == ()


@pytest.mark.parametrize("interface", ["virtio", "virtio-scsi", "nvme", "sata", "ide"])
@pytest.mark.parametrize("machine", ["q35", "pc"])
def test_every_disk_interface_starts_on_every_machine(run, blank_disk, interface, machine):
    """QEMU itself accepts all combinations, with two extra disks."""
    booted = (
        quick(blank_disk, disk_interface=interface, machine=machine, extra_disks=["1 MiB", blank_disk]).load().boot(run)
    )
    guest = find_guest(booted.id)
    assert guest is not None
    assert guest.qmp.execute("query-status")["running"] is True


def test_the_agent_is_used_where_the_disk_has_it(run, blank_disk):
    """By what the disk's artifact tells; what is declared wins; the data for SSH is there anyway, and the fact goes on."""
    artifact = Artifact(
        kind="disk",
        id="base",
        files=(blank_disk,),
        outputs={"disk": str(blank_disk)},
        facts={"format": "qcow2", "agent": "qemu", "user": "admin", "seed": "packerpy"},
    )
    machine = quick(artifact, boot_timeout=7.0, layers="live").load().boot(run)
    assert machine.communicator == GuestAgent(user="admin", timeout=7.0)
    assert machine.endpoint.path is not None
    assert machine.endpoint.path.is_socket()
    assert machine.endpoint.key_file is not None
    assert machine.facts["agent"] == "qemu"
    assert quick(blank_disk, seed=None).load().boot(run).communicator == SSH()
    assert quick(artifact, communicator=SSH(), seed=None).load().boot(run).communicator == SSH()
    assert quick(blank_disk, seed=None).load().boot(run).communicator == SSH()
    with pytest.raises(CommunicatorError, match="nobody speaks"):
        GuestAgent(timeout=0.5).load().connect(run, machine)
