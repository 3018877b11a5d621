"""Packages into a folder, by way of mmdebstrap."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from packerpy.backends.bootstrap.mirrors import source_lines
from packerpy.backends.bootstrap.overlay import SLIM
from packerpy.backends.bootstrap.specs import Bootstrap
from packerpy.contracts import Run
from packerpy.errors import BuildError, SourceError
from packerpy.kit import process
from packerpy.kit.namespaces import isolated

PACKAGES = (
    "systemd-sysv",
    "udev",
    "initramfs-tools",
    "zstd",
    "openssh-server",
    "qemu-guest-agent",
    "acpid",
    "iproute2",
    "libnss-myhostname",
    "procps",
    "e2fsprogs",
    "fdisk",
    "sudo",
    "ca-certificates",
    "grub-pc-bin",
    "grub-efi-amd64-bin",
    "grub2-common",
)
"""What boots, can be reached and grows. The kernel is added; nothing that they merely recommend is installed."""


def packages(spec: Bootstrap) -> list[str]:
    """All that mmdebstrap is asked for, without doubles."""
    keys = [spec.distribution.keyring_package]
    locales = [] if str(spec.locale).startswith(("C", "POSIX")) else ["locales"]
    return list(dict.fromkeys([*PACKAGES, *keys, spec.kernel_package, *locales, *spec.packages]))


def install(run: Run, spec: Bootstrap, work: Path, overlay: Path) -> Path:
    """Make the tree in ``work``; answers where it is.

    Downloaded packages are kept in the user's cache, so that the next tree downloads nothing that is still current.

    :raises SourceError: a package is not there, the archive cannot be reached, or an installation failed.
    """
    tree, archives = work / "root", work / "archives"
    cache = run.cache / "apt" / spec.distribution.name
    _fill(archives, cache)
    run.say(f"installing {spec.suite} from packages")
    try:
        process.call(
            isolated(arguments(spec, tree, archives, overlay)),
            cancellation=run.cancellation,
            sink=run.output,
            env=_environment(spec),
            error=SourceError,
            label="mmdebstrap",
        )
    except SourceError as error:
        raise SourceError(
            f"{spec.suite} could not be installed from packages",
            details=error.details,
            resolution="look at the first line that starts with `E:`; names of packages, mirror and network are likely",
        ) from error
    finally:
        _save(archives, cache)
    return tree


def arguments(spec: Bootstrap, tree: Path, archives: Path, overlay: Path) -> list[str | Path]:
    """The command line of mmdebstrap."""
    mmdebstrap = process.find_tool("mmdebstrap", package="mmdebstrap", needed_for="base images from packages")
    packages_at = '"$1/var/cache/apt/archives"'
    setup = f"mkdir -p {packages_at} && mount --bind {shlex.quote(str(archives))} {packages_at}"
    # The overlay must not be followed by the tree's own resolv.conf, which mmdebstrap copies from the host.
    essential = f'rm -f "$1/etc/resolv.conf" && cp -a --no-preserve=ownership {shlex.quote(str(overlay))}/. "$1/"'
    options = [
        "--mode=root",
        "--format=directory",
        "--variant=minbase",
        f"--include={','.join(packages(spec))}",
        f"--components={','.join(spec.components or spec.distribution.components)}",
        # Packages are there before, and are to stay there.
        "--skip=download/empty",
        "--skip=essential/unlink",
        "--skip=cleanup/apt/cache",
        '--aptopt=Acquire::Languages "none"',
        '--aptopt=APT::Keep-Downloaded-Packages "true"',
        # The caller's folders need not be open to apt's own user; signatures are checked all the same.
        '--aptopt=APT::Sandbox::User "root"',
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt={option}" for option in (SLIM if spec.slim else ())),
        *(f"--keyring={path}" for path in spec.distribution.keyrings if Path(path).is_file()),
        f"--setup-hook={setup}",
        f"--essential-hook={essential}",
        f"--customize-hook=umount {packages_at}",
    ]
    return [mmdebstrap, *options, str(spec.suite), tree, *source_lines(spec)]


def _environment(spec: Bootstrap) -> dict[str, str]:
    kept = ("http_proxy", "https_proxy", "no_proxy", "TMPDIR")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    for scheme in ("http", "https"):
        if f"{scheme}_proxy" not in env and (proxy := _apt_setting(f"Acquire::{scheme}::Proxy")):
            env[f"{scheme}_proxy"] = proxy
    env |= {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": "/root",
    }
    return env | dated(spec)


def dated(spec: Bootstrap) -> dict[str, str]:
    """The environment variable by which programs are told not to write the time of day."""
    return {} if spec.epoch is None else {"SOURCE_DATE_EPOCH": str(spec.epoch)}


def _apt_setting(name: str) -> str:
    try:
        found = process.call(["apt-config", "shell", "value", name]).text
    except BuildError:
        return ""
    parts = shlex.split(found.partition("=")[2])
    return parts[0] if parts and parts[0] != "DIRECT" else ""


def _fill(archives: Path, cache: Path) -> None:
    """Link what is cached: no copy, and no lock that another build would wait for."""
    (archives / "partial").mkdir(parents=True)
    cache.mkdir(parents=True, exist_ok=True)
    for package in cache.glob("*.deb"):
        _link(package, archives / package.name)


def _save(archives: Path, cache: Path) -> None:
    for package in archives.glob("*.deb"):
        if not (cache / package.name).exists():
            _link(package, cache / package.name)


def _link(source: Path, target: Path) -> None:
    with suppress(OSError):  # another file system, or another build was faster: then it is downloaded again
        os.link(source, target)


def missing_keyring(spec: Bootstrap) -> Iterable[str]:
    """Names of the archive's keyrings if the host has none of them."""
    keyrings = spec.distribution.keyrings
    return () if any(Path(path).is_file() for path in keyrings) else keyrings
