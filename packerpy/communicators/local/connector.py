"""Opens channels into trees."""

from __future__ import annotations

from collections.abc import Callable

from packerpy.communicators.local.channel import LocalChannel
from packerpy.communicators.local.places import Host, Place, Tree, Wrapped
from packerpy.communicators.local.specs import Local
from packerpy.contracts import Connector, Run
from packerpy.errors import CommunicatorError
from packerpy.values import Machine


class LocalConnector(Connector):
    """There is nothing to wait for."""

    def __init__(self, spec: Local) -> None:
        self._spec = spec

    def connect(self, run: Run, machine: Machine, *, died: Callable[[], str | None] | None = None) -> LocalChannel:
        """Open the channel.

        :raises CommunicatorError: the machine is no tree.
        """
        place = self._place(machine)
        return LocalChannel(run, Wrapped(place, self._spec.wrapper) if self._spec.wrapper else place)

    def _place(self, machine: Machine) -> Place:
        if self._spec.host:
            return Host()
        root = machine.endpoint.path
        if root is None or not root.is_dir():
            raise CommunicatorError(
                "there is no tree to run commands in",
                details=f"seen: {root}",
                resolution="the local communicator is for sources that make a tree of files, such as Bootstrap; "
                "Local(host=True) runs commands on this host itself",
            )
        dated = {"SOURCE_DATE_EPOCH": machine.facts["epoch"]} if "epoch" in machine.facts else {}
        return Tree(root, env=dated, devices=self._spec.devices)
