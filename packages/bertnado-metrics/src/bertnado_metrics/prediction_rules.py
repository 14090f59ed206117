"""Rules that turn logits into predictions: which logit belongs to which label, and which labels are predicted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .metric import Evaluation

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .metric import BoolArray, FloatArray


class PredictionRule(ABC):
    """The relation between logits and labels.

    Logits always have the shape (rows, logits); labels are an array of numbers.
    """

    @abstractmethod
    def logit_count(self, labels: NDArray[Any]) -> int:
        """Return the number of logits for `labels`, which have at least one row."""

    @abstractmethod
    def match(self, logits: FloatArray, labels: NDArray[Any]) -> NDArray[Any]:
        """Convert `labels` to the shape and type that match `logits`.

        Raises:
            ValueError: The logits do not match these labels.
        """

    @abstractmethod
    def evaluate(self, logits: FloatArray, labels: NDArray[Any], losses: FloatArray) -> Evaluation:
        """Arrange matched logits and labels for the metrics; there is at least one row."""

    takes_thresholds = False
    """True if labels are predicted whose probability is above a threshold."""

    def probabilities(self, logits: FloatArray) -> FloatArray:
        """Return the probability that each logit stands for: shape (rows, logits).

        Raises:
            TypeError: Predictions are values.
        """
        raise TypeError("the predictions of this task are values, which have no probabilities")

    def decide(self, logits: FloatArray, thresholds: Sequence[float]) -> BoolArray:
        """Return which labels or classes are predicted: shape (rows, logits).

        Args:
            logits: Shape (rows, logits).
            thresholds: One for each logit, for a rule that takes them; by default 0.5.

        Raises:
            TypeError: Predictions are values.
        """
        raise TypeError("the predictions of this task are values, which belong to no class")

    def describe_constant(self, evaluation: Evaluation) -> str | None:
        """Return that a model predicts the same for all rows, as words after its name; `None` if it does not."""
        predicted = evaluation.predicted
        return "predicts the same for every validation row" if (predicted == predicted[0]).all() else None

    def describe_scores(self, evaluation: Evaluation) -> str:
        """Return the range of the scores in words, if it helps to see that they hardly differ; otherwise nothing."""
        del evaluation
        return ""


class _LogitPerColumn(PredictionRule):
    """Labels have one column per logit; labels without columns are one column."""

    def logit_count(self, labels: NDArray[Any]) -> int:
        """Return the number of columns."""
        return labels.shape[1] if labels.ndim > 1 else 1

    def match(self, logits: FloatArray, labels: NDArray[Any]) -> NDArray[Any]:
        """Reshape `labels` to (rows, columns)."""
        columns = self.logit_count(labels)
        if logits.shape[1] != columns:
            raise ValueError(
                f"labels of the shape {labels.shape} need {columns} logit(s) per row, got {logits.shape[1]}; "
                f"load the model with num_labels={columns}"
            )
        return labels.reshape(len(labels), columns)


@dataclass(frozen=True)
class SignRule(_LogitPerColumn):
    """Each logit decides about its own label, which is predicted if the logit is above 0."""

    takes_thresholds = True

    def probabilities(self, logits: FloatArray) -> FloatArray:
        """Return the logistic function of the logits."""
        import numpy as np

        return np.exp(-np.logaddexp(0, -logits))

    def decide(self, logits: FloatArray, thresholds: Sequence[float]) -> BoolArray:
        """Return the labels whose probability is above its threshold."""
        import numpy as np

        return self.probabilities(logits) > np.asarray(thresholds) if len(thresholds) else logits > 0

    def evaluate(self, logits: FloatArray, labels: NDArray[Any], losses: FloatArray) -> Evaluation:
        """Predict the labels whose logit is above 0."""
        return Evaluation(truth=labels == 1, predicted=logits > 0, scores=logits, losses=losses)

    def describe_constant(self, evaluation: Evaluation) -> str | None:
        """Return which labels a model predicts for all rows."""
        first = evaluation.predicted[0]
        if not (evaluation.predicted == first).all():
            return None
        if len(first) == 1:
            return f"calls every validation row {'positive' if first[0] else 'negative'}"
        return f"predicts {'the same labels' if first.any() else 'no label'} for every validation row"

    def describe_scores(self, evaluation: Evaluation) -> str:
        """Return the range of the probabilities."""
        import numpy as np

        ends = (float(evaluation.scores.min()), float(evaluation.scores.max()))
        low, high = (np.exp(-np.logaddexp(0, -end)) for end in ends)
        return f"; every probability lies between {low:.3f} and {high:.3f}"


@dataclass(frozen=True)
class IdentityRule(_LogitPerColumn):
    """Each logit is a predicted value."""

    def evaluate(self, logits: FloatArray, labels: NDArray[Any], losses: FloatArray) -> Evaluation:
        """Return the logits as predictions."""
        return Evaluation(truth=labels.astype(logits.dtype), predicted=logits, scores=logits, losses=losses)


@dataclass(frozen=True)
class ArgmaxRule(PredictionRule):
    """One logit per class; the class with the largest logit is predicted, the first of several equal ones."""

    def logit_count(self, labels: NDArray[Any]) -> int:
        """Return the number of classes, 0 to the highest label."""
        return int(labels.max()) + 1

    def match(self, logits: FloatArray, labels: NDArray[Any]) -> NDArray[Any]:
        """Convert `labels` to class indices."""
        classes = logits.shape[1]
        if len(labels) and self.logit_count(labels) > classes:
            raise ValueError(
                f"the highest label is {int(labels.max())}, but there are logits for {classes} class(es) only; "
                f"load the model with num_labels={self.logit_count(labels)}"
            )
        return labels.astype("int64")

    def probabilities(self, logits: FloatArray) -> FloatArray:
        """Return the softmax of the logits."""
        import numpy as np

        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def decide(self, logits: FloatArray, thresholds: Sequence[float]) -> BoolArray:
        """Return the class with the largest logit."""
        import numpy as np

        del thresholds
        decided: NDArray[np.int64] = np.argmax(logits, axis=1)
        return np.equal(decided[:, np.newaxis], np.arange(logits.shape[1], dtype=np.int64))

    def evaluate(self, logits: FloatArray, labels: NDArray[Any], losses: FloatArray) -> Evaluation:
        """Arrange a column for each class that is true or predicted in some row, scored by its probability."""
        import numpy as np

        decided = logits.argmax(axis=1)
        classes = np.union1d(labels, decided)
        return Evaluation(
            truth=labels[:, np.newaxis] == classes,
            predicted=decided[:, np.newaxis] == classes,
            scores=self.probabilities(logits)[:, classes],
            losses=losses,
        )

    def describe_constant(self, evaluation: Evaluation) -> str | None:
        """Return that a model predicts one class."""
        return "predicts one class for every validation row" if evaluation.predicted.all(axis=0).any() else None
