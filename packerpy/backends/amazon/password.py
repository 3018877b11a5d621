"""The password that a Windows instance made for its administrator."""

from __future__ import annotations

import base64
import time
from pathlib import Path

from packerpy.backends.amazon.api import Cloud
from packerpy.backends.amazon.errors import NoPassword

_PAUSE = 5.0


def password(at: Cloud, instance: str, key: Path, timeout: float) -> str:
    """Wait until Windows has told it, encrypted for the key pair that the instance was started with; it is hidden.

    :param key: our half of the pair.
    :param timeout: seconds.
    :raises NoPassword: it has not told by then, or for another key.
    """
    deadline = time.monotonic() + timeout
    at.run.say("waiting for the administrator's password")
    while not (told := str(at.call("ec2.GetPasswordData", InstanceId=instance).get("PasswordData", "")).strip()):
        if time.monotonic() > deadline:
            raise NoPassword(instance, f"there was none within {timeout:g} s")
        at.run.wait(_PAUSE)
    text = _decrypted(instance, told, key)
    at.run.hide(text)
    return text


def _decrypted(instance: str, told: str, key: Path) -> str:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    private = load_ssh_private_key(key.read_bytes(), None)
    assert isinstance(private, RSAPrivateKey)  # noqa: S101  we made it
    try:
        return private.decrypt(base64.b64decode(told), PKCS1v15()).decode()
    except ValueError as error:
        raise NoPassword(instance, "what it told cannot be decrypted by the build's key") from error
