"""Real guests, saved while they run and gone on with in clones. One guest is booted for all of these tests."""

import hashlib
import os
import time

import attrs
import pytest

from packerpy.backends.qemu import Qemu
from packerpy.backends.qemu.guest import find_guest, find_process
from packerpy.communicators.ssh import SSH
from packerpy.errors import CommunicatorError
from packerpy.kit.revive import revive
from packerpy.kit.ssh_keys import make_key_pair
from packerpy.testing.run import make_run
from packerpy.values import Command

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]

SLEEPER = "sleep 1234567"


def connect(source, run, machine):
    """Open the channel; on failure show what the machine shows."""
    try:
        return machine.communicator.load().connect(run, machine, died=lambda: source.died(run, machine))
    except CommunicatorError as error:
        error.add_note(source.diagnose(run, machine))
        raise


def said(channel, line: str) -> str:
    """The output of a command that must go well."""
    done = channel.run(Command(line=line))
    assert done.ok, done
    return done.stdout.strip()


def wait_until(run, reached) -> None:
    """Look every half second, at most 60 s: the guest tells us of free memory when it finds the time."""
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        run.wait(0.5)


def digests(layer):
    """Of all files of a layer."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(layer.iterdir())}


@pytest.fixture(scope="module")
def saved(base_disk, tmp_path_factory):
    """A guest that has written a file, filled a tmpfs and started a process, saved; what it said, and how long it took.

    It goes on after that, and what it writes then is not in the layer.
    """
    folder = tmp_path_factory.mktemp("saved")
    layer = folder / "layer"
    layer.mkdir(mode=0o700)
    run = make_run(folder, name="web.qemu")
    seen: dict[str, str] = {}
    try:
        spec = Qemu(disk=base_disk, boot_timeout=900.0, memory="512 MiB", layers="live")
        source = spec.load()
        machine = source.boot(run)
        channel = connect(source, run, machine)
        said(channel, "echo on-disk > /root/file; echo in-memory > /run/file")
        said(channel, f"setsid {SLEEPER} >/dev/null 2>&1 </dev/null & disown 2>/dev/null; true")
        seen["process"] = said(channel, f"pgrep -x -f '{SLEEPER}'")
        said(channel, "head -c 200M /dev/zero | tr '\\0' x > /dev/shm/big && rm /dev/shm/big")
        seen["boot"] = said(channel, "cat /proc/sys/kernel/random/boot_id")
        wait_until(run, lambda: os.fstat(find_guest(machine.id).memory).st_blocks * 512 < 250 << 20)
        began = time.monotonic()
        source.save(run, machine, channel, layer)()
        seen["seconds"] = f"{time.monotonic() - began:.2f}"
        seen["told"] = next(event.text for event in reversed(run.events) if "saved" in getattr(event, "text", ""))
        said(channel, "echo later > /root/file; echo later > /run/file; sync")
        assert said(channel, "cat /root/file /run/file").split() == ["later", "later"]
    finally:
        assert run.close(failed=False) == ()
    return spec, layer, seen


def test_two_clones_go_on_where_the_guest_was_saved(saved, tmp_path, record_property):
    """Each has the file, the tmpfs and the process, the pinned key, the right clock and randomness of its own.

    What one writes, the other has not, and neither has the layer; what one holds when it is captured boots. The run of
    the booted guest has ended long before.
    """
    spec, layer, seen = saved
    before = digests(layer)
    run = make_run(tmp_path, name="web.qemu")
    try:
        source = spec.load()
        began = time.monotonic()
        clones = [source.restore(run, layer) for _ in range(2)]
        restored = time.monotonic()
        channels = [connect(source, run, clone) for clone in clones]
        record_property("restored", (restored - began) / 2)
        for number, channel in enumerate(channels):
            revive(run, channel)
            assert said(channel, "cat /root/file /run/file").split() == ["on-disk", "in-memory"]
            assert said(channel, f"pgrep -x -f '{SLEEPER}'") == seen["process"]
            assert said(channel, "cat /proc/sys/kernel/random/boot_id") == seen["boot"]
            said(channel, f"echo {number} > /root/own; echo {number} > /run/own; sync")
        for number, channel in enumerate(channels):
            assert abs(clock(channel)) < 2
            assert said(channel, "cat /root/own /run/own").split() == [str(number)] * 2
        assert len({said(channel, "head -c 16 /dev/urandom | od -An -tx1") for channel in channels}) == 2
        assert not [event for event in run.events if "randomness" in getattr(event, "text", "")]
        stranger = make_key_pair(tmp_path / "stranger").public
        wrong = attrs.evolve(clones[0].endpoint, host_keys=(" ".join(stranger.split()[:2]),))
        with pytest.raises(CommunicatorError, match="host key"):
            SSH(timeout=300).load().connect(run, attrs.evolve(clones[0], endpoint=wrong))
        channels[1].close()
        find_guest(clones[1].id).stop()
        artifact = source.capture(run, clones[0], channels[0])
        assert digests(layer) == before
    finally:
        assert run.close(failed=False) == ()
    assert [find_process(clone.id) for clone in clones] == [None, None]
    boots_with(spec.for_test(artifact), artifact, tmp_path)


def clock(channel) -> float:
    """Seconds by which a guest's clock is ahead of ours, as far as can be said from here; 0 if it may be right."""
    before = time.time()
    there = float(said(channel, "date +%s.%N"))
    after = time.time()
    return min(there - before, 0.0) or max(there - after, 0.0)


def boots_with(spec, artifact, folder):
    """The captured disk stands alone and holds what the clone wrote, and no process of it."""
    run = make_run(folder, name="test")
    try:
        source = spec.load()
        machine = source.boot(run)
        channel = connect(source, run, machine)
        assert said(channel, "cat /root/file /root/own").split() == ["on-disk", "0"]
        assert said(channel, f"pgrep -x -f '{SLEEPER}'; true") == ""
    finally:
        assert run.close(failed=True) == ()


def test_a_clone_is_saved_again(saved, tmp_path):
    """A second layer on the first, and a clone of that: it has what was done before and between."""
    spec, layer, seen = saved
    second = tmp_path / "second"
    second.mkdir(mode=0o700)
    run = make_run(tmp_path, name="web.qemu")
    try:
        source = spec.load()
        clone = source.restore(run, layer)
        channel = connect(source, run, clone)
        revive(run, channel)
        said(channel, "echo between > /root/between")
        source.save(run, clone, channel, second)()
        channel.close()
        again = source.restore(run, second, savable=False)
        channel = connect(source, run, again)
        revive(run, channel)
        assert said(channel, "cat /root/file /root/between").split() == ["on-disk", "between"]
        assert said(channel, f"pgrep -x -f '{SLEEPER}'") == seen["process"]
    finally:
        assert run.close(failed=True) == ()
