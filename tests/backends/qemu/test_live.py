"""Real guests. Each boot takes half a minute or more under emulation, so tests share them where they can."""

import attrs
import pytest

from packerpy.backends.qemu import Qemu, accelerator, start
from packerpy.backends.qemu.guest import find_guest
from packerpy.backends.qemu.life import wait_for_life
from packerpy.communicators.ssh import SSH
from packerpy.communicators.ssh.login import LoginRefusedError
from packerpy.declare import Image
from packerpy.errors import CommunicatorError
from packerpy.kit.ssh_keys import make_key_pair
from packerpy.testing.run import make_run
from packerpy.values import Command

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]


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


@pytest.fixture(scope="module")
def captured(base_disk, tmp_path_factory):
    """An image made from the base: what was seen while it was built, and its artifact."""
    folder = tmp_path_factory.mktemp("captured")
    run = make_run(folder, name="web.qemu")
    seen: dict[str, str] = {}
    failed = True
    try:
        spec = Qemu(disk=base_disk, boot_timeout=900.0, disk_size="3 GiB", extra_disks=["64 MiB"], compress=True)
        source = spec.load()
        machine = source.boot(run)
        channel = connect(source, run, machine)
        seen["accelerator"] = machine.facts["accelerator"]
        seen["machine-id"] = said(channel, "cat /etc/machine-id")
        seen["root-size"] = said(channel, "df --output=size -B1M / | tail -1")
        said(channel, "echo built > /root/built; cp /bin/true /opt/tool")
        said(
            channel,
            "disk=$(lsblk -bdno NAME,SIZE | awk '$2==67108864{print $1}'); echo extra | dd of=/dev/$disk bs=512 conv=sync",
        )
        stranger = make_key_pair(folder / "stranger")
        seen["stranger"] = refused(run, machine, stranger.private)
        artifact = source.capture(run, machine, channel)
        failed = False
    finally:
        left = run.close(failed=failed)
    assert left == ()
    return seen, artifact, folder


def refused(run, machine, key_file) -> str:
    """How a login with another key ends."""
    stranger = attrs.evolve(machine, endpoint=attrs.evolve(machine.endpoint, key_file=key_file))
    with pytest.raises(LoginRefusedError) as caught:
        SSH(timeout=600, handshake_attempts=1).load().connect(run, stranger)
    return str(caught.value)


def test_an_image_is_built_from_a_base_and_stands_alone(captured):
    """Boot, commands over SSH, capture: two files in the staging folder, without backing files, named after the image."""
    seen, artifact, _ = captured
    assert [path.name for path in artifact.files] == ["web.qcow2", "web-disk1.qcow2"]
    assert artifact.outputs["disk"] == str(artifact.files[0])
    assert artifact.facts["user"] == "root"
    assert artifact.facts["virtual_size"] == str(3 << 30)
    assert int(seen["root-size"]) > 2500


def test_a_wrong_key_is_refused(captured):
    """Only the key that was made for the build opens the machine."""
    seen, _, _ = captured
    assert "root" in seen["stranger"]


def test_the_captured_disk_boots_with_uefi_and_is_general(captured, tmp_path):
    """Another firmware, the second processor model, one CPU: the file is there, the machine id is another, no key is left."""
    seen, artifact, _ = captured
    image = Image("web", source=Qemu(disk=artifact))
    run = make_run(tmp_path, name="test", artifacts={image.output(): artifact})
    try:
        spec = Qemu(disk=image.output(), firmware="uefi", boot_timeout=900.0, extra_disks=["64 MiB"], memory="512 MiB")
        source = spec.for_test(artifact).load()
        machine = source.boot(run)
        channel = connect(source, run, machine)
        assert said(channel, "cat /root/built; test -d /sys/firmware/efi && echo efi") == "built\nefi"
        assert said(channel, "cat /etc/machine-id") != seen["machine-id"]
        assert said(channel, "grep -sl packerpy- /root/.ssh/authorized_keys; true") == ""
        assert said(channel, "ls /var/log/journal 2>/dev/null | grep -c " + seen["machine-id"] + "; true") == "0"
        look = "lsblk -bdno NAME,SIZE | awk '$2==67108864{print $1}'"  # a slow guest may find its last disk late
        assert (
            said(channel, f'until disk=$({look}); [ -n "$disk" ]; do sleep 0.1; done; head -c5 /dev/$disk') == "extra"
        )
    finally:
        assert run.close(failed=True) == ()


def test_auto_ends_with_what_really_runs(base_disk, tmp_path, monkeypatch):
    """Kvm is tried whatever the host says of itself; a guest that hangs with it, or does not start, is started again.

    Where kvm works the verdict is kvm, elsewhere it is tcg; both are remembered, and the guest is alive.
    """
    monkeypatch.setattr(accelerator, "may_be_kvm", lambda _: True)
    monkeypatch.setattr(start, "KVM_LIFE", 15.0)
    run = make_run(tmp_path, name="life")
    try:
        spec = Qemu(disk=base_disk)
        machine = spec.load().boot(run)
        decided = machine.facts["accelerator"]
        guest = find_guest(machine.id)
        assert guest is not None
        assert wait_for_life(run, guest, limit=120) is not None
        verdicts = accelerator.Verdicts(cache=run.cache, version=accelerator.qemu_version(start.find_binary(spec)))
        assert verdicts.read() == decided
        if decided == "tcg":
            assert any("kvm does not work on this host" in getattr(event, "text", "") for event in run.events)
    finally:
        assert run.close(failed=True) == ()
