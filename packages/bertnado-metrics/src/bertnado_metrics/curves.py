"""What a figure of predictions shows: ROC and precision-recall curves, and how well probabilities are calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .lazy_imports import scipy_stats, sklearn_metrics

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .metric import BoolArray, FloatArray

BINS = 10
_LEVEL = 0.95


@dataclass(frozen=True)
class Curve:
    """A curve of one class against the rest."""

    x: FloatArray
    y: FloatArray
    area: float
    """The area under the curve, computed from all rows."""


@dataclass(frozen=True)
class CalibrationBin:
    """The rows whose probability lies in one interval."""

    low: float
    high: float
    """The interval includes its lower end; the last one includes 1 as well."""
    rows: int
    predicted: float
    """The mean probability."""
    observed: float
    """The share of rows that belong to the class."""
    interval: tuple[float, float]
    """The 95 % interval of `observed` (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""


def roc_curve(truth: ArrayLike, scores: ArrayLike, tolerance: float = 0.0) -> Curve | None:
    """Return the true positive rate (y) over the false positive rate (x), without points on straight lines.

    Args:
        truth: True for the rows of the class.
        scores: Its probability or logit in each row; finite.
        tolerance: Leave out points that lie no further than this from one that stays, in x and in y.

    Returns:
        The curve from (0, 0) to (1, 1); `None` if the rows belong to one class.

    Raises:
        ValueError: The arrays do not have the same length, or a score is not finite.
    """
    known, numbers = _rows(truth, scores)
    if known.all() or not known.any():
        return None
    x, y, _ = sklearn_metrics().roc_curve(known, numbers)
    area = float(sklearn_metrics().roc_auc_score(known, numbers))
    return Curve(*_thinned(x, y, tolerance), area)


def precision_recall_curve(truth: ArrayLike, scores: ArrayLike, tolerance: float = 0.0) -> Curve | None:
    """Return the precision (y) over the recall (x), without points on straight lines.

    It is a step function, of which the area is the average precision: between two points the precision is that of the
    right one.

    Args:
        truth: True for the rows of the class.
        scores: Its probability or logit in each row; finite.
        tolerance: Leave out points that lie no further than this from one that stays, in x and in y.

    Returns:
        The curve from recall 0 to recall 1; `None` if the rows belong to one class.

    Raises:
        ValueError: The arrays do not have the same length, or a score is not finite.
    """
    import numpy as np

    known, numbers = _rows(truth, scores)
    if known.all() or not known.any():
        return None
    precision, recall, _ = sklearn_metrics().precision_recall_curve(known, numbers, drop_intermediate=True)
    y, x = precision[-2::-1], recall[-2::-1]  # its last point, recall 0 with precision 1, is no row's
    x, y = np.concatenate([[0.0], x]), np.concatenate([y[:1], y])
    return Curve(*_thinned(x, y, tolerance), float(sklearn_metrics().average_precision_score(known, numbers)))


def calibration_bins(truth: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> list[CalibrationBin]:
    """Return how often rows belong to a class, by the probability that was predicted for it.

    Args:
        truth: True for the rows of the class.
        probabilities: Those of the class; each from 0 to 1.
        bins: The number of intervals of equal width.

    Returns:
        The intervals with at least one row, in order.

    Raises:
        ValueError: The arrays do not have the same length, or a probability is not from 0 to 1.
    """
    import numpy as np

    known, numbers = _rows(truth, probabilities)
    if len(numbers) and not (numbers.min() >= 0 and numbers.max() <= 1):
        raise ValueError(f"probabilities must be from 0 to 1, got {numbers.min():g} to {numbers.max():g}")
    edges = np.arange(bins + 1) / bins
    places = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, bins - 1)
    rows = np.bincount(places, minlength=bins)
    hits = np.bincount(places, weights=known, minlength=bins)
    sums = np.bincount(places, weights=numbers, minlength=bins)
    return [
        CalibrationBin(
            float(edges[place]),
            float(edges[place + 1]),
            int(rows[place]),
            float(sums[place] / rows[place]),
            float(hits[place] / rows[place]),
            _share_interval(int(hits[place]), int(rows[place])),
        )
        for place in np.flatnonzero(rows).tolist()
    ]


def _rows(truth: ArrayLike, scores: ArrayLike) -> tuple[BoolArray, FloatArray]:
    import numpy as np

    known, numbers = np.asarray(truth, dtype=np.bool_).reshape(-1), np.asarray(scores, dtype=np.float64).reshape(-1)
    if len(known) != len(numbers):
        raise ValueError(f"there must be one score for each row, got {len(numbers)} for {len(known)} rows")
    if not np.isfinite(numbers).all():
        raise ValueError(f"scores must be finite, got {int((~np.isfinite(numbers)).sum())} that are not")
    return known, numbers


def _thinned(x: Any, y: Any, tolerance: float) -> tuple[FloatArray, FloatArray]:
    """Leave out points that lie within the tolerance of the last one that stays; both ends stay."""
    import numpy as np

    points = np.column_stack([x, y]).astype(np.float64)
    if tolerance <= 0:
        return points[:, 0], points[:, 1]
    kept = [0]
    for place, point in enumerate(points.tolist()):
        last = points[kept[-1]]
        if abs(point[0] - last[0]) > tolerance or abs(point[1] - last[1]) > tolerance:
            kept.append(place)
    if kept[-1] != len(points) - 1:
        kept.append(len(points) - 1)
    return points[kept, 0], points[kept, 1]


def _share_interval(hits: int, rows: int) -> tuple[float, float]:
    found = scipy_stats().binomtest(hits, rows).proportion_ci(_LEVEL, method="wilson")
    return float(found.low), float(found.high)
