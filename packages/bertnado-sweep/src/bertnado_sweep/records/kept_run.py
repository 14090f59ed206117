"""The run of a confirmed trial whose checkpoint is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertnado_config import InvalidInputError

from .files import TRIAL_FILE, read_trial

if TYPE_CHECKING:
    from pathlib import Path

    from bertnado_metrics import Objective

    from .confirmation import Finalist


def kept_run(winning: Finalist, objective: Objective, output_dir: Path) -> dict[str, Any] | None:
    """Return the record of the best run of a confirmed trial that has a checkpoint; None if none has.

    A final model can be made of it without training. The run of a fold is left out: it was trained on validation rows,
    by which thresholds of the final model are chosen and its metrics computed.

    Args:
        winning: The confirmed trial.
        objective: The objective.
        output_dir: The output directory of the sweep.
    """
    known = [run for run in winning.runs if run.value is not None and run.fold is None]
    for run in sorted(known, key=lambda run: run.value or 0.0, reverse=objective.greater_is_better):
        directory = output_dir / run.directory
        try:
            trial = read_trial(directory / TRIAL_FILE, directory.parent)
        except (InvalidInputError, OSError):
            continue
        if trial.checkpoint is not None and trial.checkpoint.exists():
            return {
                "directory": run.directory,
                "checkpoint": trial.checkpoint,
                "host": trial.host,
                "value": trial.value,
                "step": trial.step,
                "seed": trial.seed,
                "details": trial.details,
            }
    return None
