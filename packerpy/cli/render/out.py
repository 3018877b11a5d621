"""A stream that may lose its reader."""

from __future__ import annotations

import os
from typing import TextIO


class Out:
    """Writes text at once; falls silent when the reader has gone (``packerpy build … | head``): the build goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream

    def write(self, text: str) -> None:
        """Write and flush."""
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            self._silence(self._stream)
            self._stream = None

    def _silence(self, stream: TextIO) -> None:
        """What is still in the stream's buffer must not raise again at the end of the process."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
