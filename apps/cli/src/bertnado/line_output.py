"""Lines on the standard error stream, beside the progress bars of a terminal."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable


class LineOutput:
    """Prints lines above the progress bars of a terminal; without one, with the time."""

    def __init__(
        self,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Start with nothing to show.

        Args:
            console: The console to show it on; by default the standard error stream.
            clock: Returns the time in seconds; it never goes back.
            now: Returns the local time.
        """
        self._console = console or Console(stderr=True, highlight=False)
        self._clock, self._now = clock, now
        self._spoke = clock()

    def say(self, line: str) -> None:
        """Print one line; without a terminal, with the time."""
        self._spoke = self._clock()
        stamp = "" if self._console.is_terminal else f"{self._now():%Y-%m-%d %H:%M:%S} "
        self._console.print(f"{stamp}{line}", markup=False, soft_wrap=True)

    def _was_quiet_for(self, seconds: float) -> bool:
        """Return True if there is no terminal, and nothing was printed for so long."""
        return not self._console.is_terminal and self._clock() - self._spoke > seconds
