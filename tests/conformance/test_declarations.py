"""Every registered plug-in keeps to its contract; there is a sample of each kind, so a new one cannot be forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.communicators.none import NoCommunicator
from packerpy.postprocessors.shell_local import ShellLocal as PostShellLocal
from packerpy.registry import Registered, registered
from packerpy.testing import check_boot_leaves_nothing, check_declaration, check_keyable

SECRET = pp.Secret(value="hunter2-hunter2")


def _step(c: Any) -> None:
    """A step."""


SAMPLES: dict[tuple[str, str], Any] = {
    ("source", "amazon.ebs"): pp.amazon.EBS(
        ami_name="web", source_ami="ami-1", instance_type="t3.micro", user="admin", user_data=SECRET
    ),
    ("source", "amazon.ebs_volumes"): pp.amazon.EBSVolumes(
        volumes=[pp.amazon.Volume(device="/dev/xvdf", size="1 GiB", tags={"a": "b"})],
        source_ami="ami-1",
        instance_type="t3.micro",
        user="admin",
        user_data=SECRET,
    ),
    ("source", "amazon.ebs_surrogate"): pp.amazon.EBSSurrogate(
        ami_name="web",
        disks=[pp.amazon.Disk(device="/dev/xvdf", size="1 GiB")],
        root_source="/dev/xvdf",
        source_ami="ami-1",
        instance_type="t3.micro",
        user="admin",
        user_data=SECRET,
    ),
    ("source", "amazon.instance"): pp.amazon.Instance(
        ami_name="web",
        account_id="123456789012",
        bucket="images",
        x509_cert="/etc/hostname",
        x509_key="/etc/hostname",
        source_ami="ami-1",
        instance_type="t3.micro",
        user="admin",
        user_data=SECRET,
    ),
    ("source", "amazon.chroot"): pp.amazon.Chroot(
        ami_name="web", source_ami="ami-1", mounts=[("bind", "/srv", "/srv")], volume_tags={"a": "b"}
    ),
    ("post-processor", "amazon.direct_ami"): pp.amazon.DirectAMI(ami_name="web", regions=["eu-west-1"]),
    ("post-processor", "amazon.import"): pp.amazon.Import(ami_name="web", bucket="images"),
    ("data", "amazon.ami"): pp.amazon.FindAMI(owners="self", ami_name="web-*"),
    ("data", "amazon.parameter"): pp.amazon.Parameter(path="/web/ami"),
    ("data", "amazon.secret"): pp.amazon.SecretsManager(id="web"),
    ("source", "fake"): pp.Fake(content="x"),
    ("source", "bootstrap"): pp.Bootstrap(suite="bookworm"),
    ("source", "qemu"): pp.Qemu(disk="/nowhere/disk.qcow2"),
    ("communicator", "agent"): pp.GuestAgent(),
    ("communicator", "ssh"): pp.SSH(password=SECRET),
    ("communicator", "local"): pp.Local(),
    ("communicator", "winrm"): pp.WinRM(user="me", password=SECRET),
    ("communicator", "none"): NoCommunicator(),
    ("provisioner", "shell"): pp.Shell("true", env={"A": SECRET}),
    ("provisioner", "file"): pp.File(content="x", to="/x"),
    ("provisioner", "function"): pp.Function(_step),
    ("provisioner", "check"): pp.Check("true"),
    ("provisioner", "sysprep"): pp.Sysprep(),
    ("provisioner", "step"): pp.Step(
        pp.Shell("true"), retries=1, when={"id": "debian"}, override={"x": {"env": {"A": "b"}}}
    ),
    ("provisioner", "group"): pp.Group([pp.Shell("true"), _step], only="web"),
    ("provisioner", "ansible"): pp.Ansible("x.yml", extra_vars={"a": [SECRET]}, vault_password=SECRET),
    ("provisioner", "ansible-local"): pp.AnsibleLocal("x.yml", host_vars={"a": {"b": SECRET}}),
    ("provisioner", "breakpoint"): pp.Breakpoint("here"),
    ("provisioner", "chef-client"): pp.ChefClient(server_url="https://chef", validation_key=SECRET),
    ("provisioner", "chef-solo"): pp.ChefSolo(run_list="x", json={"a": SECRET}, data_bag_secret=SECRET),
    ("provisioner", "cloud-init-wait"): pp.CloudInitWait(),
    ("provisioner", "packages"): pp.Packages("nginx"),
    ("provisioner", "puppet"): pp.Puppet("x.pp", facts={"a": SECRET}),
    ("provisioner", "puppet-server"): pp.PuppetServer("x", facts={"a": SECRET}),
    ("provisioner", "reboot"): pp.Reboot(),
    ("provisioner", "salt"): pp.Salt("states", pillar={"a": {"b": SECRET}}),
    ("provisioner", "shell-local"): pp.ShellLocal("true", env={"A": SECRET}),
    ("provisioner", "sleep"): pp.Sleep(1),
    ("provisioner", "powershell"): pp.PowerShell("a", elevated_user="x", elevated_password=SECRET),
    ("provisioner", "windows-restart"): pp.WindowsRestart(check_registry=True),
    ("provisioner", "windows-shell"): pp.WindowsShell("a", env={"A": SECRET}),
    ("data", "command"): pp.CommandData("true", env={"TOKEN": SECRET}),
    ("data", "file"): pp.FileData("/nowhere/data.json"),
    ("data", "git_revision"): pp.GitRevision(),
    ("data", "http"): pp.HTTPData("https://example.org/", headers={"Authorization": SECRET}),
    ("post-processor", "artifice"): pp.Artifice("*.iso"),
    ("post-processor", "checksum"): pp.Checksum("sha256"),
    ("post-processor", "compress"): pp.Compress("zst"),
    ("post-processor", "convert"): pp.Convert("vmdk"),
    ("post-processor", "function"): pp.PostFunction(_step),
    ("post-processor", "manifest"): pp.Manifest(),
    ("post-processor", "provenance"): pp.Provenance("/nowhere/key.pem", passphrase=SECRET),
    ("post-processor", "sbom"): pp.Sbom("spdx"),
    ("post-processor", "shell-local"): PostShellLocal("true", env={"A": SECRET}),
}


def test_there_is_a_sample_of_each() -> None:
    """The table above and the registry name the same plug-ins."""
    assert set(SAMPLES) == {(entry.role, entry.kind) for entry in registered()}


@pytest.mark.parametrize("entry", registered(), ids=lambda entry: f"{entry.role} {entry.kind}")
def test_declaration(entry: Registered) -> None:
    """Frozen, hashable, pure, hides secrets, and load() answers the right kind of worker."""
    sample = SAMPLES[entry.role, entry.kind]
    assert isinstance(sample, entry.cls)
    check_declaration(sample, entry.role)
    check_keyable(sample)


def test_the_fake_platform_leaves_nothing(tmp_path: Path) -> None:
    """Cancelled at any acquisition of its boot, nothing is left."""
    check_boot_leaves_nothing(pp.Fake(content="x"), tmp_path, lambda run: sorted(run.cache.parent.glob("*/machine")))


def test_the_suite_finds_a_mutable_declaration() -> None:
    """The suite can fail: a class that is not frozen is refused."""

    class Mutable:
        kind = "mutable"

    with pytest.raises(AssertionError, match="not an attrs class"):
        check_declaration(Mutable(), "source")
