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
