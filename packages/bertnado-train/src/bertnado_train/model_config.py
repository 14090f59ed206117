"""The fields of a model's configuration that a trial may set, and setting them."""

from __future__ import annotations

import copy
from dataclasses import fields, is_dataclass
from functools import reduce
from operator import or_
from types import NoneType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from annotated_types import Interval
from bertnado_metrics import did_you_mean, nearest
from transformers import CONFIG_MAPPING, PreTrainedConfig

from .custom_code import switch_off_kernels
from .parameters.model_config_names import MANAGED, PREFIX, is_dropout
from .parameters.value_types import ValueType, union_members, value_type

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_POOLED_HEAD = "head_dropout"
"""The field of a pooled head that a trial may set; all others are those of the model below it."""
_DROPOUT = "drop"
"""Part of the names of all fields that set a dropout."""


def settable_fields(config: PreTrainedConfig) -> dict[str, Any]:
    """Return the fields that a trial may set, with their values; with a pooled head, those of the model below it."""
    return {
        name: value
        for name, value in _all_fields(config).items()
        if name not in MANAGED and not name.startswith("_") and _is_plain(value)
    }


def is_dropout_rate(name: str, value: object) -> bool:
    """Return whether a field is the rate of a dropout; a flag such as ESM's `token_dropout` is none."""
    return _DROPOUT in name and isinstance(value, int | float | None) and not isinstance(value, bool)


def dropout_fields(config: PreTrainedConfig) -> list[str]:
    """Return the names of the fields that set a dropout."""
    return sorted(name for name, value in settable_fields(config).items() if is_dropout_rate(name, value))


def field_meant_by(config: PreTrainedConfig, name: str) -> str | None:
    """Return how to write a parameter that is named as a field, or as a dropout; `None` if it is neither."""
    plain = name.rpartition(".")[2]
    if plain in settable_fields(config):
        return f"it is a field of the model's configuration; write {PREFIX}{plain}"
    dropouts = dropout_fields(config) if is_dropout(plain) else []
    if not dropouts:
        return None
    listed = " or ".join(f"{PREFIX}{field}" for field in dropouts)
    return f"dropout belongs to the configuration of the model; write {listed}"


def convert_field(config: PreTrainedConfig, name: str, value: Any) -> Any:
    """Convert a value to the type that a field has.

    Raises:
        ValueError: The configuration does not have the field, or the field does not accept the value.
    """
    settable = settable_fields(config)
    if name in settable:
        return _type_of(config, name, settable[name]).convert(value)
    if name in _all_fields(config):
        raise ValueError("its value is a list or an object in this model's configuration, which cannot be replaced")
    known = dropout_fields(config) or sorted(settable)
    hint = did_you_mean(name, known, suggestion=nearest(name, sorted(settable)))
    raise ValueError(f"unknown field {name!r} of the configuration of a {_kind(config)} model; {hint}")


def changed_config(config: PreTrainedConfig, changes: Mapping[str, Any], code: type[Any]) -> PreTrainedConfig:
    """Return a copy of a configuration with other values.

    Args:
        config: The configuration.
        changes: Values by field, see `settable_fields`.
        code: The class of the model, with a pooled head of the one below it.

    Raises:
        ValueError: The configuration does not have a field, or a field does not accept its value.
    """
    changed = copy.deepcopy(config)
    below = _below_head(changed)
    described: Any = changed if below is None else SimpleNamespace(**below)
    for name, value in changes.items():
        owner = changed if below is not None and name == _OF_POOLED_HEAD else described
        setattr(owner, name, convert_field(config, name, value))
    switch_off_kernels(described, code)
    if below is not None:
        changed.backbone = vars(described)  # pyright: ignore[reportAttributeAccessIssue]
    return changed


def _all_fields(config: PreTrainedConfig) -> dict[str, Any]:
    below = _below_head(config)
    if below is None:
        return config.to_dict()
    return {**below, _OF_POOLED_HEAD: getattr(config, _OF_POOLED_HEAD)}


def _below_head(config: PreTrainedConfig) -> dict[str, Any] | None:
    """Return the configuration of the model below a pooled head; `None` for a model with its own head."""
    return getattr(config, "backbone", None) if hasattr(config, "backbone_class") else None


def _kind(config: PreTrainedConfig) -> str:
    return str((_below_head(config) or {}).get("model_type") or config.model_type)


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | str | None)


def _type_of(config: PreTrainedConfig, name: str, value: Any) -> ValueType:
    """Return the type of a field: the one that its class declares, otherwise the one of its value."""
    kinds = _declared_kinds(config, name) or _kinds_of(value)
    is_share = _DROPOUT in name and kinds - {NoneType} == {float}
    return value_type(reduce(or_, sorted(kinds, key=str)), bounds=Interval(ge=0, le=1) if is_share else None)


def _declared_kinds(config: PreTrainedConfig, name: str) -> set[type]:
    """Return the plain types that the class of a configuration declares for a field; empty if it declares none."""
    below = _below_head(config)
    kind = type(config) if below is None else CONFIG_MAPPING.get(_kind(config), type(config))
    declared = {field.name: field.type for field in fields(kind)} if is_dataclass(kind) else {}
    kinds = {member for member in union_members(declared.get(name)) if member in (bool, int, float, str, NoneType)}
    return kinds - {int} if float in kinds else kinds


def _kinds_of(value: Any) -> set[type]:
    """Return the types that a field may have whose value is known alone."""
    if value is None:
        return {int, float, str, NoneType}
    is_share = type(value) is int and value in (0, 1)  # JSON has a dropout of 0.0 as 0
    return {float} if is_share else {type(value)}
