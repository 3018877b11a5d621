"""A small WS-Management server: remote shells as the protocol ([MS-WSMV], DSP0226) has them, run by /bin/sh.

It is no Windows: a command line that begins with ``powershell.exe`` is answered by :mod:`powershell`, a stand-in that
knows the few scripts of packerpy by their text, and gives any other to /bin/sh.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import ssl
import struct
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import spnego

from packerpy.communicators.winrm import scripts

NS = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
}
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
TIMED_OUT, NO_SHELL = 2150858793, 2150858843
CERTIFICATE_AUTH = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"


class Fault(Exception):
    """Answered as a SOAP fault."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Shell:
    """A remote shell: an environment, and at most one command at a time, as packerpy uses it."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self.process: subprocess.Popen[bytes] | None = None
        self._pieces: list[tuple[str, bytes]] = []
        self._open = 0
        self._news = threading.Condition()

    def start(self, line: str) -> None:
        """Run a command."""
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", line],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **self.env, "PATH": f"{Path(__file__).parent / 'bin'}:{os.environ['PATH']}",
                 "PACKERPY_TEST_PYTHON": sys.executable, "PACKERPY_TEST_SCRIPTS": scripts.__file__},
            start_new_session=True,
        )  # fmt: skip
        self._open = 2
        for name, pipe in (("stdout", self.process.stdout), ("stderr", self.process.stderr)):
            threading.Thread(target=self._read, args=(name, pipe), daemon=True).start()

    def _read(self, name: str, pipe: Any) -> None:
        while data := pipe.read1(30_000):
            with self._news:
                self._pieces.append((name, data))
                self._news.notify()
        pipe.close()
        with self._news:
            self._open -= 1
            self._news.notify()

    def send(self, data: bytes, *, end: bool) -> None:
        """Give it input."""
        assert self.process is not None
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
            if end:
                self.process.stdin.close()
        except (BrokenPipeError, ValueError):
            return  # it ended, and takes none any more

    def receive(self, timeout: float) -> tuple[list[tuple[str, bytes]], int | None]:
        """Wait for output or the end."""
        with self._news:
            if not self._news.wait_for(lambda: self._pieces or not self._open, timeout):
                raise Fault(TIMED_OUT, "The WS-Management service cannot complete the operation within the time")
            pieces, self._pieces = self._pieces, []
            over = not self._open
        assert self.process is not None
        return pieces, self.process.wait() if over else None

    def kill(self) -> None:
        """End it with everything that it started."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


