"""Combinations of parameters that make no sense, whatever the model and the dataset are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .namespace import TrialSettings

_ONE_RATE = frozenset({"lomo", "adalomo"})
"""Optimisers that are given one learning rate for all parameters."""
_LAYERWISE = "_layerwise"
"""The end of the names of optimisers that consist of one for each parameter."""


def require_consistent(settings: TrialSettings) -> None:
    """Refuse parameters of different namespaces that contradict each other.

    Raises:
        ValueError: They do; the message names them and what to do.
    """
    optim = str(settings.arguments.get("optim", ""))
    if settings.part_rates.are_set and (optim in _ONE_RATE or optim.endswith(_LAYERWISE)):
        raise ValueError(
            f"layer_lr_decay and head_learning_rate cannot be used with optim {optim}, which trains all parts with one "
            f"learning rate; remove them, or choose another optim"
        )
    if settings.freeze != "none" and settings.arguments.get("neftune_noise_alpha"):
        raise ValueError(
            f"neftune_noise_alpha has no effect with freeze {settings.freeze}: the embeddings, which it adds noise to, "
            f"are in evaluation mode; remove one of them"
        )
    if settings.freeze == "backbone" and settings.adapter is not None:
        raise ValueError(
            "freeze backbone leaves adapters untrained, which lora_r adds to the backbone; remove one of them, or set "
            "lora_r: 0 where freeze is backbone"
        )
