"""Learning rates by part of a model: lower ones for layers that are farther from the head, and one for the head.

The rate of a layer is a share of that of the layer above it, and the top layer has `learning_rate`, as in Sun et al.,
How to Fine-Tune BERT for Text Classification (https://arxiv.org/abs/1905.05583). ELECTRA is fine-tuned in the same way
(Clark et al., https://arxiv.org/abs/2003.10555).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from .model_parts import find_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PreTrainedModel

    from .model_parts import ModelParts


@dataclass(frozen=True)
class PartRates:
    """How the learning rates of a model's parts follow from `learning_rate`, that of the top layer."""

    layer_decay: float = 1.0
    """The learning rate of a layer divided by that of the layer above it; the embeddings are below the first layer."""
    head: float | None = None
    """The learning rate of the head; by default that of the top layer."""

    @property
    def are_set(self) -> bool:
        """Whether some part may have another learning rate than the rest."""
        return self != PartRates()

    def require_parts(self, parts: ModelParts) -> None:
        """Refuse rates for parts that a model does not have.

        Raises:
            ValueError: Its code does not list layers, or no part of it is a head.
        """
        if self.layer_decay != 1 and not parts.layers:
            raise ValueError(
                f"layer_lr_decay must be 1 for this model, got {self.layer_decay:g}: its code does not list layers, "
                f"so they cannot be told apart; remove it, or set head_learning_rate alone"
            )
        if self.head is not None and not parts.head:
            raise ValueError("head_learning_rate has no effect: no part of this model is a head; remove it")

    def lowest(self, layers: int, learning_rate: float) -> float:
        """Return the learning rate of the embeddings of a model with so many layers."""
        return learning_rate * self.layer_decay**layers

    def rate_of(self, name: str, parts: ModelParts, learning_rate: float) -> float:
        """Return the learning rate of a parameter; parts between the layers and the head have that of the top layer."""
        if parts.is_in_head(name):
            return learning_rate if self.head is None else self.head
        layer = -1 if parts.is_in_embeddings(name) else parts.layer_of(name)
        below_top = 0 if layer is None else len(parts.layers) - 1 - layer
        return learning_rate * self.layer_decay**below_top

    def describe(self, model: PreTrainedModel, learning_rate: float) -> dict[str, float]:
        """Return the lowest learning rate that some part is trained with, and that of the head."""
        parts = find_parts(model)
        trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        rates = [self.rate_of(name, parts, learning_rate) for name in trained]
        return {"lowest": min(rates, default=0.0), "head": learning_rate if self.head is None else self.head}


def set_part_rates(
    optimizer: torch.optim.Optimizer, model: PreTrainedModel, rates: PartRates, learning_rate: float
) -> None:
    """Split the groups of a new optimiser by learning rate; what else its groups set stays, such as weight decay.

    Raises:
        ValueError: The model does not have the parts that the rates are for.
    """
    parts = find_parts(model)
    rates.require_parts(parts)
    rate_of = {parameter: rates.rate_of(name, parts, learning_rate) for name, parameter in model.named_parameters()}
    optimizer.param_groups[:] = [
        {**group, "params": parameters, "lr": _like(group["lr"], rate)}
        for group in optimizer.param_groups
        for rate, parameters in _by_rate(group["params"], rate_of).items()
    ]


def _by_rate(
    parameters: list[torch.nn.Parameter], rate_of: Mapping[torch.nn.Parameter, float]
) -> dict[float, list[torch.nn.Parameter]]:
    found: dict[float, list[torch.nn.Parameter]] = {}
    for parameter in parameters:
        found.setdefault(rate_of[parameter], []).append(parameter)
    return found


def _like(given: float | torch.Tensor, rate: float) -> float | torch.Tensor:
    """Return a rate in the form in which an optimiser keeps it; some keep a tensor, for compilation."""
    return torch.full_like(given, rate) if isinstance(given, torch.Tensor) else rate
