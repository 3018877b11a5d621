"""Output as text."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager

from packerpy.contracts import OutputSink
from packerpy.errors import CommunicatorError
from packerpy.values import Completed, Stream


class Collected:
    """Decodes output piece by piece, keeps it, and hands it on."""

    def __init__(self, sink: OutputSink | None) -> None:
        self._sink = sink
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders = {"stdout": decoder("replace"), "stderr": decoder("replace")}
        self._texts: dict[str, list[str]] = {"stdout": [], "stderr": []}

    def __call__(self, stream: Stream, data: bytes, *, final: bool = False) -> None:
        """Take a piece."""
        text = self._decoders[stream].decode(data, final)
        if text:
            self._texts[stream].append(text)
            if self._sink is not None:
                self._sink(stream, text)

    def finish(self) -> None:
        """Hand on what an unfinished character left."""
        self("stdout", b"", final=True)
        self("stderr", b"", final=True)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """A command that could not be run to its end is told with what it said last."""
        try:
            yield
        except CommunicatorError as error:
            if said := self.last_words():
                error.details = f"{error.details}\n{said}" if error.details else f"its last output:\n{said}"
            raise

    def completed(self, exit_status: int) -> Completed:
        """How the command ended; there is no more output."""
        self.finish()
        return Completed(exit_status=exit_status, stdout=self.text("stdout"), stderr=self.text("stderr"))

    def text(self, stream: str) -> str:
        """All of it."""
        return "".join(self._texts[stream])

    def last_words(self) -> str:
        """The last lines of both."""
        return "\n".join((self.text("stdout") + self.text("stderr")).strip().splitlines()[-20:])
