"""The `TrainingArguments` of a trial, made from its parameters."""

from __future__ import annotations

import copy
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from .parameters.namespaces import trial_settings
from .precision import precision_arguments
from .schedule import training_steps, whole_steps

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bertnado_config import Precision
    from bertnado_metrics import Objective

DEFAULT_EVALUATIONS = 20
"""The approximate number of evaluations of a trial whose parameters set no interval."""

_EVALUATION_TOKENS = {"cpu": 2048, "cuda": 32768}
"""Tokens in a batch of an evaluation, which keeps no gradients; larger ones are not faster (docs/performance.md)."""

_NOT_RECORDED = frozenset({"output_dir", "hub_token", "push_to_hub_token", "disable_tqdm", "report_to", "do_eval"})


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
        output_dir: The directory of the trial.
        objective: The metric that selects the best checkpoint.
        rows: Rows of the training split, at least 1.
        longest: Tokens in the longest row of the validation split, at least 1.
        seed: Seed of a trial whose parameters do not include one, from 0 to 2**32 - 1.
        precision: Precision of a trial whose parameters do not include `bf16` or `fp16`.

    Raises:
        ValueError: A name is unknown, a value is refused, or parameters contradict each other.
    """
    # The filter would hide a loss of NaN in the log, and wait for the GPU at every step.
    given = {"seed": seed, "logging_nan_inf_filter": False, **convert_arguments(parameters)}
    given |= precision_arguments(given, precision)
    interval = given.get("eval_steps") or 1 / DEFAULT_EVALUATIONS
    given.setdefault("eval_strategy", "steps")
    given["eval_steps"] = interval
    given.setdefault("dataloader_pin_memory", torch.cuda.is_available())  # without a GPU, pinning only warns
    try:
        arguments = TrainingArguments(**given, **_managed_arguments(output_dir, objective))
    except Exception as error:  # its checks raise ValueError, TypeError, KeyError and others
        raise ValueError(str(error)) from error
    arguments._n_gpu = min(1, arguments.n_gpu)  # with more, a Trainer would multiply the batch that the sweep chose
    if "per_device_eval_batch_size" not in given:
        arguments.per_device_eval_batch_size = max(_evaluation_tokens(arguments) // longest, 1)
    arguments.eval_steps = whole_steps(interval, training_steps(arguments, rows))
    if not {"logging_steps", "logging_strategy"} & given.keys():
        arguments.logging_steps = arguments.eval_steps  # every 500 steps, most trials would log no training loss
    return arguments


def _managed_arguments(output_dir: Path | str, objective: Objective) -> dict[str, Any]:
    """Return the arguments that BertNado sets itself."""
    return {
        "output_dir": str(output_dir),
        "report_to": "none",
        "disable_tqdm": True,
        "save_strategy": "no",  # BestCheckpointCallback keeps the best weights, which are written once
        "metric_for_best_model": objective.trainer_name,
        "greater_is_better": objective.greater_is_better,
        "remove_unused_columns": False,  # an EncodedSplit has none
    }


def convert_arguments(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of `TrainingArguments` that parameters stand for, with values of the right type.

    Raises:
        ValueError: A name is unknown, a value is refused, or parameters contradict each other.
    """
    return trial_settings(parameters).arguments


def effective_arguments(arguments: TrainingArguments) -> dict[str, Any]:
    """Return every argument that a trial trained with, ready for JSON, except paths and tokens."""
    return {name: value for name, value in arguments.to_dict().items() if name not in _NOT_RECORDED}


def without_evaluations(arguments: TrainingArguments, steps: int) -> TrainingArguments:
    """Return the arguments of a trial, to try so many of its steps: each of one batch, which this process reads."""
    tried = copy.copy(arguments)
    tried.seed = 0  # a seed that is out of range is reported elsewhere
    tried.max_steps = steps
    tried.gradient_accumulation_steps = 1
    tried.eval_strategy = IntervalStrategy.NO
    tried.dataloader_num_workers = 0
    tried.dataloader_prefetch_factor = None
    tried.dataloader_persistent_workers = False
    tried.torch_compile = False  # takes a minute
    return tried


@cache
def default_arguments() -> Mapping[str, Any]:
    """Return the training arguments of a trial that sets none, as transformers has them."""
    return TrainingArguments(output_dir="unused").to_dict()


def differences_from_defaults(effective: Mapping[str, Any]) -> dict[str, Any]:
    """Return the effective arguments that differ from the defaults of the installed transformers."""
    defaults = default_arguments()
    return {name: value for name, value in effective.items() if name in defaults and defaults[name] != value}


def _evaluation_tokens(arguments: TrainingArguments) -> int:
    return _EVALUATION_TOKENS.get(arguments.device.type, _EVALUATION_TOKENS["cpu"])
