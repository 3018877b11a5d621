"""Reads it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import attrs

from packerpy.contracts import DataSource, Run
from packerpy.data.file.specs import FileData
from packerpy.errors import DataError
from packerpy.kit.formats import Format, parsed

_FORMATS: dict[str, Format] = {".json": "json", ".toml": "toml"}


@attrs.frozen
class Worker(DataSource):
    """Carries out a :class:`FileData`."""

    spec: FileData

    def read(self, run: Run) -> object:
        """See :class:`packerpy.contracts.DataSource`."""
        path = Path(str(self.spec.path))
        form = self.spec.format or _FORMATS.get(path.suffix.lower(), "text")
        try:
            content = path.read_bytes()
            text = content.decode()
            data = parsed(text, form)
        except OSError as error:
            raise DataError(f"cannot read the file {path}", details=error.strerror) from error
        except ValueError as error:
            # The place is told, the content is not: it may be a secret.
            raise DataError(f"the file {path} is not {form} in UTF-8", details=type(error).__name__) from error
        return {"text": text, "data": data, "sha256": hashlib.sha256(content).hexdigest()}
