"""Low-rank adapters (LoRA) in a model: added before training, and merged into its weights afterwards.

LoRA: https://arxiv.org/abs/2106.09685; rsLoRA: https://arxiv.org/abs/2312.03732; DoRA:
https://arxiv.org/abs/2402.09353. The adapters are those of peft.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from transformers.pytorch_utils import Conv1D

from .adapter_targets import AUTO, find_targets
from .model_parts import find_parts
from .task_loss import agree
from .trained_weights import trained_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from peft import LoraConfig
    from transformers import PreTrainedModel

    from .model_parts import ModelParts

_NAME = "default"
"""The name that peft gives an adapter; it does not occur in files."""
_OF_ADAPTER = ".lora_"
"""What the names of an adapter's weights contain."""
_PREFIX = "base_model.model."
"""The beginning of every name in an adapter's file."""
_POOLER = ".pooler."
_ROUNDING = 1e-3
"""The largest difference of logits, as a share of the largest of them, that counts as rounding."""
_SHARE_OF_EFFECT = 0.1
"""The same as a share of what adapters change."""


@dataclass(frozen=True)
class Adapter:
    """The settings of the adapters of a trial."""

    rank: int
    """At least 1."""
    alpha: float
    """An adapter is scaled by alpha/rank, with `use_rslora` by alpha/sqrt(rank)."""
    dropout: float = 0.0
    target_modules: str | tuple[str, ...] = AUTO
    """The modules that get an adapter, see `find_targets`."""
    use_rslora: bool = False
    use_dora: bool = False


def add_adapter(model: PreTrainedModel, adapter: Adapter, stored: Collection[str]) -> None:
    """Add adapters to a model, and freeze all of it but these, its head, and what is new.

    Modules that share a weight share an adapter: merging changes the weight for both.

    Args:
        model: The model; it keeps its class and its other names.
        adapter: The settings.
        stored: The names of the weights that are not new. New ones are random, so they are trained as the head is.

    Raises:
        ValueError: The model does not have the modules, or peft has no such adapter for them.
    """
    from peft import LoraConfig, inject_adapter_in_model

    if not stored:
        raise ValueError("lora_r must be 0 for a model without stored weights, which is trained from scratch")
    parts = find_parts(model)
    whole = replace(parts, head=(*parts.head, *_new_modules(model, parts, stored)))
    targets = find_targets(model, whole, adapter.target_modules)
    config = LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,  # pyright: ignore[reportArgumentType] (a factor; the annotation of peft is int)
        lora_dropout=adapter.dropout,
        target_modules=targets,
        use_rslora=adapter.use_rslora,
        use_dora=adapter.use_dora,
        fan_in_fan_out=all(isinstance(model.get_submodule(name), Conv1D) for name in targets),
    )
    _switch_off_fused_layers(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tied embeddings, which get no adapter, and of fan_in_fan_out
        inject_adapter_in_model(config, model, low_cpu_mem_usage=any(weight.is_meta for weight in model.parameters()))
    config.modules_to_save = list(whole.head)  # not before, or peft would replace them by copies
    _share_adapters(model)
    for name, weight in model.named_parameters():
        if whole.is_in_head(name):
            weight.requires_grad_(True)


def adapter_config(model: torch.nn.Module) -> LoraConfig | None:
    """Return the configuration of a model's adapters in the terms of peft; `None` if it has none."""
    return getattr(model, "peft_config", {}).get(_NAME)


def adapter_record(model: torch.nn.Module) -> dict[str, Any] | None:
    """Return what a model's adapters are, by the names of parameters and ready for JSON; `None` if it has none."""
    config = adapter_config(model)
    if config is None:
        return None
    return {
        "lora_r": config.r,
        "lora_alpha": config.lora_alpha,
        "lora_dropout": config.lora_dropout,
        "lora_target_modules": sorted(config.target_modules or ()),
        "use_rslora": config.use_rslora,
        "use_dora": config.use_dora,
    }


def merge_adapter(model: PreTrainedModel) -> None:
    """Add the adapters to the weights that they adapt, in fp32, and remove them: the model is as it was made."""
    changed: set[int] = set()
    for name, layer in list(_adapted_layers(model)):
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, _merged(layer, changed))
    if hasattr(model, "peft_config"):
        del model.peft_config


