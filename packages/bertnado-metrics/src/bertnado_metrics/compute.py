"""Metrics from logits and labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .array_checks import number_array
from .class_weights import check_weights
from .tasks import Task, get_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .metric import Evaluation, FloatArray, NumberArray


def compute_metrics(
    task: str | Task, logits: Any, labels: Any, *, class_weights: Sequence[float] | None = None
) -> dict[str, float]:
    """Compute every metric of a task.

    It never warns. A metric that is not defined for the rows is NaN: ROC-AUC and average precision if only
    one class occurs, a correlation if either side is constant, and every metric if there are no rows or a
    logit is not finite.

    Args:
        task: The task or its name.
        logits: Shape (rows, logits), or (rows,) if there is one logit: lists, or arrays of any float type.
        labels: Shape (rows,), or (rows, labels) for a multilabel task; see `Task.check_labels`.
        class_weights: One weight per logit, as `Task.class_weights_from` returns them; they affect only the loss.

    Returns:
        The metrics by name without prefix, in the task's order.

    Raises:
        ValueError: The shapes do not match each other or the task, or labels or weights are invalid.
    """
    import numpy as np

    task = get_task(task)
    rows = match_rows(task, logits, labels, class_weights)
    evaluation = rows.evaluate(task)
    if evaluation is None:
        return dict.fromkeys(task.metrics, math.nan)
    with np.errstate(all="ignore"):
        return {name: metric.function(evaluation) for name, metric in task.metrics.items()}


@dataclass(frozen=True, eq=False)
class MatchedRows:
    """Logits, labels and weights that fit each other and the task."""

    logits: FloatArray
    """Shape (rows, logits)."""
    labels: NumberArray
    class_weights: tuple[float, ...] | None

    def evaluate(self, task: Task) -> Evaluation | None:
        """Arrange the rows for the metrics; `None` if there are none, or a logit is not finite."""
        import numpy as np

        if not len(self.logits) or not np.isfinite(self.logits).all():
            return None
        with np.errstate(all="ignore"):
            losses = task.loss.elements(self.logits, self.labels, self.class_weights)
            return task.prediction_rule.evaluate(self.logits, self.labels, losses)


def match_rows(task: Task, logits: Any, labels: Any, class_weights: Sequence[float] | None) -> MatchedRows:
    """Read logits, labels and weights, see `compute_metrics`.

    Raises:
        ValueError: The shapes do not match each other or the task, or labels or weights are invalid.
    """
    scores = _read_logits(logits)
    truth = _read_labels(task, labels, len(scores))
    matched = task.prediction_rule.match(scores, truth)
    return MatchedRows(scores, matched, _read_weights(task, class_weights, scores.shape[1]))


def _read_logits(values: Any) -> FloatArray:
    """Convert logits to the shape (rows, logits) and to double precision."""
    array = number_array(values)
    if array is None:
        raise ValueError("logits must be an array of numbers whose rows have the same length")
    if array.ndim not in (1, 2):
        raise ValueError(f"logits must have the shape (rows,) or (rows, logits), got {array.shape}")
    columns = array.shape[1] if array.ndim > 1 else 1
    return array.astype("float64").reshape(len(array), columns)


def _read_labels(task: Task, values: Any, rows: int) -> NumberArray:
    array = number_array(values)
    problems = task.check_labels(values) if rows or array is None or array.size else []
    if array is None or problems:
        raise ValueError(f"{task.name}: {'; '.join(problems)}")
    if len(array) != rows:
        raise ValueError(f"logits and labels must have the same number of rows, got {rows} and {len(array)}")
    return array


def _read_weights(task: Task, weights: Sequence[float] | None, logits: int) -> tuple[float, ...] | None:
    if weights is None:
        return None
    if task.loss.weight_argument is None:
        raise ValueError(f"{task.name}: class weights are not used; omit them")
    numbers = tuple(float(weight) for weight in weights)
    try:
        check_weights(numbers, logits)
    except ValueError as error:
        raise ValueError(f"{task.name}: {error}") from None
    return numbers
