"""The model below a pooled head: its class and the width of its last hidden state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers

from .custom_code import load_custom_class
from .loading_errors import first_line, loading_error, model_error
from .pooled_head import PooledConfig, PooledForSequenceClassification, last_hidden_state
from .transformers4_code import build_normally

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

_CLASSES = ("AutoModel", "AutoModelForMaskedLM", "AutoModelForCausalLM")
"""The classes of a model without a classifier, in the order in which they are preferred."""

_TRIED_LENGTHS = (16, 128, 1024)
"""Some models take multiples of a length alone."""


def backbone_class_of(model_name: str, config: PreTrainedConfig, trust_remote_code: bool) -> tuple[Any, str]:
    """Return the class of the model below the head, from its code if that may run, and the `Auto` class it stands for.

    Raises:
        InvalidInputError: Its code cannot be loaded.
    """
    code = (getattr(config, "auto_map", None) or {}) if trust_remote_code else {}
    name = next((name for name in _CLASSES if name in code), None)
    if name is None:
        return transformers.AutoModel, "AutoModel"
    try:
        return load_custom_class(config, model_name, name), name
    except Exception as error:  # its code raises whatever it raises
        raise loading_error(model_name, error) from error


def pooled_config(model: PreTrainedModel, model_name: str, backbone_class: str, head: PreTrainedConfig) -> PooledConfig:
    """Return the configuration of a model with a pooled head.

    Args:
        model: The model below the head.
        model_name: Where it comes from.
        backbone_class: The `Auto` class that it is built with.
        head: A configuration with the names of the classes and the problem type.

    Raises:
        InvalidInputError: The model cannot be run.
    """
    build_normally([PooledForSequenceClassification])
    PooledForSequenceClassification.register_for_auto_class("AutoModelForSequenceClassification")
    PooledConfig.register_for_auto_class()
    described = {**model.config.to_dict(), "_name_or_path": model_name}
    if not model.is_custom_code():
        described.pop("auto_map", None)
    return PooledConfig(
        backbone=described,
        backbone_class=backbone_class,
        pooled_size=_hidden_width(model, model_name),
        id2label=head.id2label,
        label2id=head.label2id,
        problem_type=head.problem_type,
        pad_token_id=getattr(head, "pad_token_id", None),
    )


def _hidden_width(model: PreTrainedModel, model_name: str) -> int:
    """Return the width of the last hidden state, found by running the model."""
    reason = ""
    for length in _TRIED_LENGTHS:
        try:
            with torch.no_grad():
                ids = torch.zeros(1, length, dtype=torch.long)
                return last_hidden_state(model.eval(), ids, attention_mask=torch.ones_like(ids)).shape[-1]
        except Exception as error:  # noqa: BLE001 (its code raises whatever it raises)
            reason = reason or first_line(error)
    raise model_error(f"the model {model_name!r} cannot be run on a row of {_TRIED_LENGTHS} tokens: {reason}")
