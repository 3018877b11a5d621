"""Ciphers and key exchanges: what there is, and what is offered to a server."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import paramiko

# The library has no public list of what it knows.
CIPHERS: tuple[str, ...] = tuple(getattr(paramiko.Transport, "_cipher_info"))  # noqa: B009  its stubs lack it
KEY_EXCHANGES: tuple[str, ...] = tuple(getattr(paramiko.Transport, "_kex_info"))  # noqa: B009  likewise

_CHEAP_CIPHERS = ("aes128-gcm@openssh.com", "aes128-ctr")
_CHEAP_EXCHANGES = ("curve25519-sha256@libssh.org", "ecdh-sha2-nistp256")
"""Under emulation a post-quantum or finite-field key exchange costs the guest seconds."""


@attrs.frozen(kw_only=True)
class Algorithms:
    """What was asked for; empty means the library's own, cheap ones first."""

    ciphers: tuple[str, ...] = ()
    key_exchanges: tuple[str, ...] = ()

    def offer(self, transport: paramiko.Transport, host_key_kinds: Sequence[str]) -> None:
        """Set what the handshake will offer.

        :param host_key_kinds: types of the keys that the server may have; any if empty.
        """
        options = transport.get_security_options()
        options.kex = self.key_exchanges or first(_CHEAP_EXCHANGES, options.kex)
        options.ciphers = self.ciphers or first(_CHEAP_CIPHERS, options.ciphers)
        if host_key_kinds:
            rsa = {"rsa-sha2-512", "rsa-sha2-256"} if "ssh-rsa" in host_key_kinds else set()
            wanted = set(host_key_kinds) | rsa
            options.key_types = first(tuple(kind for kind in options.key_types if kind in wanted), options.key_types)


def first(preferred: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """``known``, with those that are preferred at its head."""
    ahead = tuple(name for name in preferred if name in known)
    return ahead + tuple(name for name in known if name not in ahead)
