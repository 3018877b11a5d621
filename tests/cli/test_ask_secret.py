"""A secret is asked for while the progress display stands still."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from packerpy.cli.asking import Asker


class _Screen:
    def __init__(self) -> None:
        self.told: list[str] = []

    def paused(self) -> AbstractContextManager[None]:
        @contextmanager
        def still() -> Any:
            self.told.append("paused")
            yield
            self.told.append("goes on")

        return still()


def test_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal it is typed unseen; without one there is nobody to ask."""
    screen = _Screen()
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def typed(prompt: str) -> str:
        screen.told.append(prompt)
        return "123456"

    monkeypatch.setattr("getpass.getpass", typed)
    asker = Asker(screen)  # type: ignore[arg-type]
    assert asker.secret("code: ") == "123456"
    assert screen.told == ["paused", "code: ", "goes on"]
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert asker.secret("code: ") is None
