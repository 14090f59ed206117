"""Saying what a process waits for, when that takes longer than a person expects."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bertnado_sweep.records.locks import SAY_AFTER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


PAUSE = 0.2
"""Seconds between two checks of what others train."""


class Waiting:
    """Names each thing that a process waits for, once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._since: float | None = None
        self._said: frozenset[str] = frozenset()

    def goes_on(self, what: Callable[[], Sequence[str]]) -> None:
        """Note that the process is still waiting.

        Args:
            what: Returns what it waits for; called once the wait has taken a while.
        """
        now = time.monotonic()
        if self._since is None:
            self._since = now
        if now - self._since < SAY_AFTER:
            return
        named = frozenset(what())
        for name in sorted(named - self._said):
            self._say(f"waiting for {name}")
        self._said |= named

    def is_over(self) -> None:
        """Note that the process no longer waits."""
        self._since, self._said = None, frozenset()
