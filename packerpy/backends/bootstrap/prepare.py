"""The fresh tree is made ready for the user's steps."""

from __future__ import annotations

from importlib.resources import files

from packerpy.backends.bootstrap.accounts import locale_lines, user_lines
from packerpy.backends.bootstrap.specs import Bootstrap
from packerpy.contracts import Communicator, Run
from packerpy.declare import Secret
from packerpy.errors import SourceError
from packerpy.values import Command


def prepare(run: Run, spec: Bootstrap, channel: Communicator) -> None:
    """Remove traces of the installation, keep services from starting, make accounts and locale, run the hooks.

    :raises SourceError: one of these failed.
    """
    execute(run, channel, script("settle"), "settling the tree", stdin=script("policy-rc.d").encode())
    lines = ["set -eu", *locale_lines(str(spec.locale))]
    for user in spec.users:
        lines += user_lines(user)
    execute(run, channel, "\n".join(lines), "making accounts and locale")
    for user in spec.users:
        if user.password_hash is not None:
            secret = user.password_hash
            text = run.reveal(secret) if isinstance(secret, Secret) else secret
            run.hide(text)
            execute(run, channel, "chpasswd --encrypted", "setting a password", stdin=f"{user.name}:{text}\n".encode())
    for number, hook in enumerate(spec.hooks):
        run.say(f"hook {number + 1} of {len(spec.hooks)}")
        execute(run, channel, hook, f"hook {number + 1}: {hook.splitlines()[0]}")


def script(name: str) -> str:
    """One of the scripts that come with this package."""
    return files(__package__).joinpath("files", name).read_text(encoding="utf-8")


def execute(run: Run, channel: Communicator, line: str, what: str, *, stdin: bytes | None = None) -> None:
    """Run a line in the tree, its output told as events.

    :raises SourceError: it failed; ``what`` names it.
    """
    done = channel.run(Command(line=line, stdin=stdin), sink=run.output)
    if not done.ok:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
        raise SourceError(f"{what} failed with exit code {done.exit_status}", details=said or None)
