"""The numbers that say how near predicted values are to measured ones.

With several targets, the errors are over all values, `r2` and the correlations are means over the targets.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .libraries import mean_ranks

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

    Where all measured values are the same, it is 1 if every prediction is right and 0 otherwise.
    """
    return _mean_over_targets(evaluation, _r2)


def pearson(evaluation: Evaluation) -> float:
    """Compute Pearson's correlation; a target where either side is constant is left out, NaN if all are."""
    return _mean_over_targets(evaluation, _pearson)


def spearman(evaluation: Evaluation) -> float:
    """Compute Spearman's correlation, Pearson's of the ranks; equal values share their mean rank."""
    return _mean_over_targets(evaluation, _spearman)


def _mean_over_targets(evaluation: Evaluation, score: Callable[[FloatArray, FloatArray], float]) -> float:
    """Apply `score(truth, predicted)` to each column, and take the mean of what is not NaN."""
    columns = range(evaluation.scores.shape[1])
    truth, predicted = evaluation.truth.astype("float64"), evaluation.scores
    values = [score(truth[:, column], predicted[:, column]) for column in columns]
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def _r2(truth: FloatArray, predicted: FloatArray) -> float:
    spread = _spread(truth)
    if spread == 0:
        return float((truth == predicted).all())
    errors = (truth - predicted) / spread
    return 1 - float((errors**2).sum() / (_centred(truth, spread) ** 2).sum())


def _pearson(truth: FloatArray, predicted: FloatArray) -> float:
    spreads = _spread(truth), _spread(predicted)
    if 0 in spreads:
        return math.nan
    first, second = _centred(truth, spreads[0]), _centred(predicted, spreads[1])
    correlation = (first * second).sum() / math.sqrt((first**2).sum() * (second**2).sum())
    return min(1.0, max(-1.0, float(correlation)))


def _spearman(truth: FloatArray, predicted: FloatArray) -> float:
    return _pearson(mean_ranks(truth), mean_ranks(predicted))


def _spread(values: FloatArray) -> float:
    """Compute the largest difference from the first value: exactly 0 where all are the same."""
    return float(abs(values - values[0]).max())


def _centred(values: FloatArray, spread: float) -> FloatArray:
    """Subtract the mean, in units of the spread: squares neither overflow nor vanish."""
    scaled = (values - values[0]) / spread
    return scaled - scaled.mean()
