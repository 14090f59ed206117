"""How the logits of a model are read: which logit speaks of which label, and what the model decides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .metric import Evaluation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .metric import FloatArray


class PredictionRule(ABC):
    """The relation between logits and labels.

    Logits always come with the shape (rows, logits), labels as an array of numbers.
    """

    @abstractmethod
    def logit_count(self, labels: NDArray[Any]) -> int:
        """Count the logits that `labels` need; at least one row."""

    @abstractmethod
    def match(self, logits: FloatArray, labels: NDArray[Any]) -> NDArray[Any]:
        """Give `labels` the shape and the type in which they stand beside `logits`.

        Raises:
            ValueError: The logits cannot be about these labels.
        """

    @abstractmethod
    def evaluate(self, logits: FloatArray, labels: NDArray[Any], losses: FloatArray) -> Evaluation:
        """Arrange matched logits and labels, at least one row, for the metrics."""


class _LogitPerColumn(PredictionRule):
    """Labels have a column for each logit; labels without columns are one column."""

    def logit_count(self, labels: NDArray[Any]) -> int:
        """Count the columns."""
        return labels.shape[1] if labels.ndim > 1 else 1

    def match(self, logits: FloatArray, labels: NDArray[Any]) -> NDArray[Any]:
        """Give `labels` the shape (rows, columns)."""
        columns = self.logit_count(labels)
        if logits.shape[1] != columns:
            raise ValueError(
                f"labels of the shape {labels.shape} need {columns} logit(s) a row, got {logits.shape[1]}; "
                f"load the model with num_labels={columns}"
            )
        return labels.reshape(len(labels), columns)


@dataclass(frozen=True)
class SignRule(_LogitPerColumn):
    """Each logit decides about its label alone: the label holds where the logit is above 0."""

    def evaluate(self, logits: FloatArray, labels: NDArray[Any], losses: FloatArray) -> Evaluation:
        """Let the sign of each logit decide."""
        return Evaluation(truth=labels == 1, predicted=logits > 0, scores=logits, losses=losses)


@dataclass(frozen=True)
class IdentityRule(_LogitPerColumn):
    """Each logit is the predicted value itself."""

    def evaluate(self, logits: FloatArray, labels: NDArray[Any], losses: FloatArray) -> Evaluation:
        """Take the logits as they are."""
        return Evaluation(truth=labels.astype(logits.dtype), predicted=logits, scores=logits, losses=losses)


@dataclass(frozen=True)
class ArgmaxRule(PredictionRule):
    """One logit a class; the largest decides, the first of them where several are equal."""

    def logit_count(self, labels: NDArray[Any]) -> int:
        """Count the classes, 0 to the highest label."""
        return int(labels.max()) + 1

    def match(self, logits: FloatArray, labels: NDArray[Any]) -> NDArray[Any]:
        """Make `labels` indices into the classes."""
        classes = logits.shape[1]
        if len(labels) and self.logit_count(labels) > classes:
            raise ValueError(
                f"the highest label is {int(labels.max())}, but the logits are about {classes} class(es); "
                f"load the model with num_labels={self.logit_count(labels)}"
            )
        return labels.astype("int64")

    def evaluate(self, logits: FloatArray, labels: NDArray[Any], losses: FloatArray) -> Evaluation:
        """Make a column for each class that is true or predicted somewhere, scored by its probability."""
        import numpy as np

        decided = logits.argmax(axis=1)
        classes = np.union1d(labels, decided)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = powers / powers.sum(axis=1, keepdims=True)
        return Evaluation(
            truth=labels[:, np.newaxis] == classes,
            predicted=decided[:, np.newaxis] == classes,
            scores=probabilities[:, classes],
            losses=losses,
        )
