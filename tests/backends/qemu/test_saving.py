"""Saving and restoring machines that boot nothing: quick, and everything that can go wrong around it."""

import errno
import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

import attrs
import pytest

from packerpy.backends.fake.channel import FakeChannel
from packerpy.backends.qemu import Qemu, accelerator
from packerpy.backends.qemu.checkpoints import disks, ram
from packerpy.backends.qemu.checkpoints.disk_source import DiskSource
from packerpy.backends.qemu.checkpoints.source import CheckpointedSource
from packerpy.backends.qemu.errors import GuestGone, LayerDamaged, LayerForeign, NotSaved
from packerpy.backends.qemu.guest import find_guest, find_process
from packerpy.contracts import Checkpoints
from packerpy.errors import CancelledError, OutputError
from packerpy.testing.run import make_run


def quick(disk, **given) -> Qemu:
    """The smallest machine that QEMU starts."""
    return Qemu(
        **{
            "disk": disk,
            "layers": "live",
            "memory": "64 MiB",
            "cpus": 1,
            "accelerator": "tcg",
            "boot_timeout": 60.0,
            **given,
        }
    )


def empty(folder: Path, name: str = "layer") -> Path:
    """A folder for a layer."""
    layer = folder / name
    layer.mkdir(mode=0o700)
    return layer


