"""The values that training arguments take, by the types of their fields."""

from __future__ import annotations

import math
import os
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from bertnado_config import InvalidInputError, read_json
from bertnado_metrics import did_you_mean
from transformers import TrainingArguments

from .training_argument_rules import MISNOMERS, TRANSLATED

_LONGEST_SHOWN = 80

FIELDS: Mapping[str, Any] = {field.name: field.type for field in fields(TrainingArguments) if field.init}
"""The fields of the installed transformers' `TrainingArguments`, with their types."""
_CHOICES: Mapping[str, Sequence[str]] = {
    field.name: list(field.metadata["choices"]) for field in fields(TrainingArguments) if field.metadata.get("choices")
}
"""The texts that a field may hold whose type does not say it."""


def convert_argument(name: str, field: str, value: Any) -> Any:
    """Give `value` the type and the meaning that the field has.

    Raises:
        ValueError: The field cannot hold `value`; the message says what it takes.
    """
    if field in _OBJECTS_OR_FILES:
        value = _read_object(value)
    converted = _convert(_TRANSLATED_TYPES.get(name, FIELDS[field]), value)
    if name not in TRANSLATED and field in _CHOICES and converted is not None:
        converted = _convert_name(_CHOICES[field], converted)
    _check_bounds(name if name in TRANSLATED else field, converted)
    return _TRANSLATIONS[name](converted) if name in TRANSLATED else converted


_OBJECTS_OR_FILES = frozenset({"accelerator_config"})
"""Fields that take an object, or the name of a JSON file that holds one."""


def _read_object(value: Any) -> Any:
    """Read the file that a text names, so that transformers does not: it reads whatever lies there."""
    if not isinstance(value, str) or value.lstrip().startswith("{"):
        return value
    try:
        return read_json(value)
    except InvalidInputError as error:
        raise ValueError("; ".join(f"{value}: {problem}" for problem in error.problems)) from None


def _convert(kind: Any, value: Any) -> Any:
    """Convert `value` to one of the types in `kind`, which is a type or a union of types."""
    union = isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union
    kinds: tuple[Any, ...] = typing.get_args(kind) if union else (kind,)
    if value is None:
        if types.NoneType in kinds:
            return None
        raise ValueError("a value is needed, got None (null)")
    if isinstance(value, Mapping | list):
        origins = {typing.get_origin(candidate) or candidate for candidate in kinds}
        if dict in origins or list in origins:
            return typing.cast("Any", value)
    for candidate in kinds:
        if isinstance(candidate, type) and issubclass(candidate, Enum):
            return _convert_choice(candidate, value)
    for candidate, convert in _CONVERTERS.items():
        if candidate in kinds:
            return convert(value, str in kinds)
    return value


def _convert_choice(choices: type[Enum], value: Any) -> str:
    return _convert_name([str(choice.value) for choice in choices], value.value if isinstance(value, Enum) else value)


def _convert_name(names: Sequence[str], given: Any) -> str:
    if given in names:
        return typing.cast("str", given)
    suggestion = next((name for name in [MISNOMERS.get(str(given))] if name in names), None)
    raise ValueError(f"{given!r} is not one of the choices; {did_you_mean(str(given), names, suggestion=suggestion)}")


def _convert_bool(value: Any, or_text: bool) -> Any:
    if isinstance(value, bool):
        return value
    if value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if or_text and isinstance(value, str):
        return value
    raise ValueError(f"true or false is needed, got {value!r}")


def _convert_int(value: Any, or_text: bool) -> Any:
    number = _as_number(value)
    if number is None:
        if or_text and isinstance(value, str):
            return value
        raise ValueError(f"a whole number is needed, got {_shown(value)}")
    if not number.is_integer():
        raise ValueError(f"a whole number is needed, got {_shown(value)}")
    return int(number)


def _convert_float(value: Any, or_text: bool) -> Any:
    number = _as_number(value)
    if number is None:
        if or_text and isinstance(value, str):
            return value
        raise ValueError(f"a number is needed, got {_shown(value)}")
    return number


