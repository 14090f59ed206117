"""Regression metrics, computed by scikit-learn and scipy.

With several targets, the errors are over all values; `r2` and the correlations are means over the targets.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .lazy_imports import scipy_stats, sklearn_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from .metric import Evaluation, FloatArray


def mse(evaluation: Evaluation) -> float:
    """Compute the mean squared error."""
    return float(((evaluation.scores - evaluation.truth) ** 2).mean())


def rmse(evaluation: Evaluation) -> float:
    """Compute the square root of the mean squared error."""
    return math.sqrt(mse(evaluation))


def mae(evaluation: Evaluation) -> float:
    """Compute the mean absolute error."""
    return float(abs(evaluation.scores - evaluation.truth).mean())


def r2(evaluation: Evaluation) -> float:
    """Compute the share of the variance that is explained (coefficient of determination).

    For a target whose measured values are all the same, it is 1 if every prediction is right and 0 otherwise.
    """
    return _mean_over_targets(evaluation, _r2)


def pearson(evaluation: Evaluation) -> float:
    """Compute Pearson's correlation; targets of which either side is constant are left out, NaN if all are."""
    return _mean_over_targets(evaluation, _pearson)


def spearman(evaluation: Evaluation) -> float:
    """Compute Spearman's rank correlation; targets of which either side is constant are left out, NaN if all are."""
    return _mean_over_targets(evaluation, _spearman)


def _mean_over_targets(evaluation: Evaluation, score: Callable[[FloatArray, FloatArray], float]) -> float:
    """Apply `score(truth, predicted)` to each column and return the mean of the values that are not NaN."""
    columns = zip(evaluation.truth.astype("float64").T, evaluation.scores.T, strict=True)
    values = [score(truth, predicted) for truth, predicted in columns]
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def _r2(truth: FloatArray, predicted: FloatArray) -> float:
    import numpy as np

    spread = _spread(truth)
    if spread == 0:
        return float((truth == predicted).all())
    # in units of the spread, squares of very large or very small values neither overflow nor vanish
    truth, predicted = (truth - truth[0]) / spread, (predicted - truth[0]) / spread
    if not np.isfinite(predicted).all():
        return -math.inf
    return float(sklearn_metrics().r2_score(truth, predicted))


def _pearson(truth: FloatArray, predicted: FloatArray) -> float:
    spreads = _spread(truth), _spread(predicted)
    if 0 in spreads or math.inf in spreads:
        return math.nan
    # in units of the spread as above; scipy warns of an offset that is large beside it
    result = scipy_stats().pearsonr((truth - truth[0]) / spreads[0], (predicted - predicted[0]) / spreads[1])
    return float(result.statistic)


def _spearman(truth: FloatArray, predicted: FloatArray) -> float:
    if _spread(truth) == 0 or _spread(predicted) == 0:
        return math.nan
    return float(scipy_stats().spearmanr(truth, predicted).statistic)


def _spread(values: FloatArray) -> float:
    """Compute the largest difference from the first value: exactly 0 if all are the same."""
    return float(abs(values - values[0]).max())
