"""Real Ansible against a real sshd on this host, and in "the machine" that this host then is."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import packerpy as pp
from packerpy.communicators.ssh.channel import SSHChannel
from packerpy.errors import PluginError, ProvisionError
from packerpy.kit.process import call
from packerpy.provisioners.ansible import Ansible, AnsibleLocal
from packerpy.provisioners.ansible.from_host import find_program
from packerpy.testing import RecordingChannel, TestRun
from packerpy.values import Command, Endpoint, Machine
from tests.communicators.ssh.sshd_server import Sshd

PYTHON = sys.executable
LOCAL = {"command": str(Path(sys.executable).with_name("ansible-playbook"))}
PASSWORD = "s3cret-of-the-vault"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A playbook with a role, a template and variables beside it; it writes what it was told into a file."""
    folder = tmp_path / "site"
    (folder / "roles/web/tasks").mkdir(parents=True)
    (folder / "templates").mkdir()
    (folder / "group_vars").mkdir()
    (folder / "group_vars/all.yml").write_text("colour: green\n")
    (folder / "templates/out.j2").write_text(
        "{{ inventory_hostname }} {{ colour }} {{ number }} {{ nested.key | default('-') }} {{ from_group | default('-') }}"
        " {{ from_host | default('-') }} {{ from_role | default('-') }}\n"
    )
    (folder / "roles/web/tasks/main.yml").write_text("- ansible.builtin.set_fact: {from_role: role}\n")
    (folder / "site.yml").write_text(
        textwrap.dedent(
            """\
            - hosts: all
              gather_facts: false
              tasks:
                - ansible.builtin.include_role: {name: web}
                  tags: [role]
                - ansible.builtin.template: {src: out.j2, dest: "{{ target }}", mode: "0600"}
                  tags: [always]
                - ansible.builtin.command: /bin/sh -c 'echo the reason >&2; exit 3'
                  when: fails | default(false)
                  tags: [always]
                - ansible.builtin.debug: {msg: "the token is {{ token }}"}
                  when: token is defined
                  tags: [always]
            """
        )
    )
    return folder


@pytest.fixture(params=["host", "machine"])
def play(request: pytest.FixtureRequest, run: TestRun, sshd: Sshd, channel: SSHChannel) -> Iterator[Any]:
    """Runs a playbook from the host, and in the machine; nothing is left of either."""

    def go(playbook: Path, **options: Any) -> None:
        options = {"python": PYTHON, **options}
        own: Any = {} if request.param == "host" else LOCAL
        spec: Any = (Ansible if request.param == "host" else AnsibleLocal)(playbook, **own, **options)
        assert list(spec.check()) == []
        spec.load().apply(run, sshd.machine(), channel)

    yield go
    assert channel.run(Command(line="ls -d /tmp/packerpy-[0-9a-f]*/play 2>/dev/null")).stdout == ""
    assert [path.name for path in run.workdir.glob("a-*")] == []


def test_everything_arrives(play: Any, site: Path, tmp_path: Path) -> None:
    """Variables of every origin, role, template, groups, alias; the secret one is masked in the output."""
    target = tmp_path / "made"
    play(
        site / "site.yml",
        extra_vars={"target": str(target), "number": 7, "nested": {"key": pp.Secret(value="hunter2-hunter2")}},
        groups=["web"],
        group_vars={"web": {"from_group": "group"}},
        host_vars={"from_host": ["a", "b"]},
        host_alias="box",
    )
    assert target.read_text() == "box green 7 hunter2-hunter2 group ['a', 'b'] role\n"


def test_tags(play: Any, site: Path, tmp_path: Path) -> None:
    """Left out by a tag, the role does not run."""
    target = tmp_path / "made"
    play(site / "site.yml", extra_vars={"target": str(target), "number": 1}, skip_tags="role")
    assert target.read_text().endswith(" -\n")


