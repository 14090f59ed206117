"""The types of the fields of the installed `TrainingArguments`, with the bounds that it does not check itself."""

from __future__ import annotations

import math
import os
from dataclasses import fields
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, get_origin

from annotated_types import Interval
from bertnado_config import InvalidInputError, read_json
from pydantic import AfterValidator, BeforeValidator
from transformers import TrainingArguments

from .training_argument_rules import OTHER_CHOICES
from .value_types import ValueType, broken_rule, choice_type, union_members, value_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FIELDS: Mapping[str, Any] = {field.name: field.type for field in fields(TrainingArguments) if field.init}
"""The fields of the installed transformers' `TrainingArguments`, with their annotations."""

_LISTED_CHOICES: Mapping[str, Sequence[str]] = {
    field.name: list(field.metadata["choices"]) for field in fields(TrainingArguments) if field.metadata.get("choices")
}
"""The strings that a field accepts although its annotation is `str`."""

_POSITIVE, _NOT_NEGATIVE, _AT_LEAST_ONE, _SHARE = Interval(gt=0), Interval(ge=0), Interval(ge=1), Interval(ge=0, lt=1)
_SEED = Interval(ge=0, lt=2**32)
_MOST_EPOCHS = 1_000_000_000
"""The steps of more epochs cannot be counted in a float."""
_BOUNDS: Mapping[str, Interval] = {
    "per_device_train_batch_size": _AT_LEAST_ONE,
    "per_device_eval_batch_size": _AT_LEAST_ONE,
    "gradient_accumulation_steps": _AT_LEAST_ONE,
    "eval_accumulation_steps": _AT_LEAST_ONE,
    "dataloader_num_workers": _NOT_NEGATIVE,
    "dataloader_prefetch_factor": Interval(ge=1, le=1000),
    "num_train_epochs": Interval(gt=0, le=_MOST_EPOCHS),
    "eval_steps": _POSITIVE,
    "eval_delay": Interval(ge=0, le=_MOST_EPOCHS),
    "logging_steps": _POSITIVE,
    "learning_rate": _NOT_NEGATIVE,
    "weight_decay": _NOT_NEGATIVE,
    "max_grad_norm": _NOT_NEGATIVE,
    "warmup_steps": _NOT_NEGATIVE,
    "adam_beta1": _SHARE,
    "adam_beta2": _SHARE,
    "adam_epsilon": _NOT_NEGATIVE,
    "label_smoothing_factor": _SHARE,
    "seed": _SEED,
    "data_seed": _SEED,
}
_MOST_LOADERS = 8
"""Data-loading processes that any machine may start."""


def convert_argument(name: str, field: str, value: Any) -> Any:
    """Convert `value` to the type and the meaning of a field.

    Args:
        name: The name by which the field is set. One of an older version may translate the value.
        field: The name of the field.
        value: The value to convert.

    Raises:
        ValueError: The field does not accept `value`; the message has the rule and the value.
    """
    return (_TRANSLATING.get(name) or _field_type(field)).convert(value)


def is_object_field(field: str) -> bool:
    """Return whether the value of a field is an object, whose entries may be parameters one by one."""
    return any((get_origin(member) or member) is dict for member in union_members(FIELDS.get(field)))


@cache
def _field_type(field: str) -> ValueType:
    members = union_members(FIELDS[field])
    choices = _LISTED_CHOICES.get(field) or _enum_values(members)
    if choices:
        return choice_type(choices, misnomers=OTHER_CHOICES, is_optional=type(None) in members)
    return value_type(FIELDS[field], bounds=_BOUNDS.get(field), rule=_RULES.get(field))


def _enum_values(members: Sequence[Any]) -> list[str]:
    enums = (member for member in members if isinstance(member, type) and issubclass(member, Enum))
    return [str(choice.value) for enum in enums for choice in enum]


def _require_few_loaders(count: int) -> int:
    if count > max(_MOST_LOADERS, 2 * _usable_cpus()):
        most = f"must be at most {_MOST_LOADERS}, or twice the CPUs that this process may use"
        raise broken_rule(f"{most}, got {count}; each is a separate process")
    return count


def _usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _require_steps(steps: int) -> int:
    if steps < 1 and steps != -1:
        raise broken_rule(f"must be at least 1, or -1 to count epochs, got {steps}")
    return steps


def _read_object(value: Any) -> Any:
    """Read a JSON file within limits: transformers would read a file of any kind and size."""
    if not isinstance(value, str) or value.lstrip().startswith("{"):
        return value
    try:
        return read_json(value)
    except InvalidInputError as error:
        raise broken_rule("; ".join(f"{value}: {problem}" for problem in error.problems)) from None


_RULES: Mapping[str, Any] = {
    "dataloader_num_workers": AfterValidator(_require_few_loaders),
    "max_steps": AfterValidator(_require_steps),
    "accelerator_config": BeforeValidator(_read_object),
}


def _as_warmup_steps(ratio: float) -> float:
    """Return a share of all steps as transformers 5 takes it: `warmup_steps` below 1 is a ratio."""
    return min(ratio, math.nextafter(1.0, 0.0))


def _as_sampling_strategy(is_grouped: bool) -> str:
    return "group_by_length" if is_grouped else "random"


_TRANSLATING: Mapping[str, ValueType] = {
    "warmup_ratio": value_type(float, bounds=Interval(ge=0, le=1), rule=AfterValidator(_as_warmup_steps)),
    "group_by_length": value_type(bool, rule=AfterValidator(_as_sampling_strategy)),
}
"""The types of the names in `TRANSLATED`."""