def digests(layer: Path) -> dict[str, str]:
    """Of all its files."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(layer.iterdir())}


def save(source, run, machine, layer: Path) -> None:
    """All of it at once."""
    source.save(run, machine, NO_CHANNEL, layer)()


NO_CHANNEL = None
"""What saves a machine that runs needs no channel to it."""


@pytest.fixture
def saved(run, blank_disk, tmp_path):
    """A declaration, and the layer of a machine of it."""
    spec = quick(blank_disk)
    source = spec.load()
    machine = source.boot(run)
    layer = empty(tmp_path)
    save(source, run, machine, layer)
    return spec, machine, layer


def test_the_ability_is_there_only_where_it_works(blank_disk):
    """``layers="off"`` gives a source without it; other words are a problem; NVMe, which QEMU cannot save, is a disk."""
    assert isinstance(Qemu(disk=blank_disk).load(), CheckpointedSource)
    assert not isinstance(quick(blank_disk, layers="off").load(), Checkpoints)
    assert isinstance(quick(blank_disk, layers="disk").load(), DiskSource)
    assert isinstance(quick(blank_disk, disk_interface="nvme").load(), DiskSource)
    assert [problem.where for problem in quick(blank_disk, layers="ram").check()] == ["layers"]


def test_a_saved_machine_goes_on_and_its_layer_is_private_and_whole(run, saved):
    """It runs, on a new overlay; the layer is 0700 with files 0600, and its key is the one that was used."""
    spec, machine, layer = saved
    guest = find_guest(machine.id)
    assert guest.qmp.execute("query-status")["status"] == "running"
    assert spec.load().died(run, machine) is None
    (disk,) = guest.disks
    assert len(disk.overlays) == 2
    (frozen,) = layer.glob("disk0-*")
    assert frozen.samefile(disk.overlays[1])
    assert layer.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in layer.iterdir()} == {0o600}
    assert (layer / "id_ed25519").read_text() == machine.endpoint.key_file.read_text()
    told = json.loads((layer / "layer.json").read_text())
    assert "PRIVATE" not in json.dumps(told)
    assert (layer / "ram").stat().st_blocks * 512 < 48 << 20 < (layer / "ram").stat().st_size


def test_a_layer_without_its_last_touch_is_none(run, blank_disk, tmp_path):
    """What was not completed is refused."""
    source = quick(blank_disk).load()
    layer = empty(tmp_path)
    source.save(run, source.boot(run), NO_CHANNEL, layer)
    with pytest.raises(LayerDamaged):
        source.restore(run, layer)


@pytest.mark.parametrize("savable", [True, False])
def test_clones_have_the_saved_facts_and_a_place_of_their_own(run, saved, savable):
    """Two at once: same user, keys and facts, another id, port and key file; the layer is what it was."""
    spec, machine, layer = saved
    before = digests(layer)
    source = spec.load()
    clones = [source.restore(run, layer, savable=savable) for _ in range(2)]
    assert len({clone.id for clone in (*clones, machine)}) == 3
    assert len({clone.endpoint.port for clone in clones}) == 2
    for clone in clones:
        assert clone.facts == machine.facts
        assert clone.communicator == machine.communicator
        assert clone.endpoint.host_keys == machine.endpoint.host_keys
        assert clone.endpoint.user == machine.endpoint.user
        assert clone.endpoint.key_file != machine.endpoint.key_file
        assert clone.endpoint.key_file.stat().st_mode & 0o777 == 0o600
        guest = find_guest(clone.id)
        assert guest.qmp.execute("query-status")["status"] == "running"
        assert source.died(run, clone) is None
    generations = [find_guest(clone.id).qmp.execute("query-vm-generation-id")["guid"] for clone in clones]
    assert len(set(generations)) == 2
    assert digests(layer) == before


def test_the_memory_of_a_clone_is_the_saved_one(run, saved, tmp_path):
    """What is saved again at once is the same, byte by byte, but for what firmware writes; nothing refers to a layer."""
    spec, _, layer = saved
    source = spec.load()
    second = empty(tmp_path, "second")
    clone = source.restore(run, layer)
    find_guest(clone.id).qmp.execute("stop")
    save(source, run, clone, second)
    one, two = (layer / "ram").read_bytes(), (second / "ram").read_bytes()
    pages = range(0, len(one), 4096)
    assert sum(one[at : at + 4096] != two[at : at + 4096] for at in pages) < len(pages) / 20
    for path in layer.iterdir():
        path.unlink()
    assert source.died(run, source.restore(run, second)) is None


def test_a_mapped_clone_cannot_be_saved_and_says_so(run, saved, tmp_path):
    """It runs on; the folder stays empty."""
    spec, _, layer = saved
    source = spec.load()
    clone = source.restore(run, layer, savable=False)
    with pytest.raises(NotSaved):
        save(source, run, clone, empty(tmp_path, "second"))
    assert source.died(run, clone) is None
    assert list((tmp_path / "second").iterdir()) == []


def test_long_chains_become_one_overlay(run, saved, tmp_path, monkeypatch):
    """Disks that stand on many others are copied into one; before that a layer holds the whole chain."""
    monkeypatch.setattr(disks, "LONGEST", 3)
    spec, machine, layer = saved
    source = spec.load()
    counts = []
    for number in range(4):
        layer = empty(tmp_path, f"next{number}")
        save(source, run, machine, layer)
        counts.append(len(list(layer.glob("disk0-*"))))
        machine = source.restore(run, layer) if number % 2 else machine
    assert counts == [2, 3, 1, 1]
    source.restore(run, layer)


def test_a_layer_on_another_file_system_is_a_copy(run, blank_disk):
    """Nothing can be linked there; extra disks and UEFI's variables are saved too."""
    spec = quick(blank_disk, firmware="uefi", extra_disks=["8 MiB"], memory="128 MiB")
    source = spec.load()
    machine = source.boot(run)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        layer = empty(Path(folder))
        save(source, run, machine, layer)
        names = {path.name.partition("-")[0] for path in layer.iterdir()}
        assert names >= {"disk0", "disk1", "variables.fd"}
        clone = source.restore(run, layer)
        assert source.died(run, clone) is None
        find_guest(clone.id).stop()


@pytest.mark.parametrize("name", ["layer.json", "ram", "state", "id_ed25519", "seed.iso", "disk0"])
def test_a_missing_file_is_named(run, saved, name):
    """Each file of the layer is missed before anything is started."""
    spec, _, layer = saved
    victim = next(layer.glob(f"{name}*"))
    victim.unlink()
    before = sorted(run.workdir.iterdir())
    with pytest.raises(LayerDamaged, match="damaged") as caught:
        spec.load().restore(run, layer)
    assert victim.name in caught.value.details
    assert sorted(run.workdir.iterdir()) == before


