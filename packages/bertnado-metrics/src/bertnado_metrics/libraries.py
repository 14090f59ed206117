"""The functions that come from libraries without type hints, with type hints and imported when called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from .metric import BoolArray, FloatArray


def roc_auc_score(truth: BoolArray, scores: FloatArray) -> float:
    """Compute the area under the ROC curve of one column; both values have to occur in `truth`."""
    import sklearn.metrics as library  # pyright: ignore[reportMissingTypeStubs]  # it has none

    return float(cast("Any", library).roc_auc_score(truth, scores))


def average_precision_score(truth: BoolArray, scores: FloatArray) -> float:
    """Compute the average precision of one column; both values have to occur in `truth`."""
    import sklearn.metrics as library  # pyright: ignore[reportMissingTypeStubs]  # it has none

    return float(cast("Any", library).average_precision_score(truth, scores))


def mean_ranks(values: FloatArray) -> FloatArray:
    """Rank values from 1; equal values share the mean of their ranks."""
    import scipy.stats as library  # pyright: ignore[reportMissingTypeStubs]  # it has none

    return cast("Any", library).rankdata(values)
