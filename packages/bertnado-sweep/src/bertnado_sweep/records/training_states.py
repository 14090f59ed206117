"""The training states of trials on disk: found for the next attempt, and removed when a trial has ended."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from .files import is_trial_directory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .trial import Trial

STATE_FILE = "training_state"
"""The training state in the directory of an attempt."""

_SCRATCH = re.compile(rf"\.{STATE_FILE}\.[0-9a-f]{{32}}\.tmp")

KEPT = "; its training state is kept"
"""The end of the error of an attempt whose worker died after it had written its own training state."""


def find_state(trial: Trial) -> Path | None:
    """Return the latest training state that an attempt has left: its own, otherwise the one that it continued from."""
    return next((path for path in (trial.training_state, trial.resumed_from) if path and path.is_file()), None)


def share_done(trial: Trial) -> float:
    """Return the share of its steps that the next attempt of a trial need not do again, from 0 to 1."""
    if find_state(trial) is None or not trial.total_steps or not trial.attempts:
        return 0.0
    return min((trial.attempts[-1]["to_step"] or 0) / trial.total_steps, 1.0)


def has_own_state(trial: Trial) -> bool:
    """Return True if an attempt has written a training state: it made progress."""
    return trial.training_state is not None and trial.training_state.is_file()


def is_without_progress(attempt: Trial, error: str) -> bool:
    """Return True if an attempt ended with an error that begins so, and has left no training state in its directory."""
    return (attempt.error or "").startswith(error) and not (attempt.error or "").endswith(KEPT)


def as_recorded(ended: Trial) -> Trial:
    """Return an attempt for its record; one that is not followed by another leaves no training state."""
    return ended if ended.state == "interrupted" else replace(ended, training_state=None)


class SpentStates:
    """Removes the training states of trials that have ended, those of all attempts; each trial is looked at once."""

    def __init__(self, output_dir: Path, place: str | None = None) -> None:
        """Start without a trial.

        Args:
            output_dir: The output directory of this machine.
            place: Its id among the output directories of a shared sweep.
        """
        self._output_dir = output_dir
        self._place = place
        self._removed: set[str] = set()

    def update(self, trials: Iterable[Trial]) -> None:
        """Remove the states of those of the trials that have ended since the last call."""
        for trial in trials:
            if trial.is_counted and trial.id not in self._removed:
                self._removed.add(trial.id)
                for row in trial.attempts:
                    if row["place"] == self._place:
                        remove_states(self._output_dir / row["directory"], self._output_dir)


def remove_states(directory: Path, output_dir: Path) -> None:
    """Remove the training state of an attempt, if its directory really lies in the output directory."""
    if is_trial_directory(directory, output_dir):
        remove_state_of(directory)


def remove_state_of(directory: Path) -> None:
    """Remove the training state in a directory, and what a killed process has left of one."""
    with suppress(OSError):
        for path in directory.iterdir():
            if path.name == STATE_FILE or _SCRATCH.fullmatch(path.name):
                path.unlink(missing_ok=True)