@pytest.mark.parametrize("savable", [True, False])
@pytest.mark.parametrize("name", ["layer.json", "ram", "state", "id_ed25519"])
def test_a_changed_byte_is_noticed(run, saved, name, savable):
    """In memory, device state, key and record; everything that was acquired by then is given back."""
    spec, _, layer = saved
    victim = layer / name
    place = 0 if name != "ram" else json.loads((layer / "layer.json").read_text())["ram"]["extents"][-1][0] + 5
    with victim.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 255]))
    before = sorted(run.workdir.iterdir())
    with pytest.raises(LayerDamaged):
        spec.load().restore(run, layer, savable=savable)
    assert sorted(run.workdir.iterdir()) == before


def test_a_changed_base_is_noticed(run, saved, blank_disk):
    """A saved machine is of no use on another disk than it ran on."""
    spec, machine, layer = saved
    find_guest(machine.id).stop()
    subprocess.run(["qemu-img", "resize", "-q", blank_disk, "128M"], check=True)
    with pytest.raises(LayerDamaged) as caught:
        spec.load().restore(run, layer)
    assert blank_disk.name in caught.value.details


def test_the_fingerprint_changes_with_the_hardware_only(run, blank_disk, saved):
    """Processor, machine, memory, devices; but not the disk's place or the name; a layer is refused under another."""
    spec, _, layer = saved
    base = spec.load().fingerprint(run)
    for given in (
        {"cpu_model": "qemu64"},
        {"machine": "pc"},
        {"cpus": 2},
        {"memory": "65 MiB"},
        {"network_device": "e1000e"},
        {"disk_interface": "virtio-scsi"},
        {"extra_disks": ["8 MiB"]},
        {"firmware": "uefi"},
        {"seed": None},
        {"extra_args": ["-device", "edu"]},
    ):
        assert quick(blank_disk, **given).load().fingerprint(run) != base, given
    assert attrs.evolve(spec, disk="/elsewhere", format="raw", user="x").load().fingerprint(run) == base
    with pytest.raises(LayerForeign, match="does not fit"):
        attrs.evolve(spec, cpu_model="qemu64").load().restore(run, layer)


