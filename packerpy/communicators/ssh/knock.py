"""Hands a connection to a socket over to whoever started us; run by itself, so it imports nothing of packerpy."""

import socket
import sys

if __name__ == "__main__":
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door, socket.socket(fileno=1) as caller:
        door.connect(sys.argv[1])
        socket.send_fds(caller, [b"\0"], [door.fileno()])