class WSManServer:
    """One service on loopback; ``restart`` forgets all shells, as a machine that is started anew.

    :param auth: ``basic``, ``ntlm`` or ``certificate``.
    :param tls: certificate and key of the server.
    :param client_ca: who signs clients' certificates.
    """

    def __init__(
        self,
        folder: Path,
        *,
        auth: str = "basic",
        user: str = "me",
        password: str = "s3cret-word",
        tls: tuple[Path, Path] | None = None,
        client_ca: Path | None = None,
        port: int = 0,
    ) -> None:
        self.auth, self.user, self.password = auth, user, password
        self.tls, self.client_ca, self.port = tls, client_ca, port
        self.boot = folder / "boot"
        self.boot.write_text("1\n")
        self.ntlm_users = folder / "ntlm"
        self.ntlm_users.write_text(f":{user}:{password}\n")
        self.shells: dict[str, Shell] = {}
        self.requests: list[str] = []
        self.seen = b""
        self._http: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Listen."""
        handler = type("Handler", (Handler,), {"service": self})
        self._http = Service(("127.0.0.1", self.port), handler)
        self.port = self._http.server_address[1]
        if self.tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_OPTIONAL
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Go down, with everything that runs."""
        if self._http is None:
            return
        self._http.shutdown()
        self._http.server_close()
        self._http.hang_up()  # type: ignore[attr-defined]
        self._http = None
        for shell in self.shells.values():
            shell.kill()
        self.shells.clear()

    def restart(self) -> None:
        """What a restart of the machine looks like from outside, once it is up again."""
        self.stop()
        self.boot.write_text(f"{int(self.boot.read_text()) + 1}\n")
        self.start()

    def answer(self, request: bytes) -> str:
        """One SOAP message for another."""
        self.seen += request
        envelope = ET.fromstring(request)
        action = envelope.findtext("s:Header/a:Action", "", NS)
        self.requests.append(action.rpartition("/")[2])
        message = envelope.findtext("s:Header/a:MessageID", "", NS)
        shell_id = envelope.findtext("s:Header/w:SelectorSet/w:Selector", "", NS)
        try:
            return self._wrapped(message, action, self._act(self.requests[-1], envelope, shell_id))
        except Fault as fault:
            raise Fault(fault.code, self._fault(message, fault)) from None

    def _act(self, action: str, envelope: ET.Element, shell_id: str) -> str:
        if action == "Create":
            return self._create(envelope)
        shell = self.shells.get(shell_id)
        if shell is None:
            raise Fault(NO_SHELL, "The request for the Windows Remote Shell failed because the shell was not found")
        if action == "Command":
            shell.start(envelope.findtext("s:Body/rsp:CommandLine/rsp:Command", "", NS))
            return f'<r:CommandResponse xmlns:r="{SHELL}"><r:CommandId>{uuid.uuid4()}</r:CommandId></r:CommandResponse>'
        if action == "Send":
            for stream in envelope.iterfind("s:Body/rsp:Send/rsp:Stream", NS):
                shell.send(base64.b64decode(stream.text or ""), end=stream.get("End", "").lower() == "true")
            return f'<r:SendResponse xmlns:r="{SHELL}"/>'
        if action == "Receive":
            seconds = float(re.sub("[^0-9.]", "", envelope.findtext("s:Header/w:OperationTimeout", "PT20S", NS)))
            return self._received(*shell.receive(seconds))
        if action == "Signal":
            shell.kill()
            return f'<r:SignalResponse xmlns:r="{SHELL}"/>'
        assert action == "Delete", action
        self.shells.pop(shell_id).kill()
        return ""

    def _create(self, envelope: ET.Element) -> str:
        shell_id = str(uuid.uuid4()).upper()
        variables = envelope.iterfind("s:Body/rsp:Shell/rsp:Environment/rsp:Variable", NS)
        env = {variable.get("Name", ""): variable.text or "" for variable in variables}
        self.shells[shell_id] = Shell(env | {"PACKERPY_TEST_BOOT": str(self.boot)})
        selector = f'<w:SelectorSet><w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet>'
        return (
            '<x:ResourceCreated xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer">'
            f"<a:ReferenceParameters>{selector}</a:ReferenceParameters></x:ResourceCreated>"
            f'<r:Shell xmlns:r="{SHELL}"><r:ShellId>{shell_id}</r:ShellId></r:Shell>'
        )

    def _received(self, pieces: list[tuple[str, bytes]], status: int | None) -> str:
        streams = "".join(
            f'<r:Stream Name="{name}" CommandId="x">{base64.b64encode(data).decode()}</r:Stream>'
            for name, data in pieces
        )
        state, code = ("Running", "") if status is None else ("Done", f"<r:ExitCode>{status}</r:ExitCode>")
        return (
            f'<r:ReceiveResponse xmlns:r="{SHELL}">{streams}'
            f'<r:CommandState CommandId="x" State="{SHELL}/CommandState/{state}">{code}</r:CommandState>'
            "</r:ReceiveResponse>"
        )

    def _wrapped(self, message: str, action: str, body: str) -> str:
        return (
            f'<s:Envelope xmlns:s="{NS["s"]}" xmlns:a="{NS["a"]}" xmlns:w="{NS["w"]}"><s:Header>'
            f"<a:Action>{action}Response</a:Action><a:MessageID>uuid:{uuid.uuid4()}</a:MessageID>"
            f"<a:RelatesTo>{message}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
        )

    def _fault(self, message: str, fault: Fault) -> str:
        detail = (
            f'<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="{fault.code}" '
            f'Machine="here"><f:Message>{escape(str(fault))}</f:Message></f:WSManFault>'
        )
        body = (
            "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason>"
            f'<s:Text xml:lang="">{escape(str(fault))}</s:Text></s:Reason><s:Detail>{detail}</s:Detail></s:Fault>'
        )
        return self._wrapped(message, "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault", body)


