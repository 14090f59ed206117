"""From a trial's parameters to the `TrainingArguments` that it trains with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from .parameters.namespaces import trial_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bertnado_config import Precision
    from bertnado_metrics import Objective

DEFAULT_EVALUATIONS = 20
"""About how many evaluations a trial gets where the parameters set no interval."""

_EVALUATION_TOKENS = {"cpu": 2048, "cuda": 32768}
"""Tokens in one batch of an evaluation, which keeps no gradients; more of them are no faster (docs/performance.md)."""

_NOT_RECORDED = frozenset({"output_dir", "hub_token", "push_to_hub_token", "disable_tqdm", "report_to", "do_eval"})


@dataclass(frozen=True)
class StepPlan:
    """What one trial will do."""

    steps: int
    """Optimiser steps."""
    evaluations: int
    """Evaluations, the one after the last step included."""


def make_training_arguments(
    parameters: Mapping[str, Any],
    *,
    output_dir: Path | str,
    objective: Objective,
    rows: int,
    longest: int,
    seed: int,
    precision: Precision = "auto",
) -> TrainingArguments:
    """Make the arguments of one trial.

    Args:
        parameters: The trial's parameters, by any name that a namespace knows.
        output_dir: Where the trial keeps its files.
        objective: What the best checkpoint is chosen by.
        rows: Rows of the training split, at least 1.
        longest: Tokens in the longest row of the validation split, at least 1.
        seed: The seed of a trial whose parameters hold none; at least 0 and below 2**32.
        precision: What the trial computes in, unless its parameters hold `bf16`, `fp16` or `tf32`.

    Raises:
        ValueError: A name is unknown, a value is refused, or parameters contradict each other.
    """
    settings = {"seed": seed, "logging_nan_inf_filter": False, **convert_arguments(parameters)}
    settings |= _precision_settings(settings, precision)
    interval = settings.get("eval_steps") or 1 / DEFAULT_EVALUATIONS
    settings.setdefault("eval_strategy", "steps")
    settings["eval_steps"] = interval
    settings.setdefault("dataloader_pin_memory", torch.cuda.is_available())
    settings |= {
        "output_dir": str(output_dir),
        "report_to": "none",
        "disable_tqdm": True,
        "save_strategy": "no",
        "metric_for_best_model": objective.trainer_name,
        "greater_is_better": objective.greater_is_better,
        "remove_unused_columns": False,
    }
    try:
        arguments = TrainingArguments(**settings)
    except Exception as error:  # its checks raise many kinds
        raise ValueError(str(error)) from error
    # One trial, one device: with more, a Trainer multiplies the batch that the sweep chose.
    arguments._n_gpu = min(1, arguments.n_gpu)
    if "per_device_eval_batch_size" not in settings:
        arguments.per_device_eval_batch_size = max(_evaluation_tokens(arguments) // longest, 1)
    arguments.eval_steps = _whole_steps(interval, training_steps(arguments, rows))
    return arguments


def convert_arguments(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of `TrainingArguments` that parameters mean, by field and with the field's type.

    Raises:
        ValueError: A name is unknown, a value is refused, or parameters contradict each other.
    """
    return trial_settings(parameters).arguments


def _precision_settings(settings: Mapping[str, Any], precision: Precision) -> dict[str, Any]:
    """Add what the precision comes to on this machine's device; what `settings` say already stays."""
    is_cpu = settings.get("use_cpu") or not torch.cuda.is_available()
    if is_cpu and settings.get("fp16"):
        raise ValueError("fp16: it needs a GPU, and this trial would train without one; leave it out, or take bf16")
    chosen: dict[str, Any] = {}
    if not {"bf16", "fp16"} & settings.keys():
        if precision == "auto":
            precision = "bf16" if not is_cpu and gpu_has_bf16() else "fp32"
        chosen = {"bf16": precision == "bf16", "fp16": precision == "fp16"}
    if is_cpu and (settings.get("bf16") or chosen.get("bf16")):
        chosen["use_cpu"] = True  # without that word transformers takes bf16 for a GPU's
    if not is_cpu and "tf32" not in settings:
        # Said either way: it is a switch of the whole process, and the next trial may want it otherwise.
        chosen["tf32"] = precision != "fp32" and torch.cuda.get_device_capability() >= (8, 0)
    return chosen


def gpu_has_bf16() -> bool:
    """Whether a GPU is visible that computes in bf16 itself."""
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)


def _evaluation_tokens(arguments: TrainingArguments) -> int:
    return _EVALUATION_TOKENS.get(arguments.device.type, _EVALUATION_TOKENS["cpu"])


def training_steps(arguments: TrainingArguments, rows: int) -> int:
    """Count the optimiser steps of a trial over `rows` rows, as the `Trainer` counts them."""
    if arguments.max_steps > 0:
        return arguments.max_steps
    return math.ceil(arguments.num_train_epochs * _steps_per_epoch(arguments, rows))


def plan_steps(arguments: TrainingArguments, rows: int) -> StepPlan:
    """Say how many optimiser steps and evaluations a trial over `rows` rows comes to."""
    steps = training_steps(arguments, rows)
    interval = {
        IntervalStrategy.STEPS: int(arguments.eval_steps or 1),
        IntervalStrategy.EPOCH: _steps_per_epoch(arguments, rows),
    }.get(IntervalStrategy(arguments.eval_strategy), steps)
    skipped = math.ceil(arguments.eval_delay * _delay_unit(arguments, rows) / interval) - 1
    return StepPlan(steps, max(math.ceil(steps / interval) - max(skipped, 0), 1))


def _steps_per_epoch(arguments: TrainingArguments, rows: int) -> int:
    batch = arguments.per_device_train_batch_size
    batches = rows // batch if arguments.dataloader_drop_last else math.ceil(rows / batch)
    return max(math.ceil(batches / arguments.gradient_accumulation_steps), 1)


def _delay_unit(arguments: TrainingArguments, rows: int) -> int:
    """Optimiser steps in one unit of `eval_delay`, which counts epochs or steps."""
    by_epoch = arguments.eval_strategy == IntervalStrategy.EPOCH
    return _steps_per_epoch(arguments, rows) if by_epoch else 1


def effective_arguments(arguments: TrainingArguments) -> dict[str, Any]:
    """List every argument that a trial trained with, ready for JSON; paths and tokens are left out."""
    return {name: value for name, value in arguments.to_dict().items() if name not in _NOT_RECORDED}


def differences_from_defaults(effective: Mapping[str, Any]) -> dict[str, Any]:
    """Keep those of the effective arguments whose value is not the installed transformers' default."""
    defaults = TrainingArguments(output_dir="unused").to_dict()
    return {name: value for name, value in effective.items() if name in defaults and defaults[name] != value}


def _whole_steps(interval: float, steps: int) -> int:
    """Turn an interval below 1, a share of all steps, into steps; round up as the `Trainer` does."""
    return max(math.ceil(steps * interval) if interval < 1 else int(interval), 1)
