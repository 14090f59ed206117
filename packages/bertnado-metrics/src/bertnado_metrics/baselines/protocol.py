"""The protocol of baselines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from bertnado_metrics.metric import FloatArray
    from bertnado_metrics.tasks import Task

    from .rows import Rows


@dataclass(frozen=True)
class Problem:
    """The task that baselines learn."""

    task: Task
    logits: int
    """The number of logits, as a trained model has them."""
    class_weights: tuple[float, ...] | None = None
    """One weight per logit, as `Task.class_weights_from` returns them."""

    def match(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return labels in the shape and type that match the logits."""
        return self.task.prediction_rule.match(np.zeros((len(labels), self.logits)), labels)

    def mean_loss(self, logits: FloatArray, labels: NDArray[Any]) -> float:
        """Return the loss of the task, of labels that match the logits."""
        with np.errstate(all="ignore"):
            return float(self.task.loss.elements(logits, labels, self.class_weights).mean())


class FittedBaseline(Protocol):
    """A baseline that has learnt from training rows."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What was chosen on the training rows, ready for JSON."""
        ...

    def logits(self, rows: Rows) -> FloatArray:
        """Return logits of the shape (rows, logits)."""
        ...


class Baseline(Protocol):
    """A simple model of sequences."""

    @property
    def name(self) -> str:
        """The name in the table."""
        ...

    @property
    def description(self) -> str:
        """What it predicts from, in a few words."""
        ...

    def obstacle(self, problem: Problem, splits: Sequence[Rows]) -> str | None:
        """Return why it cannot be computed, as words after its name; `None` if it can.

        Args:
            problem: The task.
            splits: The rows to learn from, and those to be evaluated on.
        """
        ...

    def fit(self, problem: Problem, train: Rows) -> FittedBaseline:
        """Learn from training rows alone, the same each time."""
        ...
