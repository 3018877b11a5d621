"""Values of the build itself, as references: what it is called, and how its machine is reached."""

from __future__ import annotations

import attrs

from packerpy.declare.later import Later


@attrs.frozen
class BuildValue(Later):
    """A value of the build that uses it; made by :data:`this_build`.

    :ivar name: which one; ``fact:region`` for what only some platforms know.
    """

    name: str

    @property
    def shown(self) -> str:
        """``{this_build.host}``."""
        return "{this_build." + self.name.removeprefix("fact:") + "}"


class ThisBuild:
    """References to values of whichever build a declaration is used in, for any field that takes text.

    ``name``, ``image`` and ``source`` are known when a build is planned and may stand everywhere; a step that uses one
    is never shared between builds for which it differs. ``run`` is known when something runs. All others are known
    while there is a machine: in steps and tests. Of those the reference is in the key of a step, not the value.
    """

    name = BuildValue("name")
    """``web``, or ``web.qemu`` when the image has several sources."""
    image = BuildValue("image")
    """The image's name."""
    source = BuildValue("source")
    """The kind of its source: ``qemu``."""
    run = BuildValue("run")
    """The token of this run of packerpy, 12 hex digits."""
    id = BuildValue("id")
    """What the platform calls the machine."""
    host = BuildValue("host")
    """The machine's address, as seen from here; empty when it is reached otherwise."""
    port = BuildValue("port")
    """The port of its channel."""
    user = BuildValue("user")
    """Who the channel is logged in as."""
    connection = BuildValue("connection")
    """The kind of its channel: ``ssh``."""
    password = BuildValue("password")
    """The password that the channel is logged in by, where it is by one; a secret."""
    ssh_key = BuildValue("ssh_key")
    """The private key made for this build; a secret."""
    ssh_key_file = BuildValue("ssh_key_file")
    """Where that key lies while the build runs."""
    ssh_public_key = BuildValue("ssh_public_key")
    """Its public half, as a line of ``authorized_keys``; also in what an installer is given, where naming it is what
    makes the key."""
    http_url = BuildValue("fact:http_url")
    """The address of the build's own file server, as the machine sees it; in what an installer is given."""
    http_host = BuildValue("fact:http_host")
    """Its host."""
    http_port = BuildValue("fact:http_port")
    """Its port."""

    def fact(self, name: str) -> BuildValue:
        """What the source knows of its machine by that name: ``region``, ``source_ami``."""
        return BuildValue(f"fact:{name}")


GIVEN = frozenset({"ssh_public_key", "fact:http_url", "fact:http_host", "fact:http_port"})
"""Values that a source can know before its machine runs, for what it gives the machine."""

this_build = ThisBuild()