def test_a_full_disk_leaves_the_machine_running(run, blank_disk, tmp_path, monkeypatch):
    """The error names the file system, the folder is empty, and the machine can be saved another time."""
    source = quick(blank_disk).load()
    machine = source.boot(run)
    layer = empty(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(ram, "write", full)
        with pytest.raises(OutputError, match="full"):
            save(source, run, machine, layer)
    assert list(layer.iterdir()) == []
    assert source.died(run, machine) is None
    assert find_guest(machine.id).qmp.execute("query-status")["status"] == "running"
    save(source, run, machine, layer)
    assert source.died(run, source.restore(run, layer)) is None


def test_a_cancel_leaves_the_machine_running(run, blank_disk, tmp_path, monkeypatch):
    """The run's end is what ends it."""
    source = quick(blank_disk).load()
    machine = source.boot(run)
    layer = empty(tmp_path)
    switch = disks.switch

    def cancelled(*given):
        frozen = switch(*given)
        run.cancellation.request()
        run.cancellation.check()
        return frozen

    monkeypatch.setattr(disks, "switch", cancelled)
    with pytest.raises(CancelledError):
        save(source, run, machine, layer)
    assert list(layer.iterdir()) == []
    assert find_guest(machine.id).qmp.execute("query-status")["status"] == "running"


def test_a_device_that_cannot_be_saved_is_named(run, blank_disk, tmp_path):
    """QEMU's own word on it is in the error; the machine runs on."""
    extra = ["-blockdev", "null-co,node-name=none", "-device", "nvme,drive=none,serial=a"]
    source = quick(blank_disk, extra_args=extra).load()
    machine = source.boot(run)
    with pytest.raises(NotSaved) as caught:
        save(source, run, machine, empty(tmp_path))
    assert "nvme" in caught.value.details
    assert source.died(run, machine) is None


def test_a_machine_that_is_gone_is_not_saved(run, saved, tmp_path):
    """There is nothing to save."""
    spec, machine, _ = saved
    find_guest(machine.id).stop()
    with pytest.raises(GuestGone):
        save(spec.load(), run, machine, empty(tmp_path, "second"))


def test_the_end_of_the_run_ends_clones(tmp_path, run, saved):
    """No process is left."""
    spec, _, layer = saved
    folder = run.workdir
    clones = [spec.load().restore(run, layer) for _ in range(2)]
    assert run.close(failed=False) == ()
    assert [find_process(clone.id) for clone in clones] == [None, None]
    assert not folder.exists()


def test_memory_survives_the_way_to_a_file_and_back(tmp_path):
    """Odd places and lengths, holes and written zeros: the copy is equal, zeros take no room, a cut file is noticed."""
    size = 16 << 20
    with tempfile.TemporaryFile() as memory, tempfile.TemporaryFile() as copy:
        for file in (memory, copy):
            file.truncate(size)
        for place, data in ((0, b"a"), (5000000, os.urandom(3 << 20)), (size - 1, b"z"), (12 << 20, bytes(2 << 20))):
            os.pwrite(memory.fileno(), data, place)
        extents = ram.write(memory.fileno(), tmp_path / "ram", check=lambda: None)
        assert sum(length for _, length in extents) <= (3 << 20) + 4 * (64 << 10)
        for place, data in ((5000000, bytes(1 << 20)), (7 << 20, b"new"), (9 << 20, b"more")):
            os.pwrite(memory.fileno(), data, place)
        extents = ram.correct(memory.fileno(), tmp_path / "ram", extents, check=lambda: None)
        told = ram.finish(tmp_path / "ram", extents, check=lambda: None)
        assert ram.read(tmp_path / "ram", told, copy.fileno(), check=lambda: None) is None
        assert os.pread(copy.fileno(), size, 0) == os.pread(memory.fileno(), size, 0)
        os.truncate(tmp_path / "ram", size - 1)
        assert ram.read(tmp_path / "ram", told, None, check=lambda: None) is not None


def test_disk_layers_hold_no_memory_and_boot_again(run, blank_disk, tmp_path):
    """Disks and UEFI's variables are saved while the machine goes on; a machine of a layer has keys of its own.

    The layer is refused for other hardware, and is none for a source that saves running machines.
    """
    given = {"layers": "disk", "firmware": "uefi", "disk_interface": "nvme", "memory": "128 MiB"}
    spec = quick(blank_disk, **given)
    source = spec.load()
    machine = source.boot(run)
    layers = [empty(tmp_path, f"layer{number}") for number in range(2)]
    for layer in layers:
        source.save(run, machine, FakeChannel(tmp_path, run.cancellation, None), layer)()
    assert find_guest(machine.id).qmp.execute("query-status")["status"] == "running"
    assert [len(list(layer.glob("disk0-*"))) for layer in layers] == [1, 2]
    assert {path.name.partition("-")[0] for path in layers[0].iterdir()} == {"disk0", "variables.fd", "layer.json"}
    before = digests(layers[1])
    (tmp_path / "other").mkdir()
    other = make_run(tmp_path / "other", name="other.qemu")
    try:
        again = source.restore(other, layers[1])
        assert source.died(other, again) is None
        assert again.endpoint.host_keys != machine.endpoint.host_keys
        assert len(find_guest(again.id).disks[0].overlays) == 3
    finally:
        assert other.close(failed=True) == ()
    assert digests(layers[1]) == before
    with pytest.raises(LayerForeign):
        quick(blank_disk, **given | {"disk_interface": "virtio"}).load().restore(run, layers[1])
    with pytest.raises(LayerForeign):
        quick(blank_disk, **given | {"layers": "live", "disk_interface": "virtio"}).load().restore(run, layers[1])


def test_an_undecided_accelerator_does_not_change_keys(run, blank_disk, monkeypatch):
    """The fingerprint before the first boot on a host with kvm is the one after it."""
    monkeypatch.setattr(accelerator, "may_be_kvm", lambda _: True)
    source = quick(blank_disk, accelerator="auto").load()
    before = source.fingerprint(run)
    accelerator.Verdicts(cache=run.cache, version=accelerator.qemu_version("qemu-system-x86_64")).remember("kvm")
    assert source.fingerprint(run) == before
