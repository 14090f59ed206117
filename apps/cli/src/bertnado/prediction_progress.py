"""The progress of a prediction on the standard error stream."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable

_QUIET_SECONDS = 10.0
"""Without a terminal, a line is printed only if nothing was printed for this long."""


class PredictionProgress:
    """Shows a progress bar on a terminal, lines with the time elsewhere. Use it as a context manager."""

    def __init__(
        self,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Begin without a row.

        Args:
            console: The console to show it on; by default the standard error stream.
            clock: Returns the time in seconds; it never goes back.
            now: Returns the local time.
        """
        self._console = console or Console(stderr=True, highlight=False)
        self._clock, self._now = clock, now
        self._begin = self._spoke = clock()
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=self._console, transient=True
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def __call__(self, rows: int, total: int | None) -> None:
        """Show how many rows are predicted."""
        seconds = self._clock() - self._begin
        pace = f", {rows / seconds:,.0f} a second" if seconds > 0 else ""
        text = f"{rows:,}{'' if total is None else f' of {total:,}'} rows{pace}"
        if self._console.is_terminal:
            if self._task is None:
                self._task = self._bar.add_task(text, total=total)
            self._bar.update(self._task, description=text, completed=rows)
        elif self._clock() - self._spoke > _QUIET_SECONDS:
            self.say(text)

    def say(self, line: str) -> None:
        """Print one line; without a terminal, with the time."""
        self._spoke = self._clock()
        stamp = "" if self._console.is_terminal else f"{self._now():%Y-%m-%d %H:%M:%S} "
        self._console.print(f"{stamp}{line}", markup=False, soft_wrap=True)
