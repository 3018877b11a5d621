"""What each manager is told, as words of command lines."""

from __future__ import annotations

from packerpy.provisioners.packages.specs import Packages

FIND = "for m in apt-get dnf microdnf yum apk; do command -v $m >/dev/null 2>&1 && { echo $m; exit; }; done; exit 1"
"""Prints the first program that is there."""

PROGRAMS = {"apt": "apt-get", "dnf": "dnf", "apk": "apk"}

ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "a", "LC_ALL": "C.UTF-8"}

LOCKED = r"Could not get lock|Unable to acquire the dpkg|is another process using it|Unable to lock database"
"""What apt and apk say of a database that somebody else uses; dnf waits by itself."""

_APT = (
    *("-y", "-q", "-o", "Dpkg::Use-Pty=0"),
    *("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"),
)


def commands(program: str, spec: Packages) -> list[tuple[str, ...]]:
    """The command lines, in order."""
    table = {"apt-get": _apt, "apk": _apk}
    return [line for line in table.get(program, _dnf)(program, spec) if line]


def _apt(program: str, spec: Packages) -> list[tuple[str, ...]]:
    apt = (program, *_APT, "-o", f"DPkg::Lock::Timeout={spec.lock_timeout:.0f}")
    recommends = () if spec.recommends else ("--no-install-recommends",)
    return [
        (*apt, "update") if spec.update else (),
        (*apt, "dist-upgrade") if spec.upgrade else (),
        (*apt, "purge", "--", *spec.remove) if spec.remove else (),
        (*apt, *recommends, "install", "--", *spec.names) if spec.names else (),
        (program, "clean") if spec.clean else (),
    ]


def _dnf(program: str, spec: Packages) -> list[tuple[str, ...]]:
    weak = () if spec.recommends or program == "yum" else ("--setopt=install_weak_deps=0",)
    return [
        (program, "-y", "makecache") if spec.update else (),
        (program, "-y", "upgrade" if program != "yum" else "update") if spec.upgrade else (),
        (program, "-y", "remove", *spec.remove) if spec.remove else (),
        (program, "-y", *weak, "install", *spec.names) if spec.names else (),
        (program, "clean", "all") if spec.clean else (),
    ]


def _apk(program: str, spec: Packages) -> list[tuple[str, ...]]:
    apk = (program, "--no-progress", "--wait", f"{spec.lock_timeout:.0f}")
    return [
        (*apk, "update") if spec.update else (),
        (*apk, "upgrade") if spec.upgrade else (),
        (*apk, "del", "--purge", *spec.remove) if spec.remove else (),
        (*apk, "add", *spec.names) if spec.names else (),
        ("rm", "-rf", "/var/cache/apk/APKINDEX.tar.gz") if spec.clean and spec.update else (),
    ]
