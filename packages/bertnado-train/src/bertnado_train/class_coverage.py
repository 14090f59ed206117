"""The rows of each class, and warnings of classes with few rows or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bertnado_config import ArgumentProblem, Problem

from .dataset_splits import TRAIN
from .row_store import chunks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_metrics import Task
    from numpy.typing import NDArray

    from .prepared_dataset import PreparedDataset

FEWEST = 20
"""A split with fewer rows of a class says little about it."""
_MOST_SHOWN = 5
"""Of more classes than this, only some are named."""


def coverage_problems(task: Task, dataset: PreparedDataset) -> list[Problem]:
    """Warn of classes, or labels of a multilabel task, that a model cannot learn because no training row has them."""
    if task.predicts_values:
        return []
    counts = {name: np.array(rows) for name, rows in dataset.classes.items()}
    classes = np.flatnonzero(counts[TRAIN] == 0).tolist()
    if len(counts[TRAIN]) - len(classes) < 2 and task.uses_class_weights:  # an error says so already
        return []
    named = _names(dataset)
    elsewhere = {number: _rows_elsewhere(counts, number) for number in classes}
    messages = [
        _not_learnt([f"class {number}{named.get(number, '')}{rows}" for number, rows in elsewhere.items() if rows]),
        _unused([f"class {number}{named.get(number, '')}" for number, rows in elsewhere.items() if not rows]),
    ]
    return [ArgumentProblem("dataset", message, "warning") for message in messages if message]


def count_classes(task: Task, labels: NDArray[Any], logits: int) -> tuple[int, ...]:
    """Count the rows of each class, or those with each label of a multilabel task; empty for a regression."""
    if task.predicts_values:
        return ()
    if labels.ndim > 1:
        return tuple(np.sum([(part == 1).sum(axis=0) for part in chunks(labels)], axis=0).tolist())
    return tuple(np.bincount(labels.astype(np.int64), minlength=max(logits, 2)).tolist())


def _rows_elsewhere(counts: Mapping[str, NDArray[np.int64]], number: int) -> str:
    """Return the rows of a class outside `train` in words; empty if it has none."""
    found = [f"{rows[number]} in {name}" for name, rows in counts.items() if name != TRAIN and rows[number]]
    return f", {' and '.join(found)}" if found else ""


def _not_learnt(classes: Sequence[str]) -> str | None:
    if not classes:
        return None
    return (
        f"no training row belongs to {_joined(classes)}, so a model cannot learn what it is evaluated on; "
        f"split the dataset again, stratified by label"
    )


def _unused(classes: Sequence[str]) -> str | None:
    if not classes:
        return None
    return (
        f"no row of any split belongs to {_joined(classes)}, although the model gets an output for each from 0 on; "
        f"number the classes that occur 0 to n-1 without gaps"
    )


def few_rows_problems(dataset: PreparedDataset) -> list[Problem]:
    """Warn of classes, or labels of a multilabel task, that have training rows, but few rows in some split."""
    messages = [_few(name, rows, dataset) for name, rows in dataset.classes.items()]
    return [ArgumentProblem("dataset", message, "warning") for message in messages if message]


def _names(dataset: PreparedDataset) -> dict[int, str]:
    return {number: f" ({name!r:.40})" for name, number in (dataset.label2id or {}).items()}


def _few(name: str, rows: Sequence[int], dataset: PreparedDataset) -> str | None:
    learnt, named = dataset.classes[TRAIN], _names(dataset)
    few = [number for number in np.argsort(rows, kind="stable").tolist() if learnt[number] and rows[number] < FEWEST]
    classes = [f"class {number}{named.get(number, '')}: {rows[number]}" for number in few]
    if not classes:
        return None
    consequence = "a model learns little about them" if name == TRAIN else "its metrics are mostly chance"
    return f"{name} has fewer than {FEWEST} rows of {_joined(classes)}; {consequence}; add rows, or merge classes"


def _joined(classes: Sequence[str]) -> str:
    shown = "; ".join(classes[:_MOST_SHOWN])
    return f"{shown} and {len(classes) - _MOST_SHOWN} more" if len(classes) > _MOST_SHOWN else shown
