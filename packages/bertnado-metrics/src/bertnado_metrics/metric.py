"""What a metric is, and the arrays that every metric is computed from."""

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

Goal = Literal["maximize", "minimize"]
"""Which values of a metric are the better ones."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model said of some rows beside what is true of them.

    A column is a label: one for a binary task, one for each label of a multilabel task and each target of a
    regression. A multiclass task has a column for each class that is true or predicted somewhere.
    """

    truth: FloatArray | BoolArray
    """Shape (rows, columns): whether the label holds; for a regression the measured value."""
    predicted: FloatArray | BoolArray
    """Shape (rows, columns): what the model decides; for a regression the value that it gives."""
    scores: FloatArray
    """Shape (rows, columns): the higher, the likelier the label is according to the model."""
    losses: FloatArray
    """Shape (rows,), or (rows, columns) where every column has a label of its own: the weighted losses."""


@dataclass(frozen=True)
class Metric:
    """One number of an evaluation."""

    name: str
    goal: Goal
    function: Callable[[Evaluation], float]


def metrics_by_name(*metrics: Metric) -> Mapping[str, Metric]:
    """Key `metrics` by their names, in the order given."""
    return {metric.name: metric for metric in metrics}


def mean_loss(evaluation: Evaluation) -> float:
    """Sum the weighted losses and divide by the number of label elements (not by the sum of the weights)."""
    return float(evaluation.losses.mean())
