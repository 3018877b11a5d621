"""In the place of Amazon's session-manager-plugin: takes its arguments, and carries TCP to where the session says."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from pathlib import Path

VERSION = "1.2.707.0"


def main(arguments: list[str]) -> None:
    """Be called as Amazon's own tools call it, listen, and carry whatever comes."""
    if arguments == ["--version"]:
        print(os.environ.get("STAND_IN_VERSION", VERSION))  # noqa: T201  the caller reads it
        return
    where, region, operation, profile, parameters, endpoint = arguments
    session = json.loads(os.environ[where])
    target = json.loads(parameters)
    assert (operation, profile, target["DocumentName"]) == ("StartSession", "", "AWS-StartPortForwardingSession")
    assert region
    assert endpoint.startswith("http")
    assert os.environ["AWS_ACCESS_KEY_ID"]
    assert session["TokenValue"] not in " ".join(arguments)
    record = os.environ.get("STAND_IN_RECORD")
    if record:
        Path(record).write_text(json.dumps({"pid": os.getpid(), "arguments": arguments}))
    if os.environ.get("STAND_IN_FAILS"):
        print("cannot reach the data channel", flush=True)  # noqa: T201  likewise
        sys.exit(1)
    host, port = session["StreamUrl"].removeprefix("ws://").split(":")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"\nStarting session with SessionId: {session['SessionId']}", flush=True)  # noqa: T201  likewise
        opened = listener.getsockname()[1]
        print(f"Port {opened} opened for sessionId {session['SessionId']}.", flush=True)  # noqa: T201  likewise
        while True:
            near = listener.accept()[0]
            far = socket.create_connection((host, int(port)))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=carry, args=pair, daemon=True).start()


def carry(source: socket.socket, target: socket.socket) -> None:
    """Until the source ends."""
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


if __name__ == "__main__":
    main(sys.argv[1:])
