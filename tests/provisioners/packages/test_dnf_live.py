"""Real dnf in a tree, with a repository that is made there of packages of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest

import packerpy as pp
from packerpy.communicators.local.channel import LocalChannel
from packerpy.errors import ProvisionError
from packerpy.testing import TestRun
from tests.provisioners.tree import Tree, said

pytestmark = pytest.mark.live

SPEC = """cat >/srv/{name}.spec <<'EOF'
Name: {name}
Version: {version}
Release: 1
Summary: For a test
License: None
BuildArch: noarch
{relation}
%description
For a test.
%install
mkdir -p %{{buildroot}}/opt
echo '{version}' >%{{buildroot}}/opt/{name}
%files
/opt/{name}
EOF
rpmbuild -bb --quiet --define '_topdir /srv/build' --define '_rpmdir /srv/repository' /srv/{name}.spec
"""

REPOSITORY = """mkdir -p /etc/yum.repos.d && printf '%s\\n' '[own]' name=own baseurl=file:///srv/repository gpgcheck=0 \
>/etc/yum.repos.d/own.repo
"""

INDEX = "createrepo_c --quiet /srv/repository"


@attrs.frozen
class Guest:
    """A machine whose packages dnf manages."""

    tree: Tree
    run: TestRun
    channel: LocalChannel

    def apply(self, step: pp.Packages) -> None:
        """Run one step."""
        step.load().apply(self.run, self.tree.machine, self.channel)

    def installed(self) -> dict[str, str]:
        """Packages of the test that are there, and what their files say."""
        lines = said(self.channel, "cd /opt && for f in *; do [ ! -f $f ] || echo $f $(cat $f); done").splitlines()
        told = said(self.channel, "rpm -qa --qf '%{NAME} %{VERSION}\\n'").splitlines()
        assert sorted(lines) == sorted(told)
        return dict(line.split() for line in told)

    def offer(self, name: str, version: str, relation: str = "") -> None:
        """Put a package into the repository."""
        said(self.channel, SPEC.format(name=name, version=version, relation=relation) + INDEX)


@pytest.fixture
def guest(tools_tree: Tree, run: TestRun) -> Iterator[Guest]:
    """It has nothing installed and a repository of two packages."""
    made = Guest(tools_tree, run, tools_tree.channel(run))
    said(made.channel, "rm -rf /srv/repository; mkdir -p /srv/repository")
    said(made.channel, REPOSITORY)
    made.offer("words", "1.0")
    made.offer("greeting", "1.0", "Recommends: words")
    yield made
    said(made.channel, "rpm -qa | xargs -r rpm -e")


def test_from_install_to_removal(guest: Guest) -> None:
    """Without being told, dnf is found; it installs, upgrades and removes, and leaves nothing of its downloads."""
    guest.apply(pp.Packages("greeting"))
    assert guest.installed() == {"greeting": "1.0"}  # what it recommends did not come along
    guest.offer("greeting", "2.0")
    guest.apply(pp.Packages(upgrade=True))
    assert guest.installed() == {"greeting": "2.0"}
    guest.apply(pp.Packages("words", remove="greeting"))
    assert guest.installed() == {"words": "1.0"}
    assert said(guest.channel, "find /var/cache/dnf -name '*.rpm' -o -name 'repomd.xml'") == ""


def test_what_is_recommended(guest: Guest) -> None:
    """It comes along where that is declared; a version may be named."""
    guest.offer("greeting", "2.0", "Recommends: words")
    guest.apply(pp.Packages("greeting-1.0", recommends=True))
    assert guest.installed() == {"greeting": "1.0", "words": "1.0"}


def test_a_package_that_does_not_exist(guest: Guest) -> None:
    """The manager's own words are told."""
    with pytest.raises(ProvisionError, match=r"`dnf .*` ended with exit code 1") as caught:
        guest.apply(pp.Packages("no-such-package"))
    assert "No match for argument: no-such-package" in str(caught.value)
