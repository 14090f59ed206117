"""The losses that training minimises, computed with numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from .metric import FloatArray

ElementLosses: TypeAlias = "Callable[[FloatArray, NDArray[Any], Sequence[float] | None], FloatArray]"
"""A function of logits (rows, logits), labels and weights that returns the weighted loss of each label element."""

BestConstant: TypeAlias = "Callable[[int, NDArray[Any], Sequence[float] | None], FloatArray]"
"""A function of the number of logits, labels and weights that returns logits of the shape (logits,)."""
_LEAST = 1e-12
"""The share of a class without rows, whose logarithm is finite."""


@dataclass(frozen=True)
class Loss:
    """A loss function, by the name that PyTorch gives it.

    Everywhere in BertNado the loss is the sum of the weighted losses of all label elements, divided by the
    number of label elements. PyTorch divides a weighted `cross_entropy` by the sum of the weights, so that
    its gradient depends on how a batch is split into micro-batches.
    """

    functional: Literal["binary_cross_entropy_with_logits", "cross_entropy", "mse_loss"]
    """The function's name in `torch.nn.functional`."""
    weight_argument: Literal["pos_weight", "weight"] | None
    """The argument of that function that takes the class weights; `None` if the task does not use them."""
    elements: ElementLosses
    """The function that computes the weighted loss of each label element."""
    best_constant: BestConstant | None = None
    """The function that computes the constant logits with the lowest loss; `None` if they are unknown."""

    def of_constant(
        self, shape: tuple[int, ...], labels: NDArray[Any], class_weights: Sequence[float] | None
    ) -> float | None:
        """Return the lowest mean loss of logits that are the same for every row; `None` if it is unknown.

        Args:
            shape: The shape of the logits.
            labels: The labels that match them.
            class_weights: One weight per logit.
        """
        import numpy as np

        if self.best_constant is None:
            return None
        logits = np.broadcast_to(self.best_constant(shape[1], labels, class_weights), shape)
        return float(self.elements(logits, labels, class_weights).mean())


def binary_cross_entropy(logits: FloatArray, labels: NDArray[Any], class_weights: Sequence[float] | None) -> FloatArray:
    """Compute -log sigmoid(logit) for labels of 1 and -log sigmoid(-logit) for labels of 0.

    Args:
        logits: Shape (rows, columns).
        labels: Shape (rows, columns), 0 or 1.
        class_weights: One weight per column, by which the losses of its ones are multiplied.

    Returns:
        Shape (rows, columns). log(1 + exp(x)) is computed without overflow.
    """
    import numpy as np

    weights = np.ones(logits.shape[1]) if class_weights is None else np.asarray(class_weights, dtype=np.float64)
    return np.where(labels == 1, weights * np.logaddexp(0.0, -logits), np.logaddexp(0.0, logits))


def cross_entropy(logits: FloatArray, labels: NDArray[Any], class_weights: Sequence[float] | None) -> FloatArray:
    """Compute -log softmax(logits) at the label.

    Args:
        logits: Shape (rows, classes).
        labels: Shape (rows,), whole numbers from 0 to classes - 1.
        class_weights: One weight per class.

    Returns:
        Shape (rows,).
    """
    import numpy as np

    rows = np.arange(len(labels))
    losses = np.logaddexp.reduce(logits, axis=1) - logits[rows, labels]
    return losses if class_weights is None else losses * np.asarray(class_weights, dtype=np.float64)[labels]


def squared_error(logits: FloatArray, labels: NDArray[Any], class_weights: Sequence[float] | None) -> FloatArray:
    """Compute (logit - label) squared, of the shape (rows, columns), without weights."""
    del class_weights
    return (logits - labels) ** 2


def log_odds(logits: int, labels: NDArray[Any], class_weights: Sequence[float] | None) -> FloatArray:
    """Return the logarithm of the weighted ones divided by the zeros, column by column."""
    import numpy as np

    weights = np.ones(logits) if class_weights is None else np.asarray(class_weights, dtype=np.float64)
    ones = (labels == 1).mean(axis=0)
    return np.log(np.maximum(weights * ones, _LEAST)) - np.log(np.maximum(1 - ones, _LEAST))


def log_shares(logits: int, labels: NDArray[Any], class_weights: Sequence[float] | None) -> FloatArray:
    """Return the logarithm of the weighted share of each class."""
    import numpy as np

    weights = np.ones(logits) if class_weights is None else np.asarray(class_weights, dtype=np.float64)
    return np.log(np.maximum(weights * np.bincount(labels, minlength=logits) / len(labels), _LEAST))


def mean_label(logits: int, labels: NDArray[Any], class_weights: Sequence[float] | None) -> FloatArray:
    """Return the mean of each column."""
    del logits, class_weights
    return labels.astype("float64").mean(axis=0)
