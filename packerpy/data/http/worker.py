"""Asks the server."""

from __future__ import annotations

import hashlib

import attrs

from packerpy.contracts import DataSource, Run
from packerpy.data.http.specs import HTTPData
from packerpy.errors import DataError
from packerpy.kit.formats import parsed
from packerpy.kit.request import Answer, ask
from packerpy.kit.text import text_of


@attrs.frozen
class Worker(DataSource):
    """Carries out an :class:`HTTPData`."""

    spec: HTTPData

    def read(self, run: Run) -> object:
        """See :class:`packerpy.contracts.DataSource`."""
        spec = self.spec
        answer = ask(
            run,
            spec.method,
            text_of(run, spec.url),
            headers={name: text_of(run, value) for name, value in spec.headers.items()},
            body=None if spec.body is None else text_of(run, spec.body).encode(),
            expect=spec.expect,
            timeout=spec.timeout,
            label=spec.title,
        )
        digest = hashlib.sha256(answer.body).hexdigest()
        if spec.sha256 is not None and digest != spec.sha256:
            raise DataError(
                f"the answer to {spec.title} has the wrong SHA-256 digest",
                details=f"wanted {spec.sha256}\nseen   {digest}",
                resolution="find out why it changed; if it may, declare the new digest",
            )
        text = answer.body.decode(errors="replace")
        return {
            "status": answer.status,
            "headers": answer.headers,
            "text": text,
            "data": self._data(answer, text),
            "sha256": digest,
        }

    def _data(self, answer: Answer, text: str) -> object:
        """What it says, when it says that it is JSON, or is."""
        try:
            return parsed(text, "json")
        except ValueError as error:
            if "json" in answer.headers.get("content-type", ""):
                raise DataError(f"the answer to {self.spec.title} is called JSON and is not") from error
            return None
