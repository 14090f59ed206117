"""Standardised labels of a regression: a model trains on them, and is saved as one that predicts in label units."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from .task_loss import agree

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from numpy.typing import NDArray
    from transformers import PreTrainedModel

_ROUNDING = 1e-4
"""The largest difference of logits, as a share of the largest of them, that counts as rounding in fp32."""

_FAR = 100.0
"""The shift that shows a head whose outputs have bounds, in units of the largest logit."""

NO_OUTPUT_LAYER = (
    "its logits are not the output of a linear layer with a bias, into which the mean and the standard deviation of "
    "the labels could be folded, so it trains on labels that are not standardised; use {head} pooled, or standardise "
    "the labels in the dataset"
)
"""The warning for a model that `find_output_layer` finds no layer in."""


@dataclass(frozen=True, eq=False)
class LabelScale:
    """Mean and standard deviation of the training labels, and the layer that they are folded into."""

    mean: NDArray[np.float64]
    """Shape (logits,)."""
    deviation: NDArray[np.float64]
    """The standard deviation; 1 for an output whose labels are all equal: shape (logits,)."""
    layer: str
    """The name of the linear layer whose outputs are the logits."""

    @classmethod
    def of(cls, labels: NDArray[Any], layer: str) -> LabelScale:
        """Measure labels of shape (rows,) or (rows, logits)."""
        columns = _columns(labels)
        deviation = columns.std(axis=0)
        is_constant = (columns == columns[0]).all(axis=0)
        return cls(columns.mean(axis=0), np.where(is_constant | (deviation == 0), 1.0, deviation), layer)

    def standardise(self, labels: NDArray[Any]) -> NDArray[np.float32]:
        """Return labels with mean 0 and standard deviation 1, in their own shape."""
        scaled = (_columns(labels) - self.mean) / self.deviation
        return scaled.astype(np.float32).reshape(labels.shape)

    def restore(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Return logits of a model that was trained on standardised labels in label units: shape (rows, logits)."""
        return logits.astype(np.float64) * self.deviation + self.mean

    def spread(self, values: torch.Tensor) -> torch.Tensor:
        """Multiply standardised labels or logits by the standard deviation, so that their differences have the unit."""
        return values * torch.as_tensor(self.deviation, dtype=values.dtype, device=values.device)

    @contextmanager
    def folded(self, model: PreTrainedModel) -> Generator[None]:
        """Make the model one that predicts in label units, for as long as the block lasts."""
        layer = _layer(model, self.layer)
        with _changed(layer, self.deviation, self.mean):
            yield

    def unfold(self, model: PreTrainedModel) -> None:
        """Make a model that predicts in label units one that predicts standardised labels."""
        _transform(_layer(model, self.layer), 1 / self.deviation, -self.mean / self.deviation)

    def to_record(self) -> dict[str, list[float]]:
        """Return mean and standard deviation, ready for JSON."""
        return {"mean": self.mean.tolist(), "standard_deviation": self.deviation.tolist()}


def find_output_layer(model: PreTrainedModel, predict: Callable[[], torch.Tensor]) -> str | None:
    """Return the name of the linear layer with a bias whose outputs are the logits; None if there is none.

    Each layer that might be it is changed so that its outputs are scaled, and shifted up and down: it is the layer if
    exactly this happens to the logits.

    Args:
        model: The model; it is as before when this returns.
        predict: Returns the logits of some rows: shape (rows, logits).
    """
    before = predict()
    factor = np.arange(before.shape[1], dtype=np.float64) + 2
    far = factor[::-1] * _FAR * max(float(before.abs().max()), 1.0)
    shifts = (np.zeros(len(factor)), far, -far)  # without one, a wrong factor stands out
    for name, layer in _candidates(model, before.shape[1]):
        if all(_is_output(layer, before, predict, factor, shift) for shift in shifts):
            return name
    return None


def _candidates(model: nn.Module, logits: int) -> Iterator[tuple[str, nn.Linear]]:
    """Yield the linear layers with a bias and so many outputs, the last one first."""
    for name, module in reversed(list(model.named_modules())):
        if isinstance(module, nn.Linear) and module.bias is not None and module.out_features == logits:
            yield name, module


def _is_output(
    layer: nn.Linear,
    before: torch.Tensor,
    predict: Callable[[], torch.Tensor],
    factor: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> bool:
    with _changed(layer, factor, shift):
        found = predict()
    expected = before.double() * torch.from_numpy(factor) + torch.from_numpy(shift.copy())
    return agree(found.double(), expected, _ROUNDING)


def _layer(model: nn.Module, name: str) -> nn.Linear:
    layer = model.get_submodule(name)
    assert isinstance(layer, nn.Linear)  # noqa: S101  (only those are found)
    return layer


@contextmanager
def _changed(layer: nn.Linear, factor: NDArray[np.float64], shift: NDArray[np.float64]) -> Generator[None]:
    """Scale and shift the outputs of a layer; its weights are exactly as before afterwards."""
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    try:
        _transform(layer, factor, shift)
        yield
    finally:
        with torch.no_grad():
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)


def _transform(layer: nn.Linear, factor: NDArray[np.float64], shift: NDArray[np.float64]) -> None:
    scale, offset = (torch.from_numpy(np.ascontiguousarray(values)) for values in (factor, shift))
    with torch.no_grad():
        layer.weight.copy_(layer.weight.cpu().double() * scale[:, None])
        layer.bias.copy_(layer.bias.cpu().double() * scale + offset)


def _columns(labels: NDArray[Any]) -> NDArray[np.float64]:
    return labels.astype(np.float64).reshape(len(labels), -1)
