"""Classification metrics, computed by scikit-learn.

Each column of an evaluation is a binary decision, and a metric is the mean over the columns (macro average). A ratio
with a denominator of 0 is 0 (`zero_division=0`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .lazy_imports import sklearn_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from .metric import Evaluation


def accuracy_of_labels(evaluation: Evaluation) -> float:
    """Compute the share of correct decisions among all labels of all rows."""
    return float((evaluation.truth == evaluation.predicted).mean())


def accuracy_of_classes(evaluation: Evaluation) -> float:
    """Compute the share of rows whose class is predicted correctly."""
    return float((evaluation.truth == evaluation.predicted).all(axis=1).mean())


def precision(evaluation: Evaluation) -> float:
    """Compute the share of predicted labels that are true."""
    return _macro_average(sklearn_metrics().precision_score, evaluation)


def recall(evaluation: Evaluation) -> float:
    """Compute the share of true labels that are predicted."""
    return _macro_average(sklearn_metrics().recall_score, evaluation)


def f1(evaluation: Evaluation) -> float:
    """Compute the harmonic mean of precision and recall, column by column."""
    return _macro_average(sklearn_metrics().f1_score, evaluation)


def mcc_of_labels(evaluation: Evaluation) -> float:
    """Compute the Matthews correlation coefficient of each column, and their mean."""
    columns = zip(evaluation.truth.T, evaluation.predicted.T, strict=True)
    return _mean([_mcc(truth, predicted) for truth, predicted in columns])


def mcc_of_classes(evaluation: Evaluation) -> float:
    """Compute the multiclass Matthews correlation (Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006)."""
    return _mcc(evaluation.truth.argmax(axis=1), evaluation.predicted.argmax(axis=1))


def roc_auc(evaluation: Evaluation) -> float:
    """Compute the area under the ROC curve, each column against the rest.

    The mean is over the columns in which both values occur; NaN if there are none.
    """
    return _mean_of_curves(sklearn_metrics().roc_auc_score, evaluation)


def average_precision(evaluation: Evaluation) -> float:
    """Compute the area under the precision-recall curve as average precision, without interpolation.

    The mean is over the columns in which both values occur; NaN if there are none.
    """
    return _mean_of_curves(sklearn_metrics().average_precision_score, evaluation)


def _macro_average(score: Callable[..., float], evaluation: Evaluation) -> float:
    truth, predicted = evaluation.truth, evaluation.predicted
    if truth.shape[1] == 1:  # scikit-learn would average over the two values of the column
        return float(score(truth[:, 0], predicted[:, 0], average="binary", zero_division=0))
    return float(score(truth, predicted, average="macro", zero_division=0))


def _mcc(truth: NDArray[Any], predicted: NDArray[Any]) -> float:
    """Compute the Matthews correlation; it is 0 if either side is constant, where scikit-learn may warn."""
    if (truth == truth[0]).all() or (predicted == predicted[0]).all():
        return 0.0
    return float(sklearn_metrics().matthews_corrcoef(truth, predicted))


def _mean_of_curves(score: Callable[..., float], evaluation: Evaluation) -> float:
    columns = zip(evaluation.truth.T, evaluation.scores.T, strict=True)
    return _mean([float(score(truth, scores)) for truth, scores in columns if truth.any() and not truth.all()])


def _mean(values: Iterable[float]) -> float:
    """Compute the mean; NaN if there are no values."""
    values = list(values)
    return math.fsum(values) / len(values) if values else math.nan