def adapter_weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Return all that is trained of a model with adapters, by the names that peft has for it in a file."""
    from peft import get_peft_model_state_dict

    others = {name: weight for name, weight in trained_weights(model).items() if _OF_ADAPTER not in name}
    low_rank = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {f"{_PREFIX}{name}": weight.detach() for name, weight in {**low_rank, **others}.items()}


def adapter_problem(model: PreTrainedModel, predict: Callable[[], torch.Tensor]) -> str | None:
    """Return why the adapters of a model do not do what they should; `None` if they do. The model is spoilt.

    The code of a model may use the weight of a module without calling the module, as fused kernels do: then an adapter
    changes nothing until it is merged.

    Args:
        model: A model with adapters.
        predict: Returns the logits of some rows in an evaluation.
    """
    before = predict()
    for name, weight in model.named_parameters():
        if f"{_OF_ADAPTER}B." in name:
            torch.nn.init.normal_(weight, std=0.02)
    adapted = predict()
    merge_adapter(model)
    merged = predict()
    effect = float((merged - before).abs().max())
    if effect == 0 and torch.equal(adapted, before):
        return "its adapters change nothing, because its code does not call the modules that have them"
    if agree(adapted, merged, _ROUNDING) or float((adapted - merged).abs().max()) < _SHARE_OF_EFFECT * effect:
        return None
    return "its adapters have another effect than merged ones, because its code uses weights without their modules"


def _new_modules(model: torch.nn.Module, parts: ModelParts, stored: Collection[str]) -> list[str]:
    """Return the modules below the head with weights that are not stored, under any of their names.

    A pooler that is not part of the head is not used: a pooled head reads what is below it.
    """
    weights = dict(model.named_parameters(remove_duplicate=False))
    loaded = {id(weight) for name, weight in weights.items() if name in stored}
    new = (name.rpartition(".")[0] for name, weight in weights.items() if id(weight) not in loaded)
    return [name for name in dict.fromkeys(new) if name and not parts.is_in_head(name) and _POOLER not in name]


def _switch_off_fused_layers(model: torch.nn.Module) -> None:
    """Let torch's encoder layers call the modules within them in an evaluation as well, not a kernel in their place."""
    for module in model.modules():
        if isinstance(module, torch.nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0


def _share_adapters(model: torch.nn.Module) -> None:
    first: dict[int, Any] = {}
    for _, layer in _adapted_layers(model):
        weight = getattr(layer.get_base_layer(), "weight", None)
        other = layer if weight is None else first.setdefault(id(weight), layer)
        if other is not layer:
            layer.lora_A, layer.lora_B = other.lora_A, other.lora_B
            layer.lora_magnitude_vector = other.lora_magnitude_vector


def _merged(layer: Any, changed: set[int]) -> torch.nn.Module:
    """Return the module below an adapter, with the adapter in its weight.

    Args:
        layer: The layer of peft.
        changed: The identities of weights that have their adapter; updated.
    """
    unload = getattr(layer, "unload_and_optionally_merge_module", None)
    if unload is not None:
        return unload(merge=True, safe_merge=False, adapter_names=None)
    base = layer.get_base_layer()
    if id(base.weight) not in changed:
        changed.add(id(base.weight))
        device = base.weight.device
        with torch.no_grad():
            layer.cpu().merge()  # a GPU may round products to TF32
        base.to(device)
    return base


def _adapted_layers(model: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield the layers of peft by name, without those within another."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    outer: list[str] = []
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, BaseTunerLayer) and not name.startswith(tuple(outer)):
            outer.append(f"{name}.")
            yield name, module
