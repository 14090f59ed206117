"""Linear baselines: numbers made of the sequences, and a linear model with a penalty chosen on training rows alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bertnado_metrics.lazy_imports import scipy_sparse

from .linear_models import LINEAR_MODELS, LinearModel, Weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from bertnado_metrics.metric import FloatArray

    from .features import Features
    from .protocol import Problem
    from .rows import Rows

PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""The penalties that are tried, until a lower one makes the loss of held-out training rows worse."""
FOLDS = 3
MOST_LOGITS = 50
"""Labels or classes from which on a fit to each of them would take too long."""
_MOST_CELLS = 40_000_000
"""Numbers other than 0 in the matrix of the training rows, times one more than the logits: about a minute of work."""
_FEW = 100
_SEED = 0


@dataclass(frozen=True)
class LinearBaseline:
    """A linear model of some numbers. See `Baseline`."""

    name: str
    features: Features

    @property
    def description(self) -> str:
        """What it predicts from."""
        return self.features.words

    def obstacle(self, problem: Problem, splits: Sequence[Rows]) -> str | None:
        """Return why its numbers cannot be made, or that there are too many logits."""
        if problem.task.loss.functional not in LINEAR_MODELS:
            return f"needs a linear model of the loss {problem.task.loss.functional!r}, but there is none"
        if problem.logits > MOST_LOGITS:
            return f"needs at most {MOST_LOGITS} labels or classes, but there are {problem.logits}"
        return self.features.obstacle(splits)

    def fit(self, problem: Problem, train: Rows) -> FittedLinear:
        """Choose a penalty by cross-validation within the training rows, and fit all of them with it."""
        columns = self.features.columns(train)
        train = train.sampled(self._most_rows(problem, train, columns))
        matrix, labels = self.features.matrix(train, columns), problem.match(train.labels)
        scale = _scale(matrix)
        matrix = matrix @ scipy_sparse().diags(scale)
        penalty = choose_penalty(problem, matrix, labels)
        model = LINEAR_MODELS[problem.task.loss.functional](problem)
        weights = model.fit(matrix, labels, penalty)
        settings = {"model": model.name, "penalty": penalty, "columns": columns, "training_rows": len(train)}
        return FittedLinear(self.features, columns, scale, weights, settings)

    def _most_rows(self, problem: Problem, train: Rows, columns: int) -> int:
        """Return how many training rows are worth `_MOST_CELLS`, as a few of them show."""
        few = train.sampled(_FEW)
        cells = self.features.matrix(few, columns).nnz / len(few) * (problem.logits + 1)
        return max(1, math.floor(_MOST_CELLS / max(cells, 1)))


@dataclass(frozen=True, eq=False)
class FittedLinear:
    """A linear model of some numbers that has been fitted. See `FittedBaseline`."""

    features: Features
    columns: int
    scale: FloatArray
    """The factor of each column: shape (columns,)."""
    weights: Weights
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def logits(self, rows: Rows) -> FloatArray:
        """Return logits of the shape (rows, logits)."""
        scale = scipy_sparse().diags(self.scale)
        parts = self.features.parts(rows, self.columns)
        return np.concatenate([self.weights.logits(part @ scale) for part in parts])


def choose_penalty(problem: Problem, matrix: Any, labels: NDArray[Any]) -> float:
    """Return the penalty with the lowest loss in a cross-validation.

    Args:
        problem: The task.
        matrix: The training rows: shape (rows, columns).
        labels: Their labels, which match the logits.
    """
    folds = list(_folds(labels))
    models: list[LinearModel] = [LINEAR_MODELS[problem.task.loss.functional](problem) for _ in folds]
    best, lowest = PENALTIES[0], math.inf
    for penalty in PENALTIES if folds else ():
        losses: list[float] = []
        for held_out, model in zip(folds, models, strict=True):
            fitted = model.fit(matrix[~held_out], labels[~held_out], penalty)
            losses.append(problem.mean_loss(fitted.logits(matrix[held_out]), labels[held_out]))
        loss = float(np.mean(losses))
        if loss >= lowest:
            break
        best, lowest = penalty, loss
    return best


def _folds(labels: NDArray[Any]) -> Iterator[NDArray[np.bool_]]:
    """Iterate over the held-out rows of each fold, with the same labels in all folds as far as possible."""
    rows = len(labels)
    if rows < 2 * FOLDS:
        return
    chance = np.random.default_rng(_SEED).random(rows)
    order = np.lexsort((chance, *labels.reshape(rows, -1).T))
    fold = np.empty(rows, np.int64)
    fold[order] = np.arange(rows) % FOLDS
    yield from (fold == number for number in range(FOLDS))


def _scale(matrix: Any) -> FloatArray:
    """Return the factors that give each column a standard deviation of 1; constant columns get 0."""
    mean = np.asarray(matrix.mean(axis=0)).ravel()
    square = np.asarray(matrix.multiply(matrix).mean(axis=0)).ravel()
    variance = square - mean**2
    is_constant = variance <= 1e-12 * square
    return np.where(is_constant, 0.0, 1 / np.sqrt(np.where(is_constant, 1.0, variance)))
