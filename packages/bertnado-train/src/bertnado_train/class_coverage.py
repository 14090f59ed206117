"""Warnings of classes that no training row belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bertnado_config import ArgumentProblem, Problem

from .dataset_splits import TRAIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_metrics import Task
    from numpy.typing import NDArray

    from .prepared_dataset import PreparedDataset

_MOST_SHOWN = 5
"""Of more classes than this, only some are named."""


def coverage_problems(task: Task, dataset: PreparedDataset) -> list[Problem]:
    """Warn of classes, or labels of a multilabel task, that a model cannot learn because no training row has them."""
    if task.problem_type == "regression":
        return []
    counts = {name: _rows_of_classes(split.labels, dataset.logits) for name, split in dataset.splits.items()}
    classes = np.flatnonzero(counts[TRAIN] == 0).tolist()
    if len(counts[TRAIN]) - len(classes) < 2 and task.uses_class_weights:  # an error says so already
        return []
    named = {number: f" ({name!r:.40})" for name, number in (dataset.label2id or {}).items()}
    elsewhere = {number: _rows_elsewhere(counts, number) for number in classes}
    messages = [
        _not_learnt([f"class {number}{named.get(number, '')}{rows}" for number, rows in elsewhere.items() if rows]),
        _unused([f"class {number}{named.get(number, '')}" for number, rows in elsewhere.items() if not rows]),
    ]
    return [ArgumentProblem("dataset", message, "warning") for message in messages if message]


def _rows_of_classes(labels: NDArray[Any], logits: int) -> NDArray[np.int64]:
    """Count the rows of each class, or those with each label of a multilabel task."""
    if labels.ndim > 1:
        return (labels == 1).sum(axis=0)
    return np.bincount(labels.astype(np.int64), minlength=max(logits, 2))


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


def _joined(classes: Sequence[str]) -> str:
    shown = "; ".join(classes[:_MOST_SHOWN])
    return f"{shown} and {len(classes) - _MOST_SHOWN} more" if len(classes) > _MOST_SHOWN else shown
