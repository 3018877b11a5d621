"""Sysprep: each operation on made-up files in a tree, trimming on a real file system, all of it in a real guest."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import packerpy as pp
from packerpy.communicators.local import Local
from packerpy.communicators.ssh import SSH
from packerpy.errors import ProvisionError
from packerpy.postprocessors.sbom.disk import file_systems, raw
from packerpy.provisioners.sysprep import Sysprep
from packerpy.provisioners.sysprep.operations import OPERATIONS, USUAL
from packerpy.provisioners.sysprep.worker import script
from packerpy.testing import RecordingChannel, TestRun, make_run
from packerpy.values import Completed, Endpoint, Machine
from tests.guests import Booted

PROGRAMS = ["sh", "rm", "find", "sed", "grep", "ls", "sync", "tr", "cat", "touch", "mkdir"]

FILES: dict[str, list[str]] = {
    "machine-id": ["var/lib/dbus/machine-id"],
    "ssh-hostkeys": ["etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub"],
    "random-seed": ["var/lib/systemd/random-seed"],
    "cloud-init": ["var/lib/cloud/instances/i-1/user-data.txt", "var/lib/cloud/sem/once"],
    "dhcp-client-state": ["var/lib/dhcp/dhclient.eth0.leases", "var/lib/NetworkManager/a.lease"],
    "network-state": ["var/lib/NetworkManager/timestamps"],
    "net-hwaddr": [],
    "udev-persistent-net": ["etc/udev/rules.d/70-persistent-net.rules"],
    "package-cache": ["var/cache/apt/archives/a.deb", "var/cache/dnf/x/y"],
    "package-lists": ["var/lib/apt/lists/a_Packages", "lib/apk/db/APKINDEX.1"],
    "shell-history": ["root/.bash_history", "home/me/.bash_history", "home/me/.viminfo"],
    "mail-spool": ["var/mail/root"],
    "crash-data": ["var/crash/a", "var/lib/systemd/coredump/b"],
    "passwd-backups": ["etc/passwd-", "etc/shadow-"],
    "backup-files": ["var/lib/dpkg/status-old", "var/backups/dpkg.1"],
    "blkid-tab": ["etc/blkid.tab"],
    "puppet-data": ["var/lib/puppet/ssl/key"],
    "salt-data": ["etc/salt/minion_id"],
    "sssd-data": ["var/lib/sss/db/cache.ldb"],
    "rhsm-data": ["etc/pki/consumer/cert.pem"],
    "rpm-db": ["var/lib/rpm/__db.001"],
    "tmp-files": ["tmp/a b", "tmp/.hidden/x", "var/tmp/-rf"],
    "logfiles": ["var/log/syslog.1", "var/log/apt/term.log.1.gz", "var/log/journal/abc/system.journal"],
    "utmp": [],
    "ssh-userdir": ["root/.ssh/authorized_keys", "home/me/.ssh/id_ed25519"],
    "cron-spool": ["var/spool/cron/crontabs/me"],
    "firewall-rules": ["etc/iptables/rules.v4", "etc/nftables.conf"],
    "kerberos-data": ["etc/krb5.keytab"],
    "samba-data": ["var/lib/samba/a.tdb"],
    "dovecot-data": ["var/lib/dovecot/ssl-parameters.dat"],
    "hostname": ["etc/mailname"],
    "trim": [],
    "zero-free": [],
}
"""What each removes."""

EMPTIED = {
    "machine-id": ["etc/machine-id"],
    "logfiles": ["var/log/syslog", "var/log/with space.log", "var/log/wtmp"],
    "utmp": ["var/log/wtmp"],
}


def _all(table: dict[str, list[str]]) -> list[str]:
    return [name for names in table.values() for name in names]


KEPT = [
    "etc/passwd",
    "etc/ssh/sshd_config",
    "etc/hostname",
    "var/lib/dpkg/status",
    "var/lib/cloud/scripts/per-boot/mine",
    "var/cache/apt/archives/lock",
    "root/.bashrc",
    "home/me/document",
    "tmp/systemd-private-1/x",
    "etc/sysconfig/network-scripts/ifcfg-eth0",
    "usr/bin/cloud-init",
]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with a shell and what the operations call."""
    root = tmp_path_factory.mktemp("sysprep") / "root"
    for folder in ("usr/bin", "proc", "sys", "dev", "run", "tmp", "root"):
        (root / folder).mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    found = [Path(shutil.which(name) or name).resolve() for name in PROGRAMS]
    for name, path in zip(PROGRAMS, found, strict=True):
        shutil.copy(path, root / "usr/bin" / name)
    listed = subprocess.run(["ldd", *found], capture_output=True, text=True, check=True).stdout
    for library in set(re.findall(r"(/\S+\.so\S*) \(0x", listed)):
        (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, root / library[1:])
    return root


