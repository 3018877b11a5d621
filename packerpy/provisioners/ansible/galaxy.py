"""Roles and collections of a requirements file, fetched once."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import attrs

from packerpy.contracts import Run
from packerpy.errors import ProvisionError
from packerpy.kit.process import call


@attrs.frozen
class Fetched:
    """Where they are.

    :ivar roles: folder of roles.
    :ivar collections: folder of collections.
    """

    roles: Path
    collections: Path


def fetched(run: Run, requirements: Path, galaxy: str, env: Mapping[str, str]) -> Fetched:
    """The contents of a requirements file, from the cache when the file is the same as then.

    :param galaxy: the program ``ansible-galaxy``.
    :raises ProvisionError: something cannot be fetched.
    """
    text = requirements.read_bytes()
    store = run.cache / "ansible"
    place = store / hashlib.sha256(text).hexdigest()[:32]
    if not place.is_dir():
        store.mkdir(parents=True, exist_ok=True)
        growing = Path(tempfile.mkdtemp(prefix=".partial-", dir=store))
        try:
            _fetch(run, requirements, text.decode(errors="replace"), galaxy, env, growing)
            _publish(growing, place)
        finally:
            shutil.rmtree(growing, ignore_errors=True)
    return Fetched(place / "roles", place / "collections")


def _fetch(run: Run, requirements: Path, text: str, galaxy: str, env: Mapping[str, str], folder: Path) -> None:
    for kind in ("roles", "collections"):
        (folder / kind).mkdir()
        # A file without either word is the old form, a list of roles.
        listed = re.search(rf"^{kind}\s*:", text, re.MULTILINE)
        if listed or (kind == "roles" and not re.search(r"^collections\s*:", text, re.MULTILINE)):
            run.say(f"fetching the {kind} of {requirements.name}")
            argv: list[str | Path] = [
                galaxy,
                kind.removesuffix("s"),
                "install",
                "-r",
                requirements.absolute(),
                "-p",
                folder / kind,
            ]
            call(
                argv,
                cancellation=run.cancellation,
                sink=run.output,
                env=env,
                cwd=requirements.absolute().parent,
                error=ProvisionError,
                label=f"ansible-galaxy for {requirements}",
            )


def _publish(growing: Path, place: Path) -> None:
    """Under its name when complete; another build may have been quicker, and its result is as good."""
    try:
        growing.rename(place)
    except OSError:
        if not place.is_dir():
            raise