class Service(ThreadingHTTPServer):
    """Knows its connections, so that it can go down with all of them."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._connections: set[Any] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember it."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        """Cut every connection."""
        for connection in self._connections:
            try:
                connection.shutdown(2)
            except OSError:
                pass
            connection.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up, or distrusts us, is no news."""


class Handler(BaseHTTPRequestHandler):
    """One connection; a login by NTLM belongs to it."""

    service: WSManServer
    protocol_version = "HTTP/1.1"
    ntlm: Any = None

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Log in, then answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not getattr(self, f"_let_in_by_{self.service.auth}")():
            return
        sealed = self.headers.get("Content-Type", "").startswith("multipart/encrypted")
        if sealed:
            body = self._unsealed(body)
        if not body:
            self._say(200, b"")  # the client only wanted to log in
            return
        try:
            code, text = 200, self.service.answer(body)
        except Fault as fault:
            code, text = 500, str(fault)
        except Exception as error:
            code, text = 500, f"no SOAP: {error!r}"
        if sealed:
            self._say(code, self._sealed(text.encode()), 'multipart/encrypted;protocol="application/'
                      'HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"')  # fmt: skip
        else:
            self._say(code, text.encode())

    def _let_in_by_basic(self) -> bool:
        wanted = base64.b64encode(f"{self.service.user}:{self.service.password}".encode()).decode()
        if self.headers.get("Authorization") == f"Basic {wanted}":
            return True
        self._say(401, b"", authenticate='Basic realm="WSMAN"')
        return False

    def _let_in_by_certificate(self) -> bool:
        if self.headers.get("Authorization") == CERTIFICATE_AUTH and self.connection.getpeercert():
            return True
        self._say(401, b"")
        return False

    def _let_in_by_ntlm(self) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Negotiate ")
        if not token:
            if self.ntlm is not None and self.ntlm.complete:
                return True
            self._say(401, b"", authenticate="Negotiate")
            return False
        try:
            if self.ntlm is None or self.ntlm.complete:
                os.environ["NTLM_USER_FILE"] = str(self.service.ntlm_users)
                options = spnego.NegotiateOptions.wrapping_winrm
                self.ntlm = spnego.server(protocol="ntlm", options=options)
            out = self.ntlm.step(base64.b64decode(token))
        except spnego.exceptions.SpnegoError:
            self.ntlm = None
            self._say(401, b"", authenticate="Negotiate")
            return False
        if self.ntlm.complete:
            return True
        self._say(401, b"", authenticate=f"Negotiate {base64.b64encode(out).decode()}")
        return False

    def _unsealed(self, body: bytes) -> bytes:
        payload = body.split(b"\tContent-Type: application/octet-stream\r\n", 1)[1]
        payload = payload.removesuffix(b"--Encrypted Boundary--\r\n")
        size = struct.unpack("<i", payload[:4])[0]
        return self.ntlm.unwrap_winrm(payload[4 : 4 + size], payload[4 + size :])

    def _sealed(self, text: bytes) -> bytes:
        header, data, padding = self.ntlm.wrap_winrm(text)
        return (
            b"--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
            b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n--Encrypted Boundary\r\n"
            b"\tContent-Type: application/octet-stream\r\n%s%s%s--Encrypted Boundary--\r\n"
        ) % (len(text) + padding, struct.pack("<i", len(header)), header, data)

    def _say(
        self, code: int, body: bytes, kind: str = "application/soap+xml;charset=UTF-8", authenticate: str | None = None
    ) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if authenticate is not None:
            self.send_header("WWW-Authenticate", authenticate)
        self.end_headers()
        self.wfile.write(body)