@pytest.fixture
def run(tmp_path: Path) -> Iterator[TestRun]:
    """A run, ended with the test."""
    made = make_run(tmp_path)
    yield made
    assert made.close(failed=False) == ()


@pytest.fixture
def tree(programs: Path) -> Path:
    """The tree with every made-up file in it."""
    for name in (*_all(FILES), *_all(EMPTIED), *KEPT):
        (programs / name).parent.mkdir(parents=True, exist_ok=True)
        (programs / name).write_text("HWADDR=52:54:00:00:00:01\nDEVICE=eth0\n")
    (programs / "usr/bin/cloud-init").chmod(0o755)
    (programs / "etc/hostname").write_text("unique\n")
    return programs


def apply(spec: Sysprep, run: TestRun, tree: Path) -> None:
    """Over the local channel."""
    machine = Machine(id="tree", endpoint=Endpoint(path=tree), communicator=Local())
    channel = Local().load().connect(run, machine)
    try:
        spec.load().apply(run, machine, channel)
    finally:
        channel.close()


def state(tree: Path) -> tuple[set[str], set[str]]:
    """Which of the made-up files are gone, and which are empty."""
    every = (*_all(FILES), *_all(EMPTIED), *KEPT)
    gone = {name for name in every if not (tree / name).exists()}
    return gone, {name for name in every if name not in gone and (tree / name).stat().st_size == 0}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_does_its_own_and_nothing_else(name: str, run: TestRun, tree: Path) -> None:
    """Of all files those of the operation go or are emptied, and no other."""
    assert FILES.keys() == OPERATIONS.keys()
    apply(Sysprep([name]), run, tree)
    gone, empty = state(tree)
    assert gone == set(FILES[name])
    assert empty == set(EMPTIED.get(name, []))
    hardware = (tree / "etc/sysconfig/network-scripts/ifcfg-eth0").read_text()
    assert ("HWADDR" in hardware) == (name != "net-hwaddr")
    assert "DEVICE=eth0" in hardware
    assert (tree / "etc/hostname").read_text() == ("localhost\n" if name == "hostname" else "unique\n")


def test_the_usual_ones(run: TestRun, tree: Path) -> None:
    """Everything that is usual, nothing that must be named; a second time there is nothing to do."""
    for _ in range(2):
        apply(Sysprep(), run, tree)
        gone, _ = state(tree)
        assert gone == {path for name in USUAL for path in FILES[name]}
    assert (tree / "etc/machine-id").read_text() == ""


def test_opting_in_and_out(run: TestRun, tree: Path) -> None:
    """enable= adds, disable= takes away."""
    apply(Sysprep(enable=["ssh-userdir"], disable=["shell-history", "tmp-files"]), run, tree)
    gone, _ = state(tree)
    assert set(FILES["ssh-userdir"]) <= gone
    assert not gone & {*FILES["shell-history"], *FILES["tmp-files"]}


def test_host_keys_stay_where_nobody_makes_new_ones(run: TestRun, tree: Path) -> None:
    """A machine must not lock everybody out; that they stay is said."""
    (tree / "usr/bin/cloud-init").unlink()
    apply(Sysprep(["ssh-hostkeys"]), run, tree)
    assert (tree / "etc/ssh/ssh_host_ed25519_key").exists()
    assert "ssh-hostkeys: kept" in run.printed
    (tree / "etc/init.d").mkdir()
    (tree / "etc/init.d/sshd").write_text("start_pre() { ssh-keygen -q -A; }\n")
    apply(Sysprep(["ssh-hostkeys"]), run, tree)
    assert not (tree / "etc/ssh/ssh_host_ed25519_key").exists()
    shutil.rmtree(tree / "etc/init.d")


def test_nothing_there_is_no_error(run: TestRun, programs: Path) -> None:
    """A bare tree has none of these files."""
    for name in ("etc", "var", "home"):
        shutil.rmtree(programs / name, ignore_errors=True)
    (programs / "etc").mkdir()
    apply(Sysprep(list(OPERATIONS)), run, programs)


