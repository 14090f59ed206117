"""The config of a whole run, as tracking callbacks record it, reduced to the parameters of a trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .parameters.namespaces import NAMESPACES, named_values
from .parameters.training_argument_rules import REFUSED
from .parameters.training_argument_types import FIELDS
from .parameters.value_types import show
from .training_arguments import default_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALWAYS_TAKEN = frozenset({"learning_rate", "num_train_epochs", "per_device_train_batch_size", "weight_decay", "seed"})
"""Arguments that are taken even with their default values, because people look for them."""
_OF_THE_MACHINE = frozenset(
    {
        *("use_cpu", "tf32", "local_rank", "accelerator_config", "debug", "skip_memory_metrics", "log_level"),
        *("log_level_replica", "log_on_each_node", "torch_compile", "torch_compile_backend", "torch_compile_mode"),
        *("dataloader_num_workers", "dataloader_pin_memory", "dataloader_persistent_workers", "length_column_name"),
        *("dataloader_prefetch_factor", "dataloader_multiprocessing_context", "torch_empty_cache_steps"),
        *("ddp_find_unused_parameters", "ddp_bucket_cap_mb", "ddp_broadcast_buffers", "ddp_backend", "ddp_timeout"),
        *("auto_find_batch_size", "average_tokens_across_devices", "eval_accumulation_steps"),
        *("include_num_input_tokens_seen", "logging_nan_inf_filter", "per_device_eval_batch_size", "use_cache"),
    }
)
"""Arguments that describe the machine of the run or its log and not its result; `use_cache` is the model's."""
_PRECISION = frozenset({"bf16", "fp16"})
_REPLACED = {
    "adafactor": "use optim: adafactor",
    "per_gpu_train_batch_size": "use per_device_train_batch_size",
    "sharded_ddp": "a trial uses one device",
    "deepspeed": "a trial uses one device",
    "fsdp": "a trial uses one device",
    "peft_config": "of the adapters of peft, those of LoRA can be trained here; see lora_r",
}
"""Keys that changed the result of a run and that cannot be used here, with the reason or the cure."""
_OF_LORA = {
    "r": "lora_r",
    "lora_alpha": "lora_alpha",
    "lora_dropout": "lora_dropout",
    "target_modules": "lora_target_modules",
    "use_rslora": "use_rslora",
    "use_dora": "use_dora",
}
"""The keys of peft's configuration of LoRA that a trial has as parameters."""


@dataclass(frozen=True)
class ReducedConfig:
    """What a final model can be trained with of the config of a whole run."""

    parameters: Mapping[str, Any]
    """The parameters of a trial, as the run has them."""
    omitted: int
    """The number of other keys: the model's configuration, defaults, paths, and settings of the machine."""
    unusable: tuple[str, ...]
    """Omitted keys that changed the result of the run, each with its value and the reason."""


def reduce_run_config(config: Mapping[str, Any]) -> ReducedConfig:
    """Keep the keys that are parameters of a trial and that changed the result of the run.

    The config of a run has every training argument under its own name. It may also have what was sampled, from which
    the arguments follow, under other names (`epochs`): an argument's own name takes precedence.
    """
    parts = _with_names_of_lora(config)
    taken: dict[str, tuple[str, Any]] = {}
    unusable: list[str] = []
    for name, value in sorted(named_values(parts), key=lambda item: item[0] not in FIELDS):
        try:
            target = _target_that_matters(name, value)
        except ValueError as error:
            reason, _, _ = str(error).partition(" (")  # without the list of all choices
            unusable.append(f"{name}={show(value)}: {reason}")
            continue
        if target is not None:
            taken.setdefault(target, (name, value))
    if config.get("bf16") is False and not _PRECISION & taken.keys():
        taken["bf16"] = ("bf16", False)
    parameters = dict(taken.values())
    return ReducedConfig(parameters, len(parts) - len(parameters), tuple(unusable))


def _with_names_of_lora(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the config with the parameters of LoRA in place of peft's configuration of it."""
    recorded = config.get("peft_config")
    if isinstance(recorded, dict) and isinstance(recorded.get("default"), dict):  # by the name of the adapter
        recorded = recorded["default"]
    if not isinstance(recorded, dict) or "r" not in recorded or recorded.get("peft_type", "LORA") != "LORA":
        return config
    named = {name: recorded[key] for key, name in _OF_LORA.items() if recorded.get(key)}
    return {**{name: value for name, value in config.items() if name != "peft_config"}, **named}


def _target_that_matters(name: str, value: Any) -> str | None:
    """Return what a key sets; `None` if it is not a parameter, or has not changed the result of the run.

    Raises:
        ValueError: It changed the result and cannot be used.
    """
    if not value and value != 0:  # unset, in one of the spellings of several versions
        return None
    if value and name in _REPLACED:
        raise ValueError(_REPLACED[name])
    namespace = next((namespace for namespace in NAMESPACES if namespace.knows(name)), None)
    target = namespace.target(name) if namespace else name
    if namespace is None or namespace.is_managed(name) or target in REFUSED or target in _OF_THE_MACHINE:
        return None
    converted = namespace.convert(name, value)
    if target in _ALWAYS_TAKEN or target not in FIELDS:
        return target
    return None if converted == default_arguments()[target] else target
