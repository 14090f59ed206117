"""Training on train and validation together, for the steps of the best checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from bertnado_config import ArgumentProblem, InvalidInputError, Problem

from bertnado.best_details import UnusableDetailsError, read_best_details

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bertnado_config import BestConfig
    from bertnado_train import SweepPlan

TrainOn = Literal["train", "train+validation"]
"""The splits that a final model is trained on."""


def check_train_on(train_on: str, *, from_sweep: bool) -> None:
    """Check the splits to train on.

    Raises:
        InvalidInputError: They cannot be chosen, or nothing is to be trained.
    """
    problem = None
    if train_on not in get_args(TrainOn):
        problem = f"unknown {{train_on}} {train_on!r}; choose from {', '.join(get_args(TrainOn))}"
    elif from_sweep and train_on != "train":
        problem = "{from_sweep} trains nothing, and {train_on} train+validation trains anew; remove one of them"
    if problem is not None:
        raise InvalidInputError([ArgumentProblem("train_on", problem)])


def best_step(best: BestConfig, path: Path, plan: SweepPlan | None) -> tuple[int | None, list[Problem]]:
    """Return the step of the best checkpoint, None if it is not recorded, and problems.

    Args:
        best: The best configuration.
        path: Its file.
        plan: The plan of a training on `train` alone; None if it has errors.
    """
    rule = "{train_on} train+validation trains for the steps of the best checkpoint"
    try:
        details = read_best_details(best, path)
    except UnusableDetailsError as error:
        return None, [ArgumentProblem("train_on", f"{rule}, but {error}; omit it")]
    if details.step is None:
        return None, [ArgumentProblem("train_on", f"{rule}, but it is not recorded; omit it")]
    if plan is None:
        return details.step, []
    if details.step > plan.steps[1]:
        message = f"{rule}, got {details.step} and a training of only {plan.steps[1]}; remove what overrides the file"
        return details.step, [ArgumentProblem("train_on", message)]
    if details.fingerprint != plan.dataset["fingerprint"]:
        message = f"the {details.step} steps of the best checkpoint were found on another dataset"
        return details.step, [ArgumentProblem("dataset", message, "warning")]
    return details.step, []


def contradictions(patience: int | None, given: Mapping[str, Any]) -> list[Problem]:
    """Report what has no meaning if the number of steps is that of the best checkpoint."""
    rule = "{train_on} train+validation trains for the steps of the best checkpoint, and evaluates nothing"
    names = [name for name in ("max_steps", "num_train_epochs", "epochs") if name in given]
    names += ["early_stopping_patience"] if patience is not None else []
    return [ArgumentProblem("train_on", f"{rule}; remove {{{name}}}") for name in names]
