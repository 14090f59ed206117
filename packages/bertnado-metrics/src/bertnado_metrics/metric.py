"""Metrics, and the arrays that they are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    FloatArray: TypeAlias = NDArray[np.float64]
    BoolArray: TypeAlias = NDArray[np.bool_]
    NumberArray: TypeAlias = NDArray[np.number[Any] | np.bool_]

IntervalFormula: TypeAlias = "Callable[[Evaluation, float], tuple[float, float] | None]"
"""A function of an evaluation and the metric's value that returns a 95 % interval; `None` if there are too few rows."""

ResampledMetric: TypeAlias = "Callable[[Evaluation, FloatArray], FloatArray]"
"""A function of an evaluation and of how often each resample has each row, see `resampled_metrics`."""

Goal = Literal["maximize", "minimize"]
"""The direction in which a metric improves."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The true and the predicted labels of some rows.

    A column is a label: one for a binary task, one for each label of a multilabel task and each target of a
    regression. A multiclass task has a column for each class that is true or predicted in at least one row.
    """

    truth: FloatArray | BoolArray
    """Shape (rows, columns): true if the label applies; for a regression the measured value."""
    predicted: FloatArray | BoolArray
    """Shape (rows, columns): true if the label is predicted; for a regression the predicted value."""
    scores: FloatArray
    """Shape (rows, columns): the higher, the likelier the label is according to the model."""
    losses: FloatArray
    """Shape (rows,), or (rows, columns) if every column has its own label: the weighted losses."""

    def select(self, rows: NDArray[np.int64]) -> Evaluation:
        """Return the evaluation of some rows, in that order."""
        return Evaluation(self.truth[rows], self.predicted[rows], self.scores[rows], self.losses[rows])


@dataclass(frozen=True)
class Metric:
    """A metric: its name, its direction and the function that computes it."""

    name: str
    goal: Goal
    function: Callable[[Evaluation], float]
    uninformed: float | None = None
    """The value of predictions that do not depend on the row; `None` if it depends on the labels."""
    interval: IntervalFormula | None = None
    """The formula of its confidence interval; `None` for a bootstrap."""
    resampled: ResampledMetric | None = None
    """The function for many resamples at once; `None` to compute them one by one."""


def metrics_by_name(*metrics: Metric) -> Mapping[str, Metric]:
    """Return the metrics by name, in the order given."""
    return {metric.name: metric for metric in metrics}


def mean_loss(evaluation: Evaluation) -> float:
    """Compute the sum of the weighted losses divided by the number of label elements (not by the sum of weights)."""
    return float(evaluation.losses.mean())
