"""Every bad value of a base image is told, all at once, and nothing else is."""

from typing import Any

import attrs
import pytest

from packerpy.backends.bootstrap import Bootstrap, User
from packerpy.declare import Secret, Variable

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvb3RzdHJhcA me@here"

BAD: list[tuple[dict[str, Any], str]] = [
    ({"suite": "book worm"}, "suite"),
    ({"suite": "bokworm"}, "suite"),
    ({"suite": ""}, "suite"),
    ({"mirror": "ftp://x"}, "mirror[0]"),
    ({"mirror": ["http://good/debian", "deb only-one-word"]}, "mirror[1]"),
    ({"components": ["main", "Contrib!"]}, "components[1]"),
    ({"packages": ["curl", "Nginx", "-oDebug"]}, "packages[1]"),
    ({"packages": ["-oDebug"]}, "packages[0]"),
    ({"size": "100 MiB"}, "size"),
    ({"size": "big"}, "size"),
    ({"size": -1}, "size"),
    ({"hostname": "under_score"}, "hostname"),
    ({"hostname": "a..b"}, "hostname"),
    ({"hostname": "x" * 64}, "hostname"),
    ({"kernel": "Cloud"}, "kernel"),
    ({"kernel_args": ["a b"]}, "kernel_args[0]"),
    ({"kernel_args": ["x;halt"]}, "kernel_args[0]"),
    ({"locale": "german"}, "locale"),
    ({"locale": "de_DE.UTF-8; rm"}, "locale"),
    ({"hooks": ["true", " "]}, "hooks[1]"),
    ({"format": "vmdk"}, "format"),
    ({"epoch": -5}, "epoch"),
    ({"users": [User("Bad Name")]}, "users[0].name"),
    ({"users": [User("a", groups=["wheel!"])]}, "users[0].groups[0]"),
    ({"users": [User("a", ssh_authorized_keys=[KEY, "nonsense"])]}, "users[0].ssh_authorized_keys[1]"),
    ({"users": [User("a", password_hash="cleartext")]}, "users[0].password_hash"),
    ({"users": [User("a", shell="bash")]}, "users[0].shell"),
    ({"users": [User("a", uid=-1)]}, "users[0].uid"),
    ({"users": [User("a"), User("a")]}, "users"),
]

GOOD: list[dict[str, Any]] = [
    {},
    {"suite": "noble", "size": 1 << 30, "kernel": "generic"},
    {"suite": "mine", "mirror": "file:///srv/mirror"},
    {"suite": Variable("release"), "size": Variable("size"), "hostname": Variable("name")},
    {"mirror": "deb [trusted=yes] http://x/debian bookworm main", "packages": "nginx=1.22.1-9+deb12u1"},
    {"users": [User("dev", groups="adm", sudo=True, ssh_authorized_keys=KEY, password_hash="$y$j9T$abc$def")]},
    {"locale": "de_DE.UTF-8", "kernel": "linux-image-6.1.0-18-cloud-amd64", "kernel_args": ["net.ifnames=0"]},
]


@pytest.mark.parametrize(("values", "where"), BAD, ids=lambda value: str(value)[:60])
def test_bad_values(values: dict[str, Any], where: str) -> None:
    """The problem names the field, and shows what was seen or what to do."""
    problems = list(Bootstrap(**values).check())
    assert where in [problem.where for problem in problems]
    assert all(problem.seen or problem.fix for problem in problems)


def test_all_at_once() -> None:
    """Many mistakes in one declaration are told together."""
    spec = Bootstrap(suite="x y", size="0", hostname="_", format="vhd", users=[User("A"), User("B")])  # type: ignore[arg-type]
    assert len(list(spec.check())) == 6


@pytest.mark.parametrize("values", GOOD, ids=lambda value: str(value)[:60])
def test_good_values(values: dict[str, Any]) -> None:
    """No problem is seen where there is none; the declaration can be hashed and compared."""
    spec = Bootstrap(**values)
    assert list(spec.check()) == []
    assert spec == attrs.evolve(spec)
    assert hash(spec) == hash(attrs.evolve(spec))


def test_repr_hides_passwords() -> None:
    """A password's hash is not shown."""
    spec = Bootstrap(users=[User("a", password_hash="$6$tellnobody"), User("b", password_hash=Secret(env="X"))])
    assert "tellnobody" not in repr(spec)


def test_epoch_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """SOURCE_DATE_EPOCH is taken up when the declaration is made; without it there is none."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert Bootstrap().epoch == 1700000000
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert Bootstrap().epoch is None
