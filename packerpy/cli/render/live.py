"""Lines that scroll, and below them one moving line for each build at work; for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from packerpy import events
from packerpy.cli.render.choose import Renderer
from packerpy.cli.render.lines import Line, Mood, lines_of

_COLOURS = ("cyan", "magenta", "yellow", "blue", "green", "bright_cyan", "bright_magenta", "bright_yellow")
_STYLES: dict[Mood, str] = {
    "step": "bold",
    "output": "",
    "message": "italic",
    "good": "green",
    "bad": "bold red",
    "quiet": "dim",
}


class Live(Renderer):
    """Rich's progress display; colours are left out where ``NO_COLOR`` says so."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(soft_wrap=True, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[build]}", style="bold"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._rows: dict[str, TaskID] = {}
        self._colours: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Take the terminal over."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal back."""
        self._progress.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop moving while somebody types."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def __call__(self, event: events.Event, /) -> None:
        """Print the event's lines above, and move the line of its build."""
        for line in lines_of(event):
            self._console.print(self._styled(line))
        match event:
            case events.TaskStarted():
                self._row(event.build, event.title)
            case events.TaskProgress():
                self._move(event)
            case events.TaskFinished():
                self._drop(event.build)

    def _styled(self, line: Line) -> Text:
        text = Text()
        if line.build:
            colour = self._colours.setdefault(line.build, _COLOURS[len(self._colours) % len(_COLOURS)])
            text.append(f"{line.build}: ", style=colour)
        return text.append(line.text, style=_STYLES[line.mood])

    def _row(self, build: str, title: str) -> None:
        self._drop(build)
        self._rows[build] = self._progress.add_task(title[:60], total=None, build=build, amount="")

    def _move(self, event: events.TaskProgress) -> None:
        row = self._rows.get(event.build)
        if row is not None:
            self._progress.update(row, completed=event.done, total=event.total, amount=_amount(event))

    def _drop(self, build: str) -> None:
        row = self._rows.pop(build, None)
        if row is not None:
            self._progress.remove_task(row)


def _amount(event: events.TaskProgress) -> str:
    if event.unit == "bytes":
        done = f"{event.done / 2**20:.1f}"
        return f"{done} / {event.total / 2**20:.1f} MiB" if event.total else f"{done} MiB"
    return f"{event.done:.0f} %" if event.unit == "%" else f"{event.done:g} {event.unit}"
