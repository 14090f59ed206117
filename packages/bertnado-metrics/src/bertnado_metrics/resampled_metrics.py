"""Metrics of many resamples of the rows at once.

A resample is the number of times that it has each row. Every function takes an evaluation and these counts, of shape
(resamples, rows), and returns the metric of each resample: what the metric is for the rows, repeated so often.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .metric import Evaluation, FloatArray


def loss(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the mean loss."""
    return _row_means(evaluation.losses, counts)


def accuracy_of_labels(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the share of correct decisions among all labels."""
    return _row_means(evaluation.truth == evaluation.predicted, counts)


def accuracy_of_classes(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the share of rows whose class is predicted correctly."""
    return _row_means((evaluation.truth == evaluation.predicted).all(axis=1), counts)


def precision(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the precision of each column, and their mean."""
    cells = _count_cells(evaluation, counts)
    return _ratio(cells.hits, cells.predicted).mean(axis=1)


def recall(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the recall of each column, and their mean."""
    cells = _count_cells(evaluation, counts)
    return _ratio(cells.hits, cells.true).mean(axis=1)


def f1(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute F1 of each column, and their mean."""
    cells = _count_cells(evaluation, counts)
    return _ratio(2 * cells.hits, cells.predicted + cells.true).mean(axis=1)


def precision_of_classes(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the mean precision of the classes that are true or predicted in a resample."""
    return precision(evaluation, counts) * _classes_by_present(evaluation, counts)


def recall_of_classes(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the mean recall of the classes that are true or predicted in a resample."""
    return recall(evaluation, counts) * _classes_by_present(evaluation, counts)


def f1_of_classes(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the mean F1 of the classes that are true or predicted in a resample."""
    return f1(evaluation, counts) * _classes_by_present(evaluation, counts)


def mcc_of_labels(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the Matthews correlation coefficient of each column, and their mean."""
    cells = _count_cells(evaluation, counts)
    rows = counts.sum(axis=1, keepdims=True)
    covariance = rows * cells.hits - cells.true * cells.predicted
    return _correlation(covariance, *(side * (rows - side) for side in (cells.true, cells.predicted))).mean(axis=1)


def mcc_of_classes(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the multiclass Matthews correlation."""
    cells = _count_cells(evaluation, counts)
    rows = counts.sum(axis=1)
    covariance = rows * cells.hits.sum(axis=1) - (cells.true * cells.predicted).sum(axis=1)
    return _correlation(covariance, *(rows**2 - (side**2).sum(axis=1) for side in (cells.true, cells.predicted)))


def roc_auc(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the area under the ROC curve of each column in which both values occur, and their mean."""
    import numpy as np

    def area(truth: NDArray[np.bool_], scores: FloatArray) -> FloatArray:
        groups = _Groups.of(scores)
        positive, negative = groups.sums(counts * truth), groups.sums(counts * ~truth)
        below = np.cumsum(negative, axis=1) - negative / 2
        return (positive * below).sum(axis=1) / (positive.sum(axis=1) * negative.sum(axis=1))

    return _mean_over_columns(evaluation, area)


def average_precision(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the average precision of each column in which both values occur, and their mean."""
    import numpy as np

    def area(truth: NDArray[np.bool_], scores: FloatArray) -> FloatArray:
        groups = _Groups.of(-scores)
        positive, negative = groups.sums(counts * truth), groups.sums(counts * ~truth)
        hits, misses = np.cumsum(positive, axis=1), np.cumsum(negative, axis=1)
        found = (_ratio(hits, hits + misses) * positive).sum(axis=1) / hits[:, -1]
        return np.where(misses[:, -1] > 0, found, np.nan)

    return _mean_over_columns(evaluation, area)


def mse(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the mean squared error."""
    return _row_means((evaluation.scores - evaluation.truth) ** 2, counts)


def rmse(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the square root of the mean squared error."""
    return mse(evaluation, counts) ** 0.5


def mae(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the mean absolute error."""
    return _row_means(abs(evaluation.scores - evaluation.truth), counts)


def r2(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute the coefficient of determination of each target, and their mean."""
    import numpy as np

    def share(truth: FloatArray, predicted: FloatArray) -> FloatArray:
        rows, centred = counts.sum(axis=1), truth - truth.mean()
        total = counts @ centred**2 - (counts @ centred) ** 2 / rows
        left = counts @ (truth - predicted) ** 2
        is_right = (left == 0).astype(np.float64)
        explained: FloatArray = np.ones(len(counts)) - left / total
        return np.where(_are_constant(truth, counts), is_right, explained)

    return _mean_over_columns(evaluation, share)


def pearson(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute Pearson's correlation of each target neither side of which is constant, and their mean."""
    import numpy as np

    def correlation(truth: FloatArray, predicted: FloatArray) -> FloatArray:
        first, second = (np.broadcast_to(side - side.mean(), counts.shape) for side in (truth, predicted))
        return _weighted_correlation(first, second, counts, _any_constant(truth, predicted, counts))

    return _mean_over_columns(evaluation, correlation)


def spearman(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute Spearman's correlation of each target neither side of which is constant, and their mean."""

    def correlation(truth: FloatArray, predicted: FloatArray) -> FloatArray:
        first, second = (_Groups.of(side).centred_ranks(counts) for side in (truth, predicted))
        return _weighted_correlation(first, second, counts, _any_constant(truth, predicted, counts))

    return _mean_over_columns(evaluation, correlation)


class _Cells(NamedTuple):
    """Numbers of rows by resample and column."""

    hits: FloatArray
    """Rows whose label is true and predicted."""
    true: FloatArray
    predicted: FloatArray


def _count_cells(evaluation: Evaluation, counts: FloatArray) -> _Cells:
    truth, predicted = evaluation.truth.astype(float), evaluation.predicted.astype(float)
    return _Cells(counts @ (truth * predicted), counts @ truth, counts @ predicted)


class _Groups(NamedTuple):
    """The rows in order of a value; those with the same value are a group."""

    order: NDArray[Any]
    starts: NDArray[Any]
    """The place of the first row of each group in `order`."""

    @classmethod
    def of(cls, values: FloatArray) -> _Groups:
        import numpy as np

        order = np.argsort(values, kind="stable")
        ordered = values[order]
        return cls(order, np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])))

    def sums(self, counts: FloatArray) -> FloatArray:
        """Return the counts of each group: shape (resamples, groups)."""
        import numpy as np

        return np.add.reduceat(counts[:, self.order], self.starts, axis=1)

    def centred_ranks(self, counts: FloatArray) -> FloatArray:
        """Return the mean rank of each row's value in each resample, less that of all: shape (resamples, rows)."""
        import numpy as np

        sums = self.sums(counts)
        ranks = np.cumsum(sums, axis=1) - sums / 2 - counts.sum(axis=1, keepdims=True) / 2
        group = np.empty(len(self.order), dtype=np.int64)
        group[self.order] = np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(self.order)))
        return ranks[:, group]


def _are_constant(values: FloatArray, counts: FloatArray) -> NDArray[Any]:
    """Return which resamples have a single value."""
    return (_Groups.of(values).sums(counts) > 0).sum(axis=1) <= 1


def _any_constant(first: FloatArray, second: FloatArray, counts: FloatArray) -> NDArray[Any]:
    """Return which resamples have a single value on one side."""
    return _are_constant(first, counts) | _are_constant(second, counts)


def _classes_by_present(evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Return the number of all classes divided by that of the classes in each resample; the others add 0 to a mean."""
    cells = _count_cells(evaluation, counts)
    return evaluation.truth.shape[1] / (cells.true + cells.predicted > 0).sum(axis=1)


def _row_means(values: NDArray[Any], counts: FloatArray) -> FloatArray:
    """Return the mean of values of shape (rows,) or (rows, columns)."""
    return counts @ values.reshape(len(values), -1).mean(axis=1) / counts.sum(axis=1)


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide; a ratio with a denominator of 0 is 0."""
    import numpy as np

    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def _correlation(covariance: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Return a correlation from its covariance and both variances; 0 if one of them is 0."""
    return _ratio(covariance, (first * second) ** 0.5)


def _weighted_correlation(
    first: FloatArray, second: FloatArray, counts: FloatArray, are_constant: NDArray[Any]
) -> FloatArray:
    """Correlate two sides of shape (resamples, rows); NaN where one of them is constant."""
    import numpy as np

    rows = counts.sum(axis=1)

    def covariance(one: FloatArray, other: FloatArray) -> FloatArray:
        means = (counts * one).sum(axis=1) * (counts * other).sum(axis=1) / rows
        return (counts * one * other).sum(axis=1) - means

    found = covariance(first, second) / (covariance(first, first) * covariance(second, second)) ** 0.5
    return np.where(are_constant, np.nan, found)


def _mean_over_columns(evaluation: Evaluation, score: Callable[[Any, FloatArray], FloatArray]) -> FloatArray:
    """Apply `score(truth, scores)` to each column, and return the mean of the values that are not NaN."""
    import numpy as np

    columns = zip(evaluation.truth.T, evaluation.scores.T, strict=True)
    values = np.stack([score(truth, scores) for truth, scores in columns])
    defined = np.isfinite(values)
    return np.where(defined, values, 0).sum(axis=0) / defined.sum(axis=0)
