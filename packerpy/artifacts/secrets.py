"""Reads declared secrets where they come from."""

from __future__ import annotations

import os

from packerpy.declare import Secret
from packerpy.errors import BuildError
from packerpy.kit.process import call


def read_secret(secret: Secret) -> str:
    """The clear text.

    :raises BuildError: its origin is not there; the message names the origin and never the value.
    """
    if secret.value is not None:
        return secret.value
    if secret.env is not None:
        if secret.env not in os.environ:
            raise BuildError(f"the secret from environment variable {secret.env} is not set", resolution="export it")
        return os.environ[secret.env]
    if secret.file is not None:
        try:
            return secret.file.read_text().removesuffix("\n")
        except OSError as error:
            raise BuildError(f"the secret in file {secret.file} cannot be read", details=str(error)) from error
    assert secret.command is not None  # noqa: S101  Secret makes sure that one origin is given
    printed = call(secret.command, label=f"the command of a secret ({secret.command[0]})")
    return printed.stdout.decode().removesuffix("\n")
