"""Folds of a trainer's data: the groups of a column, and what is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bertnado_config import ArgumentProblem, FoldingTrainer, InvalidInputError

from .records.confirmation import Folds

if TYPE_CHECKING:
    from bertnado_config import Problem, Trainer
    from bertnado_metrics import Objective


def find_folds(trainer: Trainer, column: str) -> Folds:
    """Return the groups of a column.

    Raises:
        InvalidInputError: The column cannot be used, or the trainer has no folds.
    """
    if not isinstance(trainer, FoldingTrainer):
        message = f"{{folds}} requires a trainer that can divide its data by a column, got {type(trainer).__name__}"
        raise InvalidInputError([ArgumentProblem("folds", message)])
    return Folds(column=column, groups=tuple(trainer.groups(column)))


def fold_problems(trainer: Trainer, column: str, objective: Objective, *, name: str = "folds") -> list[Problem]:
    """Return what is wrong with the folds of a column.

    Args:
        trainer: The trainer, whose `check` has found no error.
        column: The column.
        objective: The objective.
        name: The name of the argument that the column was given with.
    """
    try:
        find_folds(trainer, column)
        assert isinstance(trainer, FoldingTrainer)  # noqa: S101  (it has folds)
        found = list(trainer.check_folds(column, objective))
    except InvalidInputError as error:
        found = error.problems
    return [_renamed(problem, name) for problem in found]


def _renamed(problem: Problem, name: str) -> Problem:
    if not isinstance(problem, ArgumentProblem) or problem.path != "folds":
        return problem
    return replace(problem, path=name, message=problem.message.replace("{folds}", f"{{{name}}}"))
