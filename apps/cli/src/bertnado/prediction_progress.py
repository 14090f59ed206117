"""The progress of a prediction on the standard error stream."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from bertnado.line_output import LineOutput

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

_QUIET_SECONDS = 10.0
"""Without a terminal, a line is printed only if nothing was printed for this long."""


class PredictionProgress(LineOutput):
    """Shows a progress bar on a terminal, lines with the time elsewhere. Use it as a context manager."""

    def __init__(
        self,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Begin without a row; see `LineOutput`."""
        super().__init__(console, clock, now)
        self._begin = self._spoke
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
        elif self._was_quiet_for(_QUIET_SECONDS):
            self.say(text)
