"""The quality of predictions by class, and which classes are taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import classification
from .compute import match_rows
from .metric import Evaluation
from .tasks import Task, get_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .metric import FloatArray


def class_probabilities(task: str | Task, logits: Any) -> FloatArray:
    """Return the probability of each class: shape (rows, classes); of a binary task, of both.

    Args:
        task: A task whose predictions are classes or labels, or its name.
        logits: Shape (rows, logits).
    """
    import numpy as np

    task = get_task(task)
    found = task.prediction_rule.probabilities(np.asarray(logits, dtype=np.float64))
    return np.hstack([_complement(task, logits), found]) if task.has_positive_class else found


def predict_classes(task: str | Task, logits: Any, thresholds: Sequence[float] = ()) -> NDArray[Any]:
    """Return which classes are predicted: shape (rows, classes), true or false; of a binary task, for both.

    Args:
        task: A task whose predictions are classes or labels, or its name.
        logits: Shape (rows, logits).
        thresholds: One for each logit: its label is predicted if its probability is above it; by default 0.5.
    """
    import numpy as np

    task = get_task(task)
    decided = task.prediction_rule.decide(np.asarray(logits, dtype=np.float64), thresholds)
    return np.hstack([~decided, decided]) if task.has_positive_class else decided


def tabulate_classes(
    task: str | Task, logits: Any, labels: Any, classes: Sequence[str], thresholds: Sequence[float] = ()
) -> list[dict[str, Any]]:
    """Return rows, precision, recall, F1, ROC-AUC and average precision of each class against the rest.

    Args:
        task: The task or its name.
        logits: As for `compute_metrics`.
        labels: As for `compute_metrics`.
        classes: Their names.
        thresholds: As for `predict_classes`.

    Returns:
        A table row for each class; none for a regression. A metric that is not defined is NaN.

    Raises:
        ValueError: As for `compute_metrics`.
    """
    task = get_task(task)
    if task.predicts_values:
        return []
    rows = match_rows(task, logits, labels, None)
    truth = _truth(task, rows.labels, len(classes))
    predicted, scores = predict_classes(task, rows.logits, thresholds), class_probabilities(task, rows.logits)
    table: list[dict[str, Any]] = []
    for number, name in enumerate(classes):
        column = slice(number, number + 1)
        evaluation = Evaluation(truth[:, column], predicted[:, column], scores[:, column], scores[:, column])
        counts = {"rows": int(truth[:, number].sum()), "predicted": int(predicted[:, number].sum())}
        table.append({"class": name, **counts, **{key: find(evaluation) for key, find in _COLUMNS.items()}})
    return table


def count_confusions(
    task: str | Task, logits: Any, labels: Any, classes: int, thresholds: Sequence[float] = ()
) -> list[list[int]]:
    """Return the rows of each true class (first index) by the class that is predicted (second index).

    Args:
        task: The task or its name.
        logits: As for `compute_metrics`.
        labels: As for `compute_metrics`.
        classes: Their number.
        thresholds: As for `predict_classes`.

    Returns:
        The table; empty for a task whose rows do not belong to one class each.

    Raises:
        ValueError: As for `compute_metrics`.
    """
    task = get_task(task)
    if not task.uses_class_weights:
        return []
    rows = match_rows(task, logits, labels, None)
    truth, predicted = _truth(task, rows.labels, classes), predict_classes(task, rows.logits, thresholds)
    return (truth.astype(int).T @ predicted.astype(int)).tolist()


def _truth(task: Task, labels: Any, classes: int) -> NDArray[Any]:
    """Return which classes each row belongs to: shape (rows, classes), true or false."""
    import numpy as np

    if task.uses_class_weights:
        return labels.reshape(-1, 1).astype(int) == np.arange(classes)
    return labels == 1


def _complement(task: Task, logits: Any) -> FloatArray:
    """Return the probability of class 0 without subtracting from 1, which would lose small ones."""
    import numpy as np

    return task.prediction_rule.probabilities(-np.asarray(logits, dtype=np.float64))


_COLUMNS = {
    "precision": classification.precision,
    "recall": classification.recall,
    "f1": classification.f1,
    "roc_auc": classification.roc_auc,
    "average_precision": classification.average_precision,
}
