"""The baseline that predicts the same for every row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_metrics.metric import FloatArray

    from .protocol import Problem
    from .rows import Rows


@dataclass(frozen=True)
class ConstantBaseline:
    """The constant with the lowest loss on the training rows. See `Baseline`."""

    name: str = "constant"
    description: str = "the same for every row"

    def obstacle(self, problem: Problem, splits: Sequence[Rows]) -> str | None:
        """Return that the constant of a loss is unknown."""
        del splits
        if problem.task.loss.best_constant is None:
            return f"needs the best constant of the loss {problem.task.loss.functional!r}, but it is unknown"
        return None

    def fit(self, problem: Problem, train: Rows) -> FittedConstant:
        """Compute the constant."""
        assert problem.task.loss.best_constant is not None  # noqa: S101  (`obstacle` was asked)
        labels = problem.match(train.labels)
        return FittedConstant(problem.task.loss.best_constant(problem.logits, labels, problem.class_weights))


@dataclass(frozen=True, eq=False)
class FittedConstant:
    """A constant. See `FittedBaseline`."""

    constant: FloatArray
    """Shape (logits,)."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def logits(self, rows: Rows) -> FloatArray:
        """Return the constant for each row: shape (rows, logits)."""
        return np.tile(self.constant, (len(rows), 1))
