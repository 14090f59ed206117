"""Approximate 95 % confidence intervals of metrics, by formula where there is one and otherwise by bootstrap."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .lazy_imports import scipy_optimize, scipy_stats

if TYPE_CHECKING:
    from collections.abc import Callable

    from .metric import Evaluation, Metric

Interval = tuple[float, float]
"""The lower and the upper end."""

_LEVEL = 0.95
_Z = 1.959964
"""The quantile of the normal distribution that leaves 2.5 % above it."""
_RESAMPLES = 200
_MOST_ROWS = 2000
"""Rows that a bootstrap draws from; the interval of more rows is narrowed by the square root of their ratio."""
_SMALL = 1e-9


def confidence_interval(metric: Metric, evaluation: Evaluation, value: float) -> Interval | None:
    """Return an approximate 95 % interval of the metric's value; `None` if there are too few rows for one.

    It is that of one model on other rows of the same kind. It ignores that a winner is chosen by its value.
    """
    if not math.isfinite(value):
        return None
    return metric.interval(evaluation, value) if metric.interval else bootstrap(metric, evaluation, value)


def wilson(evaluation: Evaluation, value: float) -> Interval:
    """Return the interval of a share of the rows (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    rows = len(evaluation.truth)
    found = scipy_stats().binomtest(round(value * rows), rows).proportion_ci(_LEVEL, method="wilson")
    return float(found.low), float(found.high)


def hanley_mcneil(evaluation: Evaluation, value: float) -> Interval | None:
    """Return the interval of an area under the ROC curve (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747).

    The value is 1.96 standard errors away from either end, in the standard error of that end, so that an area of 1 has
    an interval too. The standard error of a mean over columns is taken to be the mean of theirs, its upper bound.
    """
    positives = evaluation.truth.sum(axis=0)
    negatives = len(evaluation.truth) - positives
    sizes = [(int(p), int(n)) for p, n in zip(positives, negatives, strict=True) if p and n]
    if not sizes:
        return None

    def error(area: float) -> float:
        return sum(_auc_error(area, *size) for size in sizes) / len(sizes)

    low = _root(lambda area: value - area - _Z * error(area), 0.0, min(value, 1 - _SMALL))
    high = _root(lambda area: area - value - _Z * error(area), max(value, _SMALL), 1.0)
    return low, high


def fisher_z(evaluation: Evaluation, value: float) -> Interval | None:
    """Return the interval of Pearson's correlation (Fisher 1921); a mean over targets is taken to be one of them."""
    return _from_z(value, 1.0, len(evaluation.truth))


def fisher_z_of_ranks(evaluation: Evaluation, value: float) -> Interval | None:
    """Return the interval of Spearman's correlation (Bonett and Wright 2000, doi:10.1007/BF02294183)."""
    return _from_z(value, 1 + value**2 / 2, len(evaluation.truth))


def bootstrap(metric: Metric, evaluation: Evaluation, value: float) -> Interval | None:
    """Return the percentile interval of a bootstrap of the rows, the same each time."""
    import numpy as np

    rng = np.random.default_rng(0)
    rows = len(evaluation.truth)
    drawn = rng.permutation(rows)[:_MOST_ROWS]
    centre = metric.function(evaluation.select(drawn))
    with np.errstate(all="ignore"):
        values = [metric.function(evaluation.select(rng.choice(drawn, len(drawn)))) for _ in range(_RESAMPLES)]
    defined = [found for found in values if math.isfinite(found)]
    if rows < 2 or not math.isfinite(centre) or 2 * len(defined) < _RESAMPLES:
        return None
    ends = np.quantile(defined, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    low, high = value + (ends - centre) * math.sqrt(len(drawn) / rows)
    return float(low), float(high)


def _auc_error(area: float, positives: int, negatives: int) -> float:
    """Return the standard error of an area under the ROC curve."""
    above, below = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (positives - 1) * (above - area**2) + (negatives - 1) * (below - area**2)
    return math.sqrt(max(variance, 0.0) / (positives * negatives))


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function is 0; the end that is nearest to it if it has one sign."""
    ends = function(low), function(high)
    if ends[0] * ends[1] > 0:
        return low if abs(ends[0]) < abs(ends[1]) else high
    return float(scipy_optimize().brentq(function, low, high))


def _from_z(value: float, variance: float, rows: int) -> Interval | None:
    """Return an interval that is symmetric on the scale of the inverse hyperbolic tangent."""
    if rows <= 3:
        return None
    centre = math.atanh(max(min(value, 1 - _SMALL), _SMALL - 1))
    half = _Z * math.sqrt(variance / (rows - 3))
    return math.tanh(centre - half), math.tanh(centre + half)
