"""The linear models of scikit-learn that minimise the loss of a task plus a penalty on their weights."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bertnado_metrics.lazy_imports import sklearn_exceptions, sklearn_linear_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from bertnado_metrics.metric import FloatArray

    from .protocol import Problem

_MOST_ITERATIONS = 1000
_TINY = 1e-12
"""The probability of a class without a training row, whose logarithm is finite."""


@dataclass(frozen=True, eq=False)
class Weights:
    """A fitted linear model."""

    coefficients: FloatArray
    """Shape (logits, columns)."""
    intercepts: FloatArray
    """Shape (logits,)."""

    def logits(self, matrix: Any) -> FloatArray:
        """Return logits of the shape (rows, logits)."""
        return np.asarray(matrix @ self.coefficients.T) + self.intercepts


class LinearModel(Protocol):
    """A linear model that is fitted several times to the same rows, with one penalty after the other."""

    name: str

    def fit(self, matrix: Any, labels: NDArray[Any], penalty: float) -> Weights:
        """Minimise the mean loss plus half the penalty times the sum of the squared weights, intercepts apart.

        Args:
            matrix: Shape (rows, columns).
            labels: Labels that match the logits.
            penalty: Above 0.
        """
        ...


@dataclass
class LogisticColumns:
    """A logistic regression for each logit, of labels 0 and 1."""

    problem: Problem
    name: str = "logistic regression"
    _fitted: dict[int, Any] = field(default_factory=dict[int, Any])

    def fit(self, matrix: Any, labels: NDArray[Any], penalty: float) -> Weights:
        """Fit each column by itself; one with a single class in these rows gets its constant."""
        coefficients = np.zeros((labels.shape[1], matrix.shape[1]))
        intercepts = np.zeros(labels.shape[1])
        for column, truth in enumerate(labels.T):
            if truth.min() == truth.max():
                intercepts[column] = -math.log(_TINY) if truth[0] else math.log(_TINY)
                continue
            model = self._fitted.setdefault(column, _logistic_regression())
            positive = 1.0 if self.problem.class_weights is None else self.problem.class_weights[column]
            _fit_logistic(model, matrix, truth, np.where(truth == 1, positive, 1.0), penalty)
            coefficients[column], intercepts[column] = model.coef_[0], model.intercept_[0]
        return Weights(coefficients, intercepts)


@dataclass
class LogisticClasses:
    """A multinomial logistic regression, of class indices."""

    problem: Problem
    name: str = "logistic regression"
    _model: Any = field(default_factory=lambda: _logistic_regression())

    def fit(self, matrix: Any, labels: NDArray[Any], penalty: float) -> Weights:
        """Fit the classes that occur in these rows; the others get a very low logit."""
        coefficients = np.zeros((self.problem.logits, matrix.shape[1]))
        intercepts = np.full(self.problem.logits, math.log(_TINY))
        classes = np.unique(labels)
        if len(classes) == 1:
            intercepts[classes] = 0.0
            return Weights(coefficients, intercepts)
        weights = np.ones(self.problem.logits) if self.problem.class_weights is None else self.problem.class_weights
        # two classes have one row of weights, the difference between their logits, whose square is twice that of both
        _fit_logistic(
            self._model, matrix, labels, np.asarray(weights)[labels], penalty / (2 if len(classes) == 2 else 1)
        )
        found, offsets = self._model.coef_, self._model.intercept_
        if len(classes) == 2:
            found, offsets = np.concatenate([-found, found]) / 2, np.concatenate([-offsets, offsets]) / 2
        coefficients[classes], intercepts[classes] = found, offsets
        return Weights(coefficients, intercepts)


@dataclass
class RidgeColumns:
    """A ridge regression of measured values, in units of the standard deviation of each column."""

    problem: Problem
    name: str = "ridge regression"

    def fit(self, matrix: Any, labels: NDArray[Any], penalty: float) -> Weights:
        """Fit all columns at once."""
        values = labels.astype(np.float64)
        mean, spread = values.mean(axis=0), values.std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        model = sklearn_linear_model().Ridge(alpha=penalty * len(labels), solver="sparse_cg", tol=1e-6)
        model.fit(matrix, (values - mean) / spread)
        coefficients = np.reshape(model.coef_, (labels.shape[1], matrix.shape[1])) * spread[:, np.newaxis]
        return Weights(coefficients, np.reshape(model.intercept_, -1) * spread + mean)


LINEAR_MODELS: Mapping[str, Callable[[Problem], LinearModel]] = {
    "binary_cross_entropy_with_logits": LogisticColumns,
    "cross_entropy": LogisticClasses,
    "mse_loss": RidgeColumns,
}
"""The model that minimises each loss."""


def _logistic_regression() -> Any:
    """Return a model that begins each fit where the one before has ended."""
    return sklearn_linear_model().LogisticRegression(max_iter=_MOST_ITERATIONS, warm_start=True)


def _fit_logistic(model: Any, matrix: Any, labels: NDArray[Any], weights: NDArray[Any], penalty: float) -> None:
    model.C = 1 / (penalty * len(labels))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sklearn_exceptions().ConvergenceWarning)
        model.fit(matrix, labels, weights)
