"""A step, and a test, that are plain Python."""

from typing import Any

import packerpy as pp

base = pp.Image("debian-12", source=pp.Bootstrap(suite="bookworm"))


def configure(c: Any) -> None:
    """Give the machine swap if it has little memory; ``c`` is a fabric.Connection."""
    total = int(c.run("awk '/MemTotal/ {print $2}' /proc/meminfo", hide=True).stdout)
    if total < 2 * 1024 * 1024:
        c.run("fallocate -l 256M /swapfile && chmod 600 /swapfile && mkswap /swapfile")
        c.run("echo '/swapfile none swap sw 0 0' >> /etc/fstab")


def swap_is_on(c: Any) -> None:
    """Whatever a function raises fails the step."""
    assert "/swapfile" in c.run("swapon --show=NAME --noheadings", hide=True).stdout


def no_password_logins(host: Any) -> None:
    """A parameter called ``host`` gets a testinfra host, where pytest-testinfra is installed."""
    assert not host.file("/etc/shadow").contains("^root:[^*!]")


server = pp.Image(
    "server",
    source=pp.Qemu(disk=base.output("disk")),
    provision=[configure],
    tests=[swap_is_on, no_password_logins],
)