def test_a_failure_is_named_and_the_rest_is_done(run: TestRun, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that fails does not keep the others from being done."""
    broken = {**OPERATIONS, "mail-spool": OPERATIONS["mail-spool"].__class__(what="x", script="false\ntouch /never")}
    monkeypatch.setattr("packerpy.provisioners.sysprep.worker.OPERATIONS", broken)
    with pytest.raises(ProvisionError, match="not everything") as raised:
        apply(Sysprep(), run, tree)
    assert "failed: mail-spool" in (raised.value.details or "")
    assert not (tree / "never").exists()
    assert "var/crash/a" in state(tree)[0]


def test_disks_of_the_host_are_left_alone(run: TestRun) -> None:
    """In a tree nothing trims or fills the disk; in a machine both are done, unless it is a container."""
    for communicator, count in ((Local(), 0), (SSH(), 2)):
        channel = RecordingChannel()
        machine = Machine(id="x", endpoint=Endpoint(), communicator=communicator)
        Sysprep(enable=["zero-free"]).load().apply(run, machine, channel)
        text = (channel.commands[0].stdin or b"").decode()
        assert text.count("if ! contained") == count
        assert channel.commands[0].sudo
    with pytest.raises(ProvisionError):
        Sysprep().load().apply(run, machine, RecordingChannel({"sh": Completed(exit_status=1)}))


@pytest.mark.parametrize("trims", [True, False], ids=["trimmed", "filled"])
def test_free_space_compresses_to_nothing(trims: bool, tmp_path: Path) -> None:
    """A real file system with 16 MiB of deleted noise: afterwards its image compresses to next to nothing."""
    image, mounted, table = tmp_path / "disk", tmp_path / "mounted", tmp_path / "mounts"
    mounted.mkdir()
    image.touch()
    os.truncate(image, 48 * 2**20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
    try:
        with (mounted / "noise").open("wb") as file:
            file.write(os.urandom(16 * 2**20))
            os.fsync(file.fileno())
        (mounted / "noise").unlink()
        os.sync()
        before = len(gzip.compress(image.read_bytes(), 1))
        # only this file system is in the table that the script reads, so the host's own are safe
        table.write_text(f"/dev/one {mounted} ext4 rw,relatime 0 0\n/dev/two {tmp_path} ext4 ro 0 0\n")
        text = script(["zero-free"])
        assert text.count("/proc/mounts") == text.count("if ! contained") == 1
        text = text.replace("/proc/mounts", str(table)).replace("if ! contained", "if true")
        if not trims:
            text = "fstrim() { return 1; }\n" + text
        subprocess.run(["sh", "-s"], input=text.encode(), check=True)
        assert sorted(path.name for path in mounted.iterdir()) == ["lost+found"]
    finally:
        subprocess.run(["umount", mounted], check=True)
    after = len(gzip.compress(image.read_bytes(), 1))
    assert before > 16 * 2**20
    assert after < 2**19


@pytest.mark.parametrize(
    ("spec", "where", "hint"),
    [
        (Sysprep(["machine_id"]), "operations[0]", "did you mean `machine-id`"),
        (Sysprep(enable=["all"]), "enable[0]", "use one of"),
        (Sysprep(disable="log-files"), "disable[0]", "did you mean `logfiles`"),
        (Sysprep(enable=["trim"], disable=["trim"]), "disable", "leave one"),
        (Sysprep([]), "operations", "leave operations= out"),
    ],
    ids=str,
)
def test_check(spec: Sysprep, where: str, hint: str) -> None:
    """Each bad declaration is one problem at the right place."""
    (problem,) = spec.check()
    assert problem.where == where
    assert hint in (problem.fix or "")


DIRT = (
    "echo typed > /root/.bash_history; mkdir -p /var/crash; echo core > /var/crash/x; echo mail > /var/mail/root",
    "echo log > /var/log/mine.log; echo old > /var/log/mine.log.1; echo t > /var/tmp/t; apt-config dump > /dev/null",
    "touch /var/lib/apt/lists/x_Packages; head -c 8M /dev/urandom > /noise; sync; rm /noise",
)


@pytest.mark.live
def test_a_real_guest(base_disk: Path, booted: Booted, tmp_path: Path) -> None:
    """On the disk nothing is left of what a machine gathered, and the image boots again with an id of its own."""
    image = pp.Image(
        "clean",
        booted.spec,
        provision=[pp.Shell(*DIRT), pp.Sysprep(enable=["zero-free"])],
        tests=[
            pp.Check("grep -Eqx '[0-9a-f]{32}' /etc/machine-id"),
            pp.Check("test ! -e /var/tmp/t -a ! -e /root/.bash_history -a ! -e /var/crash/x -a ! -e /noise"),
            pp.Check("test ! -s /var/log/mine.log -a ! -e /var/log/mine.log.1 -a ! -e /var/mail/root"),
            pp.Check('test -z "$(find /var/lib/apt/lists -type f)" -a ! -e /.packerpy-zeros'),
        ],
    )
    result = pp.build(image, output=tmp_path / "output", cache=booted.give(tmp_path / "cache"))
    disk = Path(result.artifacts["clean"][0].outputs["disk"])
    assert disk.stat().st_size < base_disk.stat().st_size + 2**25
    run: Any = make_run(tmp_path)
    with raw(run, disk, "qcow2") as plain:
        (root,) = [
            place for place in file_systems(plain) if place.read(run, ("/etc/os-release", "/usr/lib/os-release"))
        ]
        assert root.read(run, ("/etc/machine-id",)) in (None, "uninitialized\n")
        assert root.read(run, ("/var/log/mine.log",)) is None
    run.close(failed=False)
