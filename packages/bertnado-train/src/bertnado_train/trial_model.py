"""The model that a trial trains: a copy of the stored one, changed as the parameters of the trial say."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from .adapter import adapter_record, add_adapter
from .frozen_parts import TrainedParts, freeze_parts
from .learning_rates import PartRates
from .trained_checkpoint import BYTES_PER_WEIGHT, checkpoint_weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from .parameters.namespace import TrialSettings
    from .stored_model import StoredModel


@dataclass(frozen=True)
class TrialSize:
    """What a trial trains and keeps."""

    parts: TrainedParts
    checkpoint_bytes: int
    """The size of the weights in its checkpoint."""


class TrialSizes:
    """The sizes of trials, found on models without weights."""

    def __init__(self, base: StoredModel) -> None:
        self._base = base
        self._known: dict[str, TrialSize] = {}

    def of(self, settings: TrialSettings) -> TrialSize:
        """Return what a trial with these settings trains and keeps.

        Raises:
            ValueError: The model cannot be changed as the settings say.
        """
        key = _what_changes_size(settings)
        if key not in self._known:
            model = change_model(copy.deepcopy(self._empty), self._base, settings)
            kept = sum(weight.numel() for weight in checkpoint_weights(model, self._base).values())
            self._known[key] = TrialSize(TrainedParts.of(model), kept * BYTES_PER_WEIGHT)
        return self._known[key]

    @cached_property
    def _empty(self) -> PreTrainedModel:
        """A copy of the model whose weights have shapes and no values; those that it shares are shared here as well."""
        model = self._base.copy(0)
        empty: dict[int, Any] = {id(weight): _without_values(weight) for weight in model.parameters()}
        return copy.deepcopy(model, empty)


def change_model(model: PreTrainedModel, base: StoredModel, settings: TrialSettings) -> PreTrainedModel:
    """Change a copy of a model as the parameters of a trial say.

    Args:
        model: The copy, changed in place.
        base: The model that it is a copy of.
        settings: The settings that follow from the parameters.

    Raises:
        ValueError: The model cannot be changed so.
    """
    for change in settings.model_changes:
        model = change(model)
    if settings.adapter is not None:
        add_adapter(model, settings.adapter, base.weights.keys())
    freeze_parts(model, settings.freeze)
    return model


def trained_record(model: PreTrainedModel, settings: TrialSettings) -> dict[str, Any]:
    """Return what is recorded of the weights that a trial trains, of its adapters, and of what it freezes."""
    parts, adapter = TrainedParts.of(model), adapter_record(model)
    return {
        "trained_parameters": {"trained": parts.trained_weights, "all": parts.weights},
        **({} if adapter is None else {"adapter": adapter}),
        **({} if settings.freeze == "none" else {"freeze": parts.to_record()}),
    }


def _what_changes_size(settings: TrialSettings) -> str:
    adapter = settings.adapter and replace(settings.adapter, alpha=1, dropout=0.0, use_rslora=False)
    same = {"arguments": {}, "class_weighting": None, "part_rates": PartRates(), "config_changes": {}}
    return repr(replace(settings, **same, adapter=adapter, reverse_complement="none"))


def _without_values(weight: torch.nn.Parameter) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.empty_like(weight, device="meta"), weight.requires_grad)
