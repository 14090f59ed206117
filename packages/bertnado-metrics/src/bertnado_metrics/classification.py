"""The numbers that say how well labels are told apart.

Each column of an evaluation is judged as a binary question, and the metric is the mean over the columns
(macro average). A share of nothing is 0, as with scikit-learn's `zero_division=0`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .libraries import average_precision_score, roc_auc_score

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .metric import BoolArray, Evaluation, FloatArray


def accuracy_of_labels(evaluation: Evaluation) -> float:
    """Compute the share of right decisions among all labels of all rows."""
    return float((evaluation.truth == evaluation.predicted).mean())


def accuracy_of_classes(evaluation: Evaluation) -> float:
    """Compute the share of rows with the right class."""
    return float(_hits(evaluation).sum() / len(evaluation.truth))


def precision(evaluation: Evaluation) -> float:
    """Compute the share of true labels among those predicted."""
    return _mean_share(_hits(evaluation), _count(evaluation.predicted))


def recall(evaluation: Evaluation) -> float:
    """Compute the share of predicted labels among the true ones."""
    return _mean_share(_hits(evaluation), _count(evaluation.truth))


def f1(evaluation: Evaluation) -> float:
    """Compute the harmonic mean of precision and recall, column by column."""
    return _mean_share(2 * _hits(evaluation), _count(evaluation.predicted) + _count(evaluation.truth))


def mcc_of_labels(evaluation: Evaluation) -> float:
    """Compute the Matthews correlation coefficient of each column, and their mean."""
    both, truth, predicted = _covariances(evaluation)
    return _mean_share(both, (truth**0.5) * (predicted**0.5))


def mcc_of_classes(evaluation: Evaluation) -> float:
    """Compute the multiclass Matthews correlation (Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006)."""
    both, truth, predicted = (part.sum(keepdims=True) for part in _covariances(evaluation))
    return _mean_share(both, (truth**0.5) * (predicted**0.5))


def roc_auc(evaluation: Evaluation) -> float:
    """Compute the area under the ROC curve, each column against the rest.

    The mean is over the columns in which both values occur; NaN where there is none.
    """
    return _mean_where_defined(evaluation, roc_auc_score)


def average_precision(evaluation: Evaluation) -> float:
    """Compute the area under the precision-recall curve as average precision, without interpolation.

    The mean is over the columns in which both values occur; NaN where there is none.
    """
    return _mean_where_defined(evaluation, average_precision_score)


def _count(decisions: NDArray[Any]) -> FloatArray:
    return decisions.sum(axis=0, dtype="float64")


def _hits(evaluation: Evaluation) -> FloatArray:
    """Count the rows of each column that are both true and predicted."""
    return _count(evaluation.truth.astype(bool) & evaluation.predicted.astype(bool))


def _mean_share(parts: FloatArray, wholes: FloatArray) -> float:
    """Compute the mean of `parts / wholes`; the share of a whole of 0 is 0."""
    import numpy as np

    return float(np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0).mean())


def _covariances(evaluation: Evaluation) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute, for each column, rows squared times cov(truth, predicted), var(truth) and var(predicted)."""
    rows = len(evaluation.truth)
    truth, predicted = _count(evaluation.truth), _count(evaluation.predicted)
    both = rows * _hits(evaluation) - truth * predicted
    return both, truth * (rows - truth), predicted * (rows - predicted)


def _mean_where_defined(evaluation: Evaluation, score: Callable[[BoolArray, FloatArray], float]) -> float:
    """Take the mean of `score(truth, scores)` over the columns in which both values occur."""
    positives = evaluation.truth.sum(axis=0)
    defined = (positives > 0) & (positives < len(evaluation.truth))
    values = [
        float(score(evaluation.truth[:, column].astype(bool), evaluation.scores[:, column]))
        for column in defined.nonzero()[0]
    ]
    return math.fsum(values) / len(values) if values else math.nan
