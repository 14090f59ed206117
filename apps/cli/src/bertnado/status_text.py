"""The text of `bertnado sweep-status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertnado.display import describe_parameters

if TYPE_CHECKING:
    from bertnado_sweep import SweepStatus, Trial


def describe_status(status: SweepStatus) -> str:
    """Return a line for each trial, and the best one."""
    best = status.best
    name = status.objective.name
    lines = [
        f"sweep {status.sweep_id} ({status.source}): {len(status.trials)} trials, {status.objective.goal} {name}",
        *(_line(trial, is_best=best is not None and trial.id == best.id) for trial in status.trials),
    ]
    if best is None:
        return "\n".join([*lines, "no trial has a value yet"])
    return "\n".join([*lines, f"best: trial {best.number + 1}, {name} {best.value:.4f}"])


def _line(trial: Trial, *, is_best: bool) -> str:
    value = "" if trial.value is None else f"{trial.value:.4f}"
    rest = trial.error or describe_parameters(trial.parameters)
    return f"{'*' if is_best else ' '} {trial.number + 1:4}  {trial.id:24} {trial.state:12} {value:>9}  {rest}"
