"""Makes one script of the operations and runs it."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from packerpy.contracts import Communicator, Provisioner, Run
from packerpy.errors import ProvisionError
from packerpy.kit.process import last_lines
from packerpy.provisioners.sysprep.operations import OPERATIONS
from packerpy.provisioners.sysprep.specs import Sysprep
from packerpy.values import Command, Machine

_HEAD = """\
set -u
failed=
contained() {
    [ -e /.dockerenv ] || [ -e /run/.containerenv ] ||
        { tr '\\0' '\\n' < /proc/1/environ | grep -q '^container='; } 2> /dev/null
}
"""

_TAIL = """
sync
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
"""


@attrs.frozen
class Worker(Provisioner):
    """Carries out a :class:`Sysprep`."""

    spec: Sysprep

    def apply(self, run: Run, machine: Machine, channel: Communicator) -> None:
        """See :class:`packerpy.contracts.Provisioner`."""
        names = self.spec.chosen()
        if machine.communicator.kind == "local":  # a tree on a disk of the host's
            names = tuple(name for name in names if not OPERATIONS[name].of_disk)
        # by its input, so that no script of ours lies where temporary files are removed
        command = Command(line="/bin/sh -s", stdin=script(names).encode(), sudo=self.spec.sudo)
        done = channel.run(command, sink=run.output)
        if not done.ok:
            raise ProvisionError(
                "not everything could be reset",
                details=last_lines(done.stdout + done.stderr) or f"exit code {done.exit_status}",
                resolution="see what the machine says above; leave an operation out with disable=[…]",
            )


def script(names: Iterable[str]) -> str:
    """The operations as one script; each for itself, so that one that fails keeps none from being done."""
    parts = [_HEAD]
    for name in names:
        operation = OPERATIONS[name]
        body = f'(\nset -e\n{operation.script.strip()}\n)\n[ $? -eq 0 ] || failed="$failed {name}"\n'
        parts.append(f"if ! contained; then\n{body}fi\n" if operation.of_disk else body)
    return "".join([*parts, _TAIL])
