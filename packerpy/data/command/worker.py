"""Runs it."""

from __future__ import annotations

import os

import attrs

from packerpy.contracts import DataSource, Run
from packerpy.data.command.specs import CommandData
from packerpy.errors import DataError
from packerpy.kit.formats import parsed
from packerpy.kit.process import call
from packerpy.kit.text import text_of


@attrs.frozen
class Worker(DataSource):
    """Carries out a :class:`CommandData`."""

    spec: CommandData

    def read(self, run: Run) -> object:
        """See :class:`packerpy.contracts.DataSource`."""
        spec = self.spec
        argv = [text_of(run, word) for word in spec.argv]
        env = {name: text_of(run, value) for name, value in spec.env.items()}
        printed = call(
            argv,
            cancellation=run.cancellation,
            timeout=spec.timeout,
            env={**os.environ, **env},
            cwd=spec.folder,
            error=DataError,
            label=f"the command {argv[0]}",
        )
        try:
            text = printed.stdout.decode().removesuffix("\n")
            data = parsed(text, spec.format)
        except ValueError as error:
            # What it printed is not shown: it may be a secret.
            raise DataError(
                f"what {argv[0]} printed is not {spec.format} in UTF-8", details=type(error).__name__
            ) from error
        return {"text": text, "lines": text.splitlines(), "data": data}
