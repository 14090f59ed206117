"""The modules of a model that get an adapter: linear layers below its head."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch
from bertnado_metrics import did_you_mean
from transformers.pytorch_utils import Conv1D

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from transformers import PreTrainedModel

    from .model_parts import ModelParts

AUTO, ALL_LINEAR = "auto", "all-linear"

_ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)
_PROJECTIONS_OF_MIXERS = ("in_proj", "out_proj")
"""The linear layers of what stands in place of attention: the operators of Hyena, the recurrences of Mamba."""


def find_targets(model: PreTrainedModel, parts: ModelParts, chosen: str | Sequence[str]) -> list[str]:
    """Return the full names of the modules that get an adapter, in the order of the model.

    Args:
        model: The model.
        parts: Its parts; what belongs to the head is never among the targets, because it is trained whole.
        chosen: `auto` for the projections of attention (queries, keys, values and output, fused or not), or of the
            mixers of a model without attention; `all-linear`; or the ends of module names.

    Raises:
        ValueError: No module is found; the message has those that the model has.
    """
    linear = {name: module for name, module in _linear_modules(model).items() if not parts.is_in_head(name)}
    if chosen == ALL_LINEAR:
        return _found(list(linear), ALL_LINEAR, linear)
    if chosen == AUTO:
        attention = [name for name in linear if _is_in_attention(model, parts, name)]
        return _found(attention or [name for name in linear if _last(name) in _PROJECTIONS_OF_MIXERS], AUTO, linear)
    for end in chosen:
        if not any(_ends_with(name, end) for name in linear):
            raise ValueError(_unknown(end, model, parts, linear))
    return [name for name in linear if any(_ends_with(name, end) for end in chosen)]


def _linear_modules(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Return linear layers, and attention of torch in one module, whose own output layer is none by itself."""
    found: dict[str, torch.nn.Module] = {}
    for name, module in model.named_modules():
        is_inner = name.rpartition(".")[0] in found
        if isinstance(module, torch.nn.Linear | Conv1D | torch.nn.MultiheadAttention) and not is_inner:
            found[name] = module
    return found


def _is_in_attention(model: torch.nn.Module, parts: ModelParts, name: str) -> bool:
    """Return whether a module lies in attention, by the names and the classes of the modules within its layer."""
    number = parts.layer_of(name)
    if number is None and parts.layers:
        return False
    layer = "" if number is None else parts.layers[number]
    steps = name.removeprefix(layer).strip(".").split(".")
    paths = (".".join(filter(None, [layer, *steps[: count + 1]])) for count in range(len(steps)))
    words = (f"{_last(path)} {type(model.get_submodule(path)).__name__}" for path in paths)
    return any(_ATTENTION.search(word) for word in words)


def _found(names: list[str], chosen: str, linear: Iterable[str]) -> list[str]:
    if not names:
        has = f"name some of its linear layers: {_shown(linear)}" if list(linear) else "it has no linear layers"
        raise ValueError(f"lora_target_modules: {chosen} finds nothing to adapt in this model; {has}")
    return names


def _unknown(end: str, model: torch.nn.Module, parts: ModelParts, linear: Iterable[str]) -> str:
    if any(_ends_with(name, end) and parts.is_in_head(name) for name, _ in model.named_modules()):
        return f"lora_target_modules: {end!r} belongs to the head, which is trained whole; remove it"
    choices = sorted({_last(name) for name in linear})
    if any(_ends_with(name, end) for name, _ in model.named_modules()):
        return f"lora_target_modules: {end!r} is not a linear layer of this model; choose from {', '.join(choices)}"
    return f"lora_target_modules: this model has no module {end!r}; {did_you_mean(end, choices)}"


def _ends_with(name: str, end: str) -> bool:
    return name == end or name.endswith(f".{end}")


def _shown(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(map(_last, names)))


def _last(name: str) -> str:
    return name.rpartition(".")[2]
