"""What is wrong with the labels of folds, known before the first training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from bertnado_config import ArgumentProblem

from .class_coverage import FEWEST, count_classes
from .dataset_splits import TRAIN, VALIDATION
from .folds import require_same_rows
from .input_checks import is_defined, shared_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bertnado_config import Problem
    from bertnado_metrics import Objective
    from numpy.typing import NDArray

    from .row_groups import RowGroups
    from .training_setup import TrainingSetup

_MOST_SHOWN = 5
_CURE = "merge small groups in another column, or choose another column"


class _Fold(NamedTuple):
    """The labels of a fold."""

    group: str
    train: NDArray[Any]
    validation: NDArray[Any]


def fold_problems(setup: TrainingSetup, groups: RowGroups, objective: Objective) -> list[Problem]:
    """Report folds that cannot be trained or validated on, and warn of those with few rows of a class, or none.

    Raises:
        InvalidInputError: The groups are those of other rows.
    """
    require_same_rows(setup.dataset, groups)
    folds = list(_folds(setup, groups))
    messages = [_constant(folds, groups.column), _undefined(folds, setup, groups.column, objective)]
    errors = [ArgumentProblem("folds", message) for message in messages if message]
    messages = [_not_learnt(folds, setup, groups.column), _few(folds, setup, groups.column)]
    return [*errors, *(ArgumentProblem("folds", message, "warning") for message in messages if message)]


def _folds(setup: TrainingSetup, groups: RowGroups) -> Iterator[_Fold]:
    splits = setup.dataset.splits
    labels: NDArray[Any] = np.concatenate([splits[name].labels for name in (TRAIN, VALIDATION)])
    numbers = np.concatenate([groups.numbers[name] for name in (TRAIN, VALIDATION)])
    for number, group in enumerate(groups.names):
        yield _Fold(group, labels[numbers != number], labels[numbers == number])


def _constant(folds: Sequence[_Fold], column: str) -> str | None:
    found = [f"{fold.group} (all {shared})" for fold in folds if (shared := shared_label(fold.train))]
    if not found:
        return None
    rule = f"{{folds}} {column} leaves training rows with a single label, from which nothing can be learnt, without"
    return f"{rule} {_listed(found)}; {_CURE}"


def _undefined(folds: Sequence[_Fold], setup: TrainingSetup, column: str, objective: Objective) -> str | None:
    found = [
        _with_labels(fold)
        for fold in folds
        if not is_defined(objective, setup.task, fold.validation, setup.dataset.logits)
    ]
    if not found:
        return None
    rule = f"{objective.name} is undefined for {len(found)} of the {len(folds)} groups of {{folds}} {column}"
    return f"{rule}: {_listed(found)}; {_CURE}, or another metric"


def _with_labels(fold: _Fold) -> str:
    rows, shared = len(fold.validation), shared_label(fold.validation)
    labels = "labels too few" if shared is None else f"all {shared}"
    return f"{fold.group} ({rows} row{'s' * (rows != 1)}, {labels})"


def _not_learnt(folds: Sequence[_Fold], setup: TrainingSetup, column: str) -> str | None:
    """Warn of classes that only one group has: a model cannot learn what it is validated on."""
    found = [
        f"{fold.group} ({_classes(numbers)})"
        for fold in folds
        if (numbers := [number for number, rows in enumerate(_counts(setup, fold.train)) if not rows])
        and any(_counts(setup, fold.validation)[number] for number in numbers)
        and shared_label(fold.train) is None
    ]
    if not found:
        return None
    rule = f"classes of {{folds}} {column} that a single group has are in no training row when it is validated on"
    return f"{rule}: {_listed(found)}; {_CURE}"


def _few(folds: Sequence[_Fold], setup: TrainingSetup, column: str) -> str | None:
    found: list[str] = []
    for fold in folds:
        counts = _counts(setup, fold.validation)
        few = [f"class {number}: {rows}" for number, rows in enumerate(counts) if rows < FEWEST]
        found += [f"{fold.group} ({_listed(few, ', ')})"] if few else []
    if not found:
        return None
    rule = f"{len(found)} of the {len(folds)} groups of {{folds}} {column} have fewer than {FEWEST} rows of a class"
    return f"{rule}: {_listed(found)}; their metrics are mostly chance; {_CURE}"


def _counts(setup: TrainingSetup, labels: NDArray[Any]) -> tuple[int, ...]:
    return count_classes(setup.task, labels, setup.dataset.logits)


def _classes(numbers: Sequence[int]) -> str:
    return f"class{'es' * (len(numbers) != 1)} {', '.join(map(str, numbers))}"


def _listed(found: Sequence[str], separator: str = "; ") -> str:
    shown = separator.join(found[:_MOST_SHOWN])
    return f"{shown} and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else shown