def test_a_failure_is_told_in_the_playbook_s_words(play: Any, site: Path, tmp_path: Path) -> None:
    """The failed task's own message and the recap stand in the error, not only in the output above it."""
    with pytest.raises(ProvisionError, match=r"the playbook site\.yml failed") as caught:
        play(site / "site.yml", extra_vars={"target": str(tmp_path / "x"), "number": 1, "fails": True})
    assert "the reason" in str(caught.value)
    assert "PLAY RECAP" in str(caught.value)
    assert "failed=1" in str(caught.value)


def test_a_secret_in_the_output_is_masked(play: Any, site: Path, tmp_path: Path, run: TestRun) -> None:
    """Ansible prints it; nobody sees it."""
    secret = pp.Secret(value="tok-12345678")
    play(site / "site.yml", extra_vars={"target": str(tmp_path / "x"), "number": 1, "token": secret})
    assert "the token is <secret>" in run.printed
    assert "tok-12345678" not in run.printed


@pytest.fixture
def vaulted(site: Path, tmp_path: Path) -> Path:
    """The playbook, with a closed file of variables."""
    password, closed = tmp_path / "password", site / "group_vars/all.yml"
    password.write_text(PASSWORD)
    call([find_program("ansible-vault"), "encrypt", "--vault-password-file", password, closed])
    return site / "site.yml"


def test_vault(play: Any, vaulted: Path, tmp_path: Path) -> None:
    """The given password opens it."""
    target = tmp_path / "made"
    play(vaulted, vault_password=pp.Secret(value=PASSWORD), extra_vars={"target": str(target), "number": 1})
    assert "green" in target.read_text()


def test_a_wrong_vault_password(play: Any, vaulted: Path, tmp_path: Path) -> None:
    """It is said to be wrong, and neither it nor the right one is shown."""
    with pytest.raises(ProvisionError) as caught:
        play(vaulted, vault_password=pp.Secret(value="wrong-password"), extra_vars={"target": "/x", "number": 1})
    assert "Decryption failed" in str(caught.value)
    assert caught.value.resolution == "the vault password does not fit the file"
    assert "wrong-password" not in str(caught.value)


def test_galaxy(play: Any, site: Path, tmp_path: Path, run: TestRun) -> None:
    """A collection of a requirements file is fetched once, kept, and found by the playbook."""
    collection = tmp_path / "collection"
    (collection / "plugins/filter").mkdir(parents=True)
    (collection / "galaxy.yml").write_text(
        "namespace: own\nname: words\nversion: 1.0.0\nreadme: README.md\nauthors: [me]\n"
    )
    (collection / "README.md").touch()
    (collection / "plugins/filter/shout.py").write_text(
        "class FilterModule:\n    def filters(self):\n        return {'shout': lambda text: text.upper()}\n"
    )
    requirements = tmp_path / "requirements.yml"
    requirements.write_text(f"collections:\n  - name: {collection}\n    type: dir\n")
    (site / "templates/out.j2").write_text("{{ 'loud' | own.words.shout }}\n")
    target = tmp_path / "made"
    options = {"galaxy_requirements": requirements, "extra_vars": {"target": str(target)}}
    play(site / "site.yml", **options)
    assert target.read_text() == "LOUD\n"
    (collection / "galaxy.yml").unlink()  # it could not be fetched a second time
    play(site / "site.yml", **options)
    assert len(list((run.cache / "ansible").iterdir())) == 1


def test_secrets_are_in_no_command_line(run: TestRun, sshd: Sshd, channel: SSHChannel, tmp_path: Path) -> None:
    """While a playbook runs, no process of this host has them in its command line; the files are for their owner only."""
    playbook = tmp_path / "look.yml"
    look = "grep -asl 'hunter2-[h]unter2' /proc/[0-9]*/cmdline; ls -l {{ lookup('env', 'ANSIBLE_LOCAL_TEMP') }}/.. "
    playbook.write_text(
        f'- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.shell: "{look} || true"\n      register: seen\n'
        f"    - ansible.builtin.copy: {{content: '{{{{ seen.stdout }}}}', dest: '{tmp_path}/seen'}}\n"
    )
    secret = pp.Secret(value="hunter2-hunter2")
    spec = Ansible(playbook, extra_vars={"a": secret}, host_vars={"b": secret}, vault_password=secret, python=PYTHON)
    spec.load().apply(run, sshd.machine(), channel)
    seen = (tmp_path / "seen").read_text()
    assert "cmdline" not in seen
    modes = {line.split()[-1]: line.split()[0] for line in seen.splitlines() if len(line.split()) > 5}
    assert {modes[name] for name in ("inventory.json", "extra_vars.json", "vault")} == {"-rw-------"}


