"""The weights that training changes: all of a model that is fine-tuned whole, few of one that is mostly frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping


def trained_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the entries of `model.state_dict()` that training changes: trained parameters, and buffers."""
    return {
        name: tensor.detach()
        for name, tensor in model.state_dict(keep_vars=True).items()
        if tensor.requires_grad or not isinstance(tensor, torch.nn.Parameter)
    }


def restore_weights(model: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Put weights that `trained_weights` returned back into the model.

    Raises:
        ValueError: They are those of another model, or of one that trained other parts.
    """
    expected = trained_weights(model)
    if expected.keys() != weights.keys():
        different = sorted(expected.keys() ^ weights.keys())
        raise ValueError(f"{len(different)} weights do not belong to what is trained, among them {different[0]!r}")
    model.load_state_dict(dict(weights), strict=False)
