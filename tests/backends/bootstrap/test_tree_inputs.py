"""What goes into a tree: mirrors, our own files, accounts, the disk's layout."""

import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from packerpy.backends.bootstrap import Bootstrap, User
from packerpy.backends.bootstrap.accounts import locale_lines, user_lines
from packerpy.backends.bootstrap.disk import Layout
from packerpy.backends.bootstrap.install import arguments, packages
from packerpy.backends.bootstrap.mirrors import source_lines
from packerpy.backends.bootstrap.overlay import write_overlay
from packerpy.kit.disk_image.gpt import last_usable

ROOT = UUID(int=5)

ONE_LINE = """
# deb http://commented/debian bookworm main
deb [arch=amd64 signed-by=/x.gpg] http://mirror/debian bookworm main contrib # remark
deb-src http://mirror/debian bookworm main
deb http://other/stuff stable main
"""

DEB822 = """\
Types: deb deb-src
URIs: http://mirror/debian
# a remark
Suites: bookworm bookworm-updates bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror/security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off/debian
Suites: bookworm
Components: main
"""


@pytest.fixture
def host(tmp_path: Path) -> tuple[Path, Path]:
    """An apt configuration and what the host is."""
    apt = tmp_path / "apt"
    (apt / "sources.list.d").mkdir(parents=True)
    (tmp_path / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    return apt, tmp_path / "os-release"


def test_mirrors_of_the_host_in_both_styles(host: tuple[Path, Path]) -> None:
    """The host's archives of its own release are used, with the suite replaced; others and backports are not."""
    apt, _ = host
    (apt / "sources.list").write_text(ONE_LINE)
    assert source_lines(Bootstrap(), *host) == ["deb http://mirror/debian bookworm main"]
    (apt / "sources.list").unlink()
    (apt / "sources.list.d/debian.sources").write_text(DEB822)
    assert source_lines(Bootstrap(suite="trixie", components=["main", "contrib"]), *host) == [
        "deb http://mirror/debian trixie main contrib",
        "deb http://mirror/debian trixie-updates main contrib",
        "deb http://mirror/security trixie-security main contrib",
    ]
    assert source_lines(Bootstrap(suite="sid"), *host) == ["deb http://mirror/debian sid main"]


def test_mirrors_of_another_distribution(host: tuple[Path, Path]) -> None:
    """A host knows nothing of another distribution's mirrors: mmdebstrap then uses its own."""
    (host[0] / "sources.list").write_text(ONE_LINE)
    assert source_lines(Bootstrap(suite="noble"), *host) == []


def test_declared_mirrors(host: tuple[Path, Path]) -> None:
    """A URL becomes a line, a line stays what it is, and the host is not asked."""
    line = "deb [trusted=yes] http://x/extra ./"
    spec = Bootstrap(mirror=["http://x/debian", line])
    assert source_lines(spec, *host) == ["deb http://x/debian bookworm main", line]


def test_packages() -> None:
    """Kernel, keys, locales and the user's own are asked for, each once; ubuntu's are called differently."""
    wanted = packages(Bootstrap(packages=["nginx", "sudo"], locale="de_DE.UTF-8"))
    assert len(wanted) == len(set(wanted))
    assert {"nginx", "sudo", "locales", "linux-image-cloud-amd64", "openssh-server"} <= set(wanted)
    assert "linux-image-virtual" in packages(Bootstrap(suite="noble"))
    assert "locales" not in packages(Bootstrap())


def test_paths_are_quoted() -> None:
    """Odd characters in folders do not change the hooks' meaning."""
    argv = arguments(Bootstrap(mirror="http://x/d"), Path("/t"), Path("/a b;x"), Path("/o'v"))
    (setup,) = (str(word).partition("=")[2] for word in argv if str(word).startswith("--setup-hook"))
    assert "'/a b;x'" in setup
    for word in argv:
        name, _, hook = str(word).partition("=")
        if name.endswith("-hook"):
            subprocess.run(["sh", "-n", "-c", hook], check=True)


def test_overlay(tmp_path: Path) -> None:
    """Scripts are valid and executable, links are there, modes do not depend on our mask, the root is named."""
    folder = tmp_path / "overlay"
    folder.mkdir(mode=0o700)
    write_overlay(Bootstrap(hostname="web", slim=True), folder, ROOT)
    assert (folder / "etc/fstab").read_text().startswith(f"UUID={ROOT} / ext4 ")
    assert (folder / "etc/hostname").read_text() == "web\n"
    assert (folder / "etc/systemd/system/getty-static.service").readlink() == Path("/dev/null")
    assert (folder / "etc/dpkg/dpkg.cfg.d/packerpy-slim").exists()
    for path in [folder, *folder.rglob("*")]:
        if path.is_symlink():
            continue
        executable = path.is_dir() or path.read_bytes().startswith(b"#!")
        assert path.stat().st_mode & 0o777 == (0o755 if executable else 0o644), path
        if path.is_file() and executable:
            subprocess.run(["sh", "-n", path], check=True)


def test_accounts() -> None:
    """Lines are valid shell, whatever a key's comment says; no password stands in them."""
    evil = "ssh-ed25519 AAAA it's; touch $(x)"
    user = User("dev", groups=["adm", "docker"], sudo=True, ssh_authorized_keys=[evil], password_hash="$6$x")
    text = "\n".join([*user_lines(user), *locale_lines("de_DE.UTF-8")])
    subprocess.run(["sh", "-n", "-c", text], check=True)
    assert "$6$x" not in text
    assert "'ssh-ed25519 AAAA it'\"'\"'s; touch $(x)'" in text
    assert list(locale_lines("C.UTF-8")) == []
    assert not any("useradd" in line for line in user_lines(User("root")))


def test_layout() -> None:
    """The root is last and fills the disk; all UUIDs differ and follow from the root's."""
    layout = Layout(size=2 << 30, root_id=ROOT)
    parts = [layout.bios, layout.esp, layout.root]
    assert [part.name for part in sorted(parts, key=lambda part: part.start)] == ["bios", "esp", "root"]
    assert last_usable(2 << 30) - (layout.root.start + layout.root.sectors) < 2048
    assert len({layout.disk_id, ROOT, *(part.id for part in parts)}) == 5
    assert Layout(size=2 << 30, root_id=ROOT) == layout
