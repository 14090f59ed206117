"""The time that the trials of a sweep take, and that the rest will probably take."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Pace:
    """Measures the trials that have ended since the display began; the time before the first one does not count.

    With a forecast it knows the rest before a trial has ended, and corrects it by how long trials really take.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start without a trial.

        Args:
            clock: Returns the time in seconds; it never goes back.
        """
        self._clock = clock
        self._forecast: Sequence[float] = ()
        self._workers = 1
        self._began: dict[int, float] = {}
        self._taken: list[float] = []
        self._most_at_once = 1

    def expect(self, trials: Sequence[float], workers: int) -> None:
        """Take over a forecast: the seconds of each trial to come, in their order, and how many train at once."""
        self._forecast, self._workers = trials, workers

    def start(self, number: int) -> None:
        """Begin to measure a trial."""
        self._began[number] = self._clock()
        self._most_at_once = max(self._most_at_once, len(self._began))

    def seconds_of(self, number: int) -> float | None:
        """Return the seconds that a trial has been running for; None if it is not."""
        began = self._began.get(number)
        return None if began is None else self._clock() - began

    def end(self, number: int, *, is_counted: bool) -> float | None:
        """Return the seconds that a trial took; None if its start was not seen.

        Args:
            number: The trial's.
            is_counted: It counts towards the budget; an interrupted one tells nothing about the others.
        """
        began = self._began.pop(number, None)
        if began is None:
            return None
        taken = self._clock() - began
        if is_counted:
            self._taken.append(taken)
        return taken

    def seconds_left(self, trials_left: int) -> float | None:
        """Return the seconds that the remaining trials will take at the pace so far.

        Without a forecast it is None before the first trial has ended.

        Args:
            trials_left: The number of trials that have not ended; the running ones are among them.
        """
        rest = self._expected_rest(trials_left)
        if not rest:
            return None
        now = self._clock()
        done = sum(min(now - began, each) for began, each in zip(self._began.values(), rest, strict=False))
        return max(sum(rest) - done, 0.0) / min(max(self._most_at_once, self._workers), trials_left)

    def _expected_rest(self, trials_left: int) -> Sequence[float]:
        """Return the seconds of each remaining trial, running ones first; nothing if nothing is known of them."""
        if trials_left < 1:
            return ()
        if not self._forecast:
            return [statistics.mean(self._taken)] * trials_left if self._taken else ()
        mean = statistics.mean(self._forecast)
        ended = max(len(self._forecast) - trials_left, 0)
        rest = [*self._forecast[ended:], *[mean] * (trials_left - len(self._forecast))]
        expected = sum(self._forecast[: len(self._taken)])
        factor = (sum(self._taken) + mean) / (expected + mean)  # the forecast counts like one more trial
        return [seconds * factor for seconds in rest]


def describe_seconds(seconds: float) -> str:
    """Return a duration in words: `42 s`, `3 min 10 s`, `2 h 05 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def describe_estimate(seconds: float) -> str:
    """Return an estimated duration in a few characters: `95 s`, `65 min`, `12.3 h`, `4.5 days`."""
    for unit, size in (("s", 1), ("min", 60), ("h", 3600)):
        if seconds < 100 * size:
            return f"{seconds / size:.1f} {unit}" if unit == "h" else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.1f} days"


def describe_step(seconds: float) -> str:
    """Return a short duration in a few characters: `12 ms`, `0.34 s`, `12 s`."""
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2g} s" if seconds < 10 else describe_estimate(seconds)
