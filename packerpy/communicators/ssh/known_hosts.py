"""OpenSSH's file of known host keys."""

from __future__ import annotations

from pathlib import Path

import paramiko

from packerpy.errors import CommunicatorError


def known_host_keys(path: Path, host: str, port: int) -> list[str]:
    """Keys (``type base64``) that stand in the file for a host, also under a hashed name; none if there is no file.

    Lines with patterns or with ``@cert-authority`` are passed over.

    :raises CommunicatorError: it cannot be read.
    """
    name = host if port == 22 else f"[{host}]:{port}"
    try:
        known = paramiko.HostKeys(str(path)).lookup(name) if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise CommunicatorError(f"cannot read the known host keys in {path}", details=str(error)) from error
    return [f"{kind} {key.get_base64()}" for kind, key in known.items()] if known else []