def _convert_text(value: Any, or_text: bool) -> str:
    if isinstance(value, str) and or_text:
        return value
    raise ValueError(f"text is needed, got {value!r}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def _as_number(value: Any) -> float | None:
    """Read a finite number out of a number or its text; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


_CONVERTERS: dict[Any, Callable[[Any, bool], Any]] = {
    bool: _convert_bool,
    int: _convert_int,
    float: _convert_float,
    str: _convert_text,
}


def _steps_for_ratio(ratio: float) -> float:
    """Say a share of all steps as transformers 5 takes it: a `warmup_steps` below 1 is a ratio."""
    return min(ratio, math.nextafter(1.0, 0.0))


def _sampling_strategy(grouped: bool) -> str:
    return "group_by_length" if grouped else "random"


_TRANSLATED_TYPES: dict[str, Any] = {"warmup_ratio": float, "group_by_length": bool}
_TRANSLATIONS: dict[str, Callable[[Any], Any]] = {
    "warmup_ratio": _steps_for_ratio,
    "group_by_length": _sampling_strategy,
}


@dataclass(frozen=True)
class _Bounds:
    """The values that a number may take."""

    low: float
    high: float = math.inf
    low_included: bool = True
    high_included: bool = False

    def __contains__(self, value: float) -> bool:
        above = value >= self.low if self.low_included else value > self.low
        below = value <= self.high if self.high_included else value < self.high
        return above and below

    def __str__(self) -> str:
        low = f"{'at least' if self.low_included else 'above'} {self.low:.10g}"
        if math.isinf(self.high):
            return low
        return f"{low} and {'at most' if self.high_included else 'below'} {self.high:.10g}"


_POSITIVE, _NOT_NEGATIVE, _SHARE = _Bounds(0, low_included=False), _Bounds(0), _Bounds(0, 1)
_MOST_EPOCHS = 1_000_000_000
"""No training has so many, and the steps of more cannot be counted."""
_BOUNDS = {
    "per_device_train_batch_size": _Bounds(1),
    "per_device_eval_batch_size": _Bounds(1),
    "gradient_accumulation_steps": _Bounds(1),
    "eval_accumulation_steps": _Bounds(1),
    "dataloader_num_workers": _NOT_NEGATIVE,
    "dataloader_prefetch_factor": _Bounds(1, 1_000, high_included=True),
    "num_train_epochs": _POSITIVE,
    "eval_steps": _POSITIVE,
    "eval_delay": _NOT_NEGATIVE,
    "logging_steps": _POSITIVE,
    "learning_rate": _NOT_NEGATIVE,
    "weight_decay": _NOT_NEGATIVE,
    "max_grad_norm": _NOT_NEGATIVE,
    "warmup_steps": _NOT_NEGATIVE,
    "adam_beta1": _SHARE,
    "adam_beta2": _SHARE,
    "adam_epsilon": _NOT_NEGATIVE,
    "label_smoothing_factor": _SHARE,
    "warmup_ratio": _Bounds(0, 1, high_included=True),
    "seed": _Bounds(0, 2**32),
    "data_seed": _Bounds(0, 2**32),
}


def _check_bounds(name: str, value: Any) -> None:
    if name == "max_steps" and value < 1 and value != -1:
        raise ValueError(f"it has to be at least 1, or -1 where epochs count, got {value!r}")
    if value is None:
        return
    bounds = _BOUNDS.get(name)
    if bounds is not None and value not in bounds:
        raise ValueError(f"it has to be {bounds}, got {value!r}")
    if name in ("num_train_epochs", "eval_delay") and value > _MOST_EPOCHS:
        raise ValueError(f"it has to be at most {_MOST_EPOCHS}, got {value!r}")
    if name == "dataloader_num_workers" and value > max(_FEW_WORKERS, 2 * _usable_cpus()):
        most = f"at most {_FEW_WORKERS}, or twice the CPUs that this process may use"
        raise ValueError(f"it has to be {most}, got {value!r}; each is a process of its own")


_FEW_WORKERS = 8
"""Processes that load data, as many as are let pass everywhere."""


def _usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
