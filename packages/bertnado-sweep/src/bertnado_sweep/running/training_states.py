"""The training states of a running trial: when one is written, and what is said of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from bertnado_sweep.records.training_states import remove_states

from .events import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .trial_run import TrialReport

MOST_OF_TIME = 0.02
"""The share of the time that writing states may take; the interval is lengthened until it does."""


class TrialStates:
    """The training states of one attempt. See `bertnado_config.TrainingStates`."""

    def __init__(
        self,
        report: TrialReport,
        path: Path,
        every: float,
        is_interrupted: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with the state that the attempt continues from, if there is one.

        Args:
            report: The report of the attempt.
            path: The file to write the state to.
            every: The seconds between two states.
            is_interrupted: Returns True once the trial is interrupted, and will be tried again.
            clock: Returns the time in seconds; it never goes back.
        """
        self._report = report
        self._path = path
        self._latest = report.trial.resumed_from
        self._every = every
        self._is_interrupted = is_interrupted
        self._clock = clock
        self._tried: float | None = None
        self._seconds = 0.0
        self._is_last_tried = self._is_said = False

    @property
    def is_settled(self) -> bool:
        """True once the state of an interrupted trial is written, or cannot be."""
        return self._is_last_tried

    @property
    def path(self) -> Path:
        """The file to write the state to."""
        return self._path

    @property
    def latest(self) -> Path | None:
        """The state to continue from; None if there is none."""
        return self._latest

    def is_due(self) -> bool:
        """Return True if the interval is over, and once when the trial is interrupted."""
        if self._is_interrupted():
            return not self._is_last_tried
        now = self._clock()
        if self._tried is None:
            self._tried = now  # the first step has ended; the time before it counts for nothing
        return now - self._tried >= max(self._every, self._seconds / MOST_OF_TIME)

    def written(self, step: int, seconds: float) -> None:
        """Remove the state of the earlier attempt, which this one replaces."""
        self._note_try(seconds)
        before, self._latest = self._latest, self._path
        if before is not None and before != self._path:
            remove_states(before.parent, self._report.directory.parent)
        self._report.state_written(step)

    def not_written(self, reason: str) -> None:
        """Say so once."""
        self._note_try(self._seconds)
        if not self._is_said:
            self._say(f"{self._report.name} goes on without a training state, which cannot be written: {reason}")
        self._is_said = True

    def resumed(self, step: int, history: Sequence[Mapping[str, Any]], seconds: float) -> None:
        """Go on with the history of the earlier attempt."""
        self._say(f"{self._report.name} continues from step {step}")
        self._report.resumed(step, history, seconds)

    def refused(self, reason: str) -> None:
        """Say why the trial begins anew."""
        self._say(f"{self._report.name} begins anew: its training state {self._latest} {reason}")
        self._latest = None

    def _note_try(self, seconds: float) -> None:
        self._tried, self._seconds = self._clock(), seconds
        self._is_last_tried = self._is_interrupted()

    def _say(self, text: str) -> None:
        self._report.observer(Note(text))
