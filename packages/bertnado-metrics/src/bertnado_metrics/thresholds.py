"""Thresholds of probabilities, chosen on rows whose labels are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from .compute import match_rows
from .tasks import Task, get_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from .metric import FloatArray

DEFAULT_THRESHOLD = 0.5
_EQUAL = 1e-12
"""Scores that differ by less are equal."""

_Score: TypeAlias = "Callable[[FloatArray, FloatArray, float, float], FloatArray]"
"""A function of true positives, false positives, and all positives and negatives."""


@dataclass(frozen=True)
class Criterion:
    """What a threshold maximises, and why."""

    name: str
    reason: str
    score: _Score


@dataclass(frozen=True)
class Threshold:
    """The threshold of one label: it is predicted if its probability is above `value`."""

    value: float
    score: float | None = None
    """The value of the criterion on the rows; `None` if they have one class, and `value` is the default."""


def criterion_of(objective: str) -> Criterion:
    """Return what the threshold maximises for a model that was chosen by a metric, without prefix."""
    return _CRITERIA.get(objective, _YOUDEN)


def choose_thresholds(task: str | Task, logits: Any, labels: Any, objective: str) -> tuple[Threshold, ...]:
    """Choose the threshold of each label on rows that are not those it will be judged by.

    Candidates lie halfway between neighbouring probabilities, and at 0 and 1; of equally good ones, the nearest to 0.5
    is taken.

    Args:
        task: The task or its name.
        logits: As for `compute_metrics`.
        labels: As for `compute_metrics`.
        objective: The metric that the model was chosen by, without prefix; see `criterion_of`.

    Returns:
        One for each logit; none for a task whose predictions have no threshold.

    Raises:
        ValueError: As for `compute_metrics`.
    """
    task = get_task(task)
    if not task.prediction_rule.takes_thresholds:
        return ()
    rows = match_rows(task, logits, labels, None)
    probabilities = task.prediction_rule.probabilities(rows.logits)
    criterion = criterion_of(objective)
    columns = zip(probabilities.T, (rows.labels == 1).T, strict=True)
    return tuple(_choose(scores, truth, criterion) for scores, truth in columns)


def _choose(probabilities: FloatArray, truth: NDArray[Any], criterion: Criterion) -> Threshold:
    import numpy as np

    positives, negatives = float(truth.sum()), float((~truth).sum())
    if not positives or not negatives or not np.isfinite(probabilities).all():
        return Threshold(DEFAULT_THRESHOLD)
    order = np.argsort(-probabilities, kind="stable")
    ordered = probabilities[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # of the rows with the same probability
    hits = np.concatenate([[0.0], np.cumsum(truth[order])[last]])
    cuts = np.concatenate([[1.0], (ordered[last[:-1]] + ordered[last[:-1] + 1]) / 2, [0.0]])
    predicted = np.concatenate([[0.0], last + 1.0])
    with np.errstate(all="ignore"):
        scores = np.nan_to_num(criterion.score(hits, predicted - hits, positives, negatives), nan=0.0)
    best = np.flatnonzero(scores >= scores.max() - _EQUAL)
    chosen = best[np.argmin(abs(cuts[best] - DEFAULT_THRESHOLD))]
    return Threshold(float(cuts[chosen]), float(scores[chosen]))


def _f1(hits: FloatArray, misses: FloatArray, positives: float, negatives: float) -> FloatArray:
    return 2 * hits / (hits + misses + positives)


def _accuracy(hits: FloatArray, misses: FloatArray, positives: float, negatives: float) -> FloatArray:
    return (hits + negatives - misses) / (positives + negatives)


def _youden(hits: FloatArray, misses: FloatArray, positives: float, negatives: float) -> FloatArray:
    return hits / positives - misses / negatives


def _mcc(hits: FloatArray, misses: FloatArray, positives: float, negatives: float) -> FloatArray:
    rows, predicted = positives + negatives, hits + misses
    covariance = rows * hits - positives * predicted
    return covariance / (positives * negatives * predicted * (rows - predicted)) ** 0.5


_F1 = Criterion("f1", "it weighs precision against recall, as the objective does", _f1)
_YOUDEN = Criterion(
    "youden", "sensitivity + specificity - 1: the point of the ROC curve furthest above chance", _youden
)
_CRITERIA: Mapping[str, Criterion] = {
    "f1": _F1,
    "precision": _F1,
    "recall": _F1,
    "average_precision": _F1,
    "accuracy": Criterion("accuracy", "it is the objective", _accuracy),
    "mcc": Criterion("mcc", "it is the objective", _mcc),
    "loss": Criterion("mcc", "it counts all four kinds of decisions, and the loss has no threshold", _mcc),
    "roc_auc": _YOUDEN,
}
"""The criterion by the metric that the model was chosen by. Maximising precision or recall alone would predict almost
nothing or everything."""
