"""What a machine needs after it was restored from a saved state, before anything else runs in it."""

from __future__ import annotations

import secrets
import time

from packerpy.contracts import Communicator, Run
from packerpy.errors import SourceError
from packerpy.values import Command

_LINE = r"""date -u -s @{now:.3f} >/dev/null & clock=$!
perl -e 'open F, ">/dev/urandom"; sysread STDIN, $b, 64; syswrite F, $b; ioctl F, 0x5207, 0 or exit 1' 2>/dev/null ||
{{ cat >/dev/urandom
python3 -c 'import fcntl; fcntl.ioctl(open("/dev/urandom", "w"), 0x5207)' 2>/dev/null || echo late; }}
while read -r card target rest; do
    [ "$target" = 00000000 ] && read -r up <"/sys/class/net/$card/carrier" && [ "$up" = 1 ] && way=$card
done 2>/dev/null </proc/net/route
[ -n "$way" ] || echo none
wait $clock"""
"""Sets the clock, stirs the random pool with what it reads, and looks for a way out of the machine: an interface that
has the default route and is plugged in. At once, and with few programs: to start one is what costs under emulation.

Linux goes on with the generator that it has for up to a minute after its pool was written to, unless it is told
otherwise, by the request RNDRESEEDCRNG (``random(4)``), for which there is no program.
"""

_TIMEOUT = 120.0


def revive(run: Run, channel: Communicator) -> None:
    """Set the clock of a restored Unix machine, give it fresh randomness, and look at its network.

    The clock is right within the time that a command takes to start. QEMU changes the machine's generation id besides,
    at which a Linux kernel with a driver for it stirs its pool by itself; Debian 12's cloud kernel has none.

    :raises SourceError: the clock could not be set.
    """
    line = _LINE.format(now=time.time())
    done = channel.run(Command(line=line, sudo=True, stdin=secrets.token_bytes(64), timeout=_TIMEOUT))
    if not done.ok:
        raise SourceError(
            "the clock of the restored machine could not be set",
            details=f"{done.stdout}{done.stderr}".strip() or f"exit code {done.exit_status}",
            resolution='give the user sudo without a password, or declare the source with layers="off"',
        )
    if "late" in done.stdout.split():
        run.say("the restored machine has neither perl nor python3, so its randomness is its own only after a minute")
    if "none" in done.stdout.split():
        run.say("the restored machine has no default route over a network that is up, perhaps as when it was saved")
