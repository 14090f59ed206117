"""A task's loss as a function that the Hugging Face `Trainer` calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_metrics import Task


class TaskLoss:
    """The weighted loss of a task: the sum over the label elements, divided by their number.

    Dividing by the number of label elements in the whole effective batch, and not by the sum of their weights,
    makes the gradient independent of how the batch is split into micro-batches.
    """

    def __init__(self, task: Task, class_weights: Sequence[float] | None, smoothing: float = 0.0) -> None:
        """Make the loss of a task.

        Args:
            task: The task.
            class_weights: One weight per class, or the weight of the positive class of a binary task.
            smoothing: Label smoothing in [0, 1): the fraction of each target that is spread over all classes.
        """
        self._task = task
        self._function = getattr(functional, task.loss.functional)
        self._weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self._smoothing = smoothing

    def __call__(
        self, outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """Compute the loss of one micro-batch.

        Args:
            outputs: The outputs of the model; the logits have the shape (batch, logits).
            labels: Shape (batch,), or (batch, labels) for a multilabel task.
            num_items_in_batch: The label elements in the effective batch; by default those in `labels`.
        """
        logits = logits_of(outputs).float()
        options: dict[str, Any] = {"reduction": "sum"}
        if self._weights is not None and self._task.loss.weight_argument is not None:
            options[self._task.loss.weight_argument] = self._weights.to(logits.device)
        if labels.is_floating_point():
            logits = logits.reshape(labels.shape)
            labels = labels + self._smoothing * (0.5 - labels)
        elif self._smoothing:
            options["label_smoothing"] = self._smoothing
        total = self._function(logits, labels, **options)
        return total / (labels.numel() if num_items_in_batch is None else num_items_in_batch)


def agree(found: torch.Tensor, expected: torch.Tensor, rounding: float) -> bool:
    """Return whether logits differ by at most `rounding` of the largest one, in size, that is expected."""
    scale = float(expected.abs().max()) or 1.0
    return found.shape == expected.shape and bool(((found - expected).abs() <= rounding * scale).all())


def logits_of(outputs: Any) -> torch.Tensor:
    """Return the logits among a model's outputs; a model with custom code may return them in any form."""
    if isinstance(outputs, torch.Tensor):
        return outputs
    if isinstance(outputs, dict):
        return outputs["logits"]
    return outputs.logits if hasattr(outputs, "logits") else outputs[0]