def test_another_host_key_is_refused(run: TestRun, sshd: Sshd, channel: SSHChannel, site: Path) -> None:
    """The machine's key is pinned for Ansible, too; Packer never checks it."""
    machine = sshd.machine(host_keys=(sshd.user_key.public,))
    with pytest.raises(ProvisionError, match="failed") as caught:
        Ansible(site / "site.yml", extra_vars={"target": "/x"}, python=PYTHON).load().apply(run, machine, channel)
    assert "Host key verification failed" in str(caught.value)


def test_a_limit_of_time_ends_ansible(run: TestRun, sshd: Sshd, channel: SSHChannel, tmp_path: Path) -> None:
    """The playbook is killed with all of its processes, and its files are gone."""
    playbook = tmp_path / "slow.yml"
    playbook.write_text("- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.pause: {seconds: 300}\n")
    with pytest.raises(ProvisionError, match="did not end within 3 s"):
        pp.Step(Ansible(playbook, python=PYTHON), timeout=3).load().apply(run, sshd.machine(), channel)
    assert list(run.workdir.glob("a-*")) == []


def test_a_machine_without_ssh(run: TestRun, site: Path) -> None:
    """A tree of files has no SSH: the error says what to use instead."""
    machine = Machine(id="m", endpoint=Endpoint(path=Path("/tree")), communicator=pp.Local())
    with pytest.raises(PluginError, match="needs SSH") as caught:
        Ansible(site / "site.yml").load().apply(run, machine, RecordingChannel())
    assert "AnsibleLocal" in str(caught.value.resolution)


def test_a_guest_without_ansible(run: TestRun, channel: SSHChannel, sshd: Sshd, site: Path) -> None:
    """It is said what is missing where."""
    with pytest.raises(ProvisionError, match="the machine has no program 'no-such-ansible'"):
        AnsibleLocal(site / "site.yml", command="no-such-ansible").load().apply(run, sshd.machine(), channel)


def test_what_it_reads(site: Path, tmp_path: Path) -> None:
    """The playbook and what stands beside it by convention make its key."""
    names = {path.name for path in Ansible(site / "site.yml", reads_also=tmp_path).reads()}
    assert names == {"site.yml", "roles", "templates", "group_vars", tmp_path.name}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"playbook": "/nowhere.yml"}, "playbook"),
        ({"galaxy_requirements": "/nowhere.yml"}, "galaxy_requirements"),
        ({"roles_path": "/nowhere"}, "roles_path"),
        ({"collections_path": ["/nowhere"]}, "collections_path"),
        ({"config": "/nowhere.cfg"}, "config"),
        ({"reads_also": "/nowhere"}, "reads_also"),
        ({"groups": ["a-b"]}, "groups"),
        ({"group_vars": {"web": {}}}, "group_vars"),
        ({"host_alias": "a b"}, "host_alias"),
        ({"verbosity": 9}, "verbosity"),
        ({"vault_password": ""}, "vault_password"),
        ({"extra_arguments": ["--vault-password-file=x"]}, "extra_arguments"),
        ({"extra_arguments": "-i x"}, "extra_arguments"),
    ],
)
def test_problems(site: Path, changes: dict[str, Any], where: str) -> None:
    """Each bad value is reported at its place."""
    spec = attrs.evolve(Ansible(site / "site.yml"), **changes)
    assert where in [problem.where for problem in spec.check()]


def test_problems_of_the_local_one(site: Path, tmp_path: Path) -> None:
    """The playbook must lie in the folder that is uploaded."""
    other = tmp_path / "other"
    other.mkdir()
    assert [p.where for p in AnsibleLocal(site / "site.yml", folder=other).check()] == ["folder"]
