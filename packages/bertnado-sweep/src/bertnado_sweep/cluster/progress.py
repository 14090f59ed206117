"""How far a sweep is: a job that makes no progress is not queued again and again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from bertnado_config import InvalidInputError

from bertnado_sweep.records.confirmation import CONFIRMATION_DIRECTORY, FOLDS_DIRECTORY
from bertnado_sweep.records.files import SWEEP_FILE
from bertnado_sweep.status import recorded_status

if TYPE_CHECKING:
    from pathlib import Path

    from bertnado_sweep.records.trial import Trial


def read_progress(output_dir: Path) -> Any:
    """Return how far the trials of a sweep and the runs of its confirmation are; None if that is unknown."""
    confirmations = [output_dir / name for name in (CONFIRMATION_DIRECTORY, FOLDS_DIRECTORY)]
    recorded = [path for path in confirmations if (path / SWEEP_FILE).exists()]
    try:
        found = [recorded_status(output_dir, storage=os.environ.get("BERTNADO_STORAGE"))]
        found += [recorded_status(path) for path in recorded]
    except (InvalidInputError, RuntimeError, OSError):
        return None
    return [[(trial.number, trial.is_counted, _kept_steps(trial)) for trial in status.trials] for status in found]


def _kept_steps(trial: Trial) -> float:
    """Return the steps of a trial that its next attempt need not repeat."""
    if not trial.attempts:
        return 0
    last = trial.attempts[-1]
    has_state = trial.training_state is not None and trial.training_state.exists()
    return (last["to_step"] if has_state else None) or last["from_step"]
