"""How fast blocks are put: DirectAMI's pool against a plain loop, where each request takes its time.

Run with ``python -m benchmarks.direct_ami``. The endpoint is a stand-in of ours on loopback: it reads a block, waits as
long as a request to Amazon may take, and answers. Compare the ratio, not the seconds.
"""

from __future__ import annotations

import base64
import multiprocessing
import os
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path

import boto3

from packerpy.backends.amazon.access import Access
from packerpy.backends.amazon.api import cloud
from packerpy.backends.amazon.direct.blocks import SIZE, blocks
from packerpy.backends.amazon.direct.log import UploadLog
from packerpy.backends.amazon.direct.upload import Target, upload
from packerpy.testing import make_run

LATENCY = 0.05
"""Seconds; between a machine at home and a region nearby."""

COUNT = 200


class _Slow(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        """Take a block."""
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(LATENCY)
        self.send_response(201)
        self.send_header("x-amz-Checksum", str(self.headers["x-amz-Checksum"]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _serve(pipe: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    pipe.send(server.server_port)
    server.serve_forever()


def _loop(url: str, disk: Path) -> float:
    client = boto3.client("ebs", endpoint_url=url, region_name="us-east-1")
    start = time.monotonic()
    for block in blocks(disk):
        client.put_snapshot_block(
            SnapshotId="snap-0123456789",
            BlockIndex=block.index,
            BlockData=block.data,
            DataLength=SIZE,
            Checksum=base64.b64encode(block.digest).decode(),
            ChecksumAlgorithm="SHA256",
        )
    return time.monotonic() - start


def _pool(url: str, disk: Path, folder: Path, workers: int) -> float:
    folder.mkdir()
    run = make_run(folder)
    at = cloud(run, Access(endpoint_url=url), "us-east-1")
    log = UploadLog(folder / "log", {})
    log.begin("snap-0123456789")
    start = time.monotonic()
    upload(run, blocks(disk), [Target(at, "snap-0123456789", log)], workers=workers, total=COUNT)
    seconds = time.monotonic() - start
    run.close(failed=False)
    return seconds


def main() -> None:
    """Print one line each."""
    os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{mine.recv()}"
    with tempfile.TemporaryDirectory() as name:
        disk = Path(name) / "disk"
        disk.write_bytes(os.urandom(COUNT * SIZE))
        loop = _loop(url, disk)
        print(f"plain loop:      {loop:6.2f} s for {COUNT} blocks of 512 KiB, {LATENCY * 1000:g} ms a request")
        for workers in (4, 16, 32):
            seconds = _pool(url, disk, Path(name) / str(workers), workers)
            print(f"{workers:2} at once:      {seconds:6.2f} s, {loop / seconds:.1f} times as fast")
    server.terminate()


if __name__ == "__main__":
    main()
