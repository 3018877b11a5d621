"""Where commands run: in a tree of files, or on the host itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from packerpy.communicators.local import entering
from packerpy.kit.process import find_tool


class Place(Protocol):
    """How a command gets there."""

    def argv(self, command: Sequence[str], *, pty: bool = False, sudo: bool = False) -> list[str]:
        """The command line that runs ``command`` there; with ``pty`` its terminal becomes the controlling one."""
        ...

    def environment(self, extra: Mapping[str, str], *, pty: bool) -> dict[str, str]:
        """The whole environment of a command."""
        ...


class Tree(Place):
    """A tree of files, as its root.

    :param root: the tree. What is its ``/run`` lies in the folder ``<root>.run`` beside it.
    :param env: environment variables of every command.
    :param devices: whether commands see the host's devices.
    """

    def __init__(self, root: Path, *, env: Mapping[str, str] | None = None, devices: bool = False) -> None:
        self._root, self._env = root, dict(env or {})
        self._devices = {"PACKERPY_DEVICES": "host"} if devices else {}
        self._runtime = entering.make_runtime(root)

    def argv(self, command: Sequence[str], *, pty: bool = False, sudo: bool = False) -> list[str]:
        """Namespaces, ``chroot``, and the root's home folder."""
        at_home = ["/bin/sh", "-c", 'cd "$HOME" 2>/dev/null; exec "$@"', "sh", *command]
        return entering.argv(self._root, self._runtime, at_home, pty=pty)

    def environment(self, extra: Mapping[str, str], *, pty: bool) -> dict[str, str]:
        """Nothing of ours gets in."""
        return entering.environment({**self._env, **extra}, pty=pty) | self._devices


class Wrapped(Place):
    """Another place, whose commands are given to a program.

    :param place: the other one.
    :param wrapper: the program and its arguments.
    """

    def __init__(self, place: Place, wrapper: Sequence[str]) -> None:
        self._place, self._wrapper = place, list(wrapper)

    def argv(self, command: Sequence[str], *, pty: bool = False, sudo: bool = False) -> list[str]:
        """The program is started on the host."""
        return [*self._wrapper, *self._place.argv(command, pty=pty, sudo=sudo)]

    def environment(self, extra: Mapping[str, str], *, pty: bool) -> dict[str, str]:
        """As it is there."""
        return self._place.environment(extra, pty=pty)


class Host(Place):
    """This host, as this user, in the current folder."""

    def argv(self, command: Sequence[str], *, pty: bool = False, sudo: bool = False) -> list[str]:
        """As it is; with ``sudo`` as root, with the variables that it was given."""
        argv = list(command)
        if sudo and os.geteuid() != 0:
            tool = find_tool("sudo", package="sudo", needed_for="commands with sudo on this host")
            argv = [tool, "-n", "--preserve-env", "--", *argv]
        if pty:
            # Who leads a session and opens a terminal anew gets it as the controlling one.
            argv = ["/bin/sh", "-c", 'exec </proc/self/fd/0; exec "$@"', "sh", *argv]
        return argv

    def environment(self, extra: Mapping[str, str], *, pty: bool) -> dict[str, str]:
        """Ours, and what is added."""
        return {**os.environ, **extra}
