"""Deciding between kvm and emulation."""

import json
from pathlib import Path

import pytest

from packerpy.backends.qemu import Qemu, accelerator, start
from packerpy.backends.qemu.accelerator import Verdicts


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu vmx sse", True), ("fpu svm", True), ("fpu sse hypervisor", False), ("vmxnet", False)],
)
def test_a_processor_must_say_that_it_can(monkeypatch, tmp_path, flags, expected):
    """Only the whole words vmx and svm count."""
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: vmx svm\n")
    monkeypatch.setattr(accelerator, "_CPU_INFO", info)
    monkeypatch.setattr(accelerator.platform, "machine", lambda: "x86_64")
    assert accelerator.cpu_can_virtualise() is expected


def test_a_foreign_architecture_is_emulated(monkeypatch):
    """Kvm runs only the host's own kind of guests."""
    monkeypatch.setattr(accelerator, "cpu_can_virtualise", lambda: True)
    monkeypatch.setattr(accelerator, "kvm_opens", lambda: True)
    monkeypatch.setattr(accelerator.platform, "machine", lambda: "x86_64")
    assert accelerator.may_be_kvm("x86_64")
    assert not accelerator.may_be_kvm("aarch64")


def test_a_verdict_is_remembered_for_this_boot_and_this_qemu(tmp_path):
    """Another version of QEMU starts without one; verdicts of other boots are dropped."""
    mine = Verdicts(cache=tmp_path, version="7.2")
    assert mine.read() is None
    mine.remember("tcg")
    file = tmp_path / "qemu" / "accelerators.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"other boot 7.2": "kvm"}))
    assert mine.read() == "tcg"
    assert Verdicts(cache=tmp_path, version="8.0").read() is None
    Verdicts(cache=tmp_path, version="8.0").remember("kvm")
    assert mine.read() == "tcg"
    assert "other boot 7.2" not in json.loads(file.read_text())


def test_a_damaged_memory_is_as_good_as_none(tmp_path):
    """Nobody has to repair a cache by hand."""
    (tmp_path / "qemu").mkdir()
    (tmp_path / "qemu" / "accelerators.json").write_text("{")
    assert Verdicts(cache=tmp_path, version="7.2").read() is None


def test_a_host_without_the_flags_emulates_without_a_try(run, blank_disk, monkeypatch):
    """An open /dev/kvm alone is not trusted."""
    monkeypatch.setattr(accelerator, "cpu_can_virtualise", lambda: False)
    machine = Qemu(disk=blank_disk, memory="64 MiB").load().boot(run)
    assert machine.facts["accelerator"] == "tcg"


def test_auto_takes_what_was_learned(run, blank_disk, monkeypatch):
    """With a verdict there is no watching: the start answers at once, with what the verdict says."""
    monkeypatch.setattr(accelerator, "may_be_kvm", lambda _: True)
    monkeypatch.setattr(start, "wait_for_life", None)
    version = accelerator.qemu_version(start.find_binary(Qemu(disk=blank_disk)))
    Verdicts(cache=run.cache, version=version).remember("tcg")
    machine = Qemu(disk=blank_disk, memory="64 MiB").load().boot(run)
    assert machine.facts["accelerator"] == "tcg"


def test_a_qemu_that_ends_with_kvm_is_started_without_it(run, blank_disk, tmp_path, monkeypatch):
    """Some hosts' kvm lacks what QEMU sets; its own words are told, and nothing of the first try is left."""
    real = start.find_binary(Qemu(disk=blank_disk))
    picky = tmp_path / "qemu"
    picky.write_text(
        f'#!/bin/sh\ncase " $* " in *" kvm"*) echo "failed to set MSR" >&2; exit 1;; esac\nexec {real} "$@"\n'
    )
    picky.chmod(0o755)
    monkeypatch.setattr(start, "find_binary", lambda _: str(picky))
    monkeypatch.setattr(accelerator, "may_be_kvm", lambda _: True)
    monkeypatch.setattr(start, "TCG_LIFE", 1.0)
    machine = Qemu(disk=blank_disk, memory="64 MiB").load().boot(run)
    assert machine.facts["accelerator"] == "tcg"
    assert any("QEMU ended with it: failed to set MSR" in getattr(event, "text", "") for event in run.events)
    assert len(list(run.workdir.glob("*/qemu.log"))) == 1


def test_a_disk_that_never_boots_teaches_nothing(run, blank_disk, monkeypatch):
    """No life with kvm and none with emulation either: it is the disk, and the next build tries again."""
    monkeypatch.setattr(accelerator, "may_be_kvm", lambda _: True)
    monkeypatch.setattr(start, "KVM_LIFE", 1.0)
    monkeypatch.setattr(start, "TCG_LIFE", 1.0)
    machine = Qemu(disk=blank_disk, memory="64 MiB").load().boot(run)
    assert machine.facts["accelerator"] == "tcg"
    assert Verdicts(cache=run.cache, version="").cache == run.cache
    assert not Path(run.cache / "qemu" / "accelerators.json").exists()
