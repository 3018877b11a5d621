"""A stream through a proxy. The only importer of python-socks."""

from __future__ import annotations

import socket
from typing import Final

from packerpy.communicators.ssh.way import Proxy
from packerpy.errors import CommunicatorError, PluginError

_SOCKS_TRY_AGAIN: Final = frozenset({1, 3, 4, 5, 6})
"""Replies of RFC 1928 that a machine causes which is still booting: failure, unreachable, refused, expired."""

_HTTP_TRY_AGAIN: Final = frozenset({500, 502, 503, 504})


class NotYetError(Exception):
    """The machine at the end of the way does not answer yet."""


class WayBrokenError(CommunicatorError):
    """A host on the way, which is no machine that boots, cannot be reached or refuses."""


class WayRefusedError(WayBrokenError):
    """A host on the way says no; trying again would not change that."""


def connect(proxy: Proxy, password: str | None, host: str, port: int, timeout: float) -> socket.socket:
    """A stream to ``host:port``.

    :raises NotYetError: the proxy cannot reach it.
    :raises WayRefusedError: the proxy does not want to.
    :raises WayBrokenError: the proxy itself cannot be reached.
    :raises PluginError: the library is missing.
    """
    try:
        from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError, ProxyType
        from python_socks.sync import Proxy as Client
    except ImportError as error:
        raise PluginError(
            "a proxy needs the library python-socks", resolution="install it with `pip install packerpy[proxy]`"
        ) from error

    place = f"{proxy.host}:{proxy.port}"
    kind = ProxyType.SOCKS5 if proxy.protocol == "socks5" else ProxyType.HTTP
    client = Client(kind, proxy.host, proxy.port, username=proxy.user, password=password, rdns=True)
    try:
        stream: socket.socket = client.connect(host, port, timeout=timeout)
    except (ProxyTimeoutError, ProxyConnectionError) as error:
        if isinstance(error, ProxyTimeoutError) and _listens(proxy):
            raise NotYetError(f"the proxy {place} got no answer from {host}:{port}") from error
        raise WayBrokenError(
            f"the proxy {place} cannot be reached", details=str(error), resolution="check proxy=, or start it"
        ) from error
    except ProxyError as error:
        again = _SOCKS_TRY_AGAIN if proxy.protocol == "socks5" else _HTTP_TRY_AGAIN
        if error.error_code in again:
            raise NotYetError(f"the proxy {place} cannot reach {host}:{port}: {error}") from error
        raise WayRefusedError(
            f"the proxy {place} refuses a connection to {host}:{port}",
            details=str(error),
            resolution="check user and password of proxy=, its protocol, and what it allows",
        ) from error
    except UnicodeEncodeError:  # from None: the error holds the password
        raise WayRefusedError(
            f"user or password of the proxy {place} cannot be sent",
            details="they have other characters than ASCII's",
            resolution="give the proxy a login of plain letters, digits and signs",
        ) from None
    except OSError as error:
        raise NotYetError(f"the proxy {place} hung up: {error}") from error
    stream.settimeout(None)
    return stream


def _listens(proxy: Proxy) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((proxy.host, proxy.port)) == 0
