"""Parameters by path, and nested as `wandb.config` shows them.

A path is a tuple of names: `("optimizer", "lr")` for the `lr` below `optimizer`'s `parameters`. A dot in a
name is part of the name.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from .sweep_config import SweepConfig

ParameterPath = tuple[str, ...]
"""The names that lead to a parameter, the outermost first."""


def parameter_label(path: ParameterPath) -> str:
    """Write the path as one name, its parts joined by dots: `optimizer.lr`."""
    return ".".join(path)


def parameter_place(path: ParameterPath) -> str:
    """Write where a sweep file declares the parameter, for a `Problem`: `parameters.optimizer.parameters.lr`."""
    return "".join(f".parameters.{name}" for name in path).removeprefix(".")


def nest_parameters(values: Mapping[ParameterPath, Any]) -> dict[str, Any]:
    """Nest the values by path in objects. What is returned shares nothing with `values`.

    Raises:
        ValueError: A path runs through another one, which has a value of its own.
    """
    nested: dict[str, Any] = {}
    for path, value in values.items():
        place = nested
        for depth, name in enumerate(path[:-1], start=1):
            if path[:depth] in values:
                msg = f"{parameter_label(path[:depth])} has a value, so {parameter_label(path)} cannot lie inside it"
                raise ValueError(msg)
            place = place.setdefault(name, {})
        place[path[-1]] = copy.deepcopy(value)
    return nested


def flatten_parameters(config: SweepConfig, nested: Mapping[str, Any]) -> dict[ParameterPath, Any]:
    """Find the values of the parameters that `config` declares, by path, in nested objects.

    What else `nested` holds is left out: a run's config at W&B holds much that no sweep file declared.

    Raises:
        ValueError: `nested` lacks a declared parameter; every one that is missing is named.
    """
    found: dict[ParameterPath, Any] = {}
    missing: list[str] = []
    for path in config.space:
        try:
            found[path] = _value_at(nested, path)
        except LookupError:
            missing.append(parameter_label(path))
    if missing:
        msg = f"no value for {', '.join(missing)}"
        raise ValueError(msg)
    return found


def _value_at(nested: Mapping[str, Any], path: ParameterPath) -> Any:
    place: Any = nested
    for name in path:
        if not isinstance(place, Mapping):
            raise LookupError(name)
        place = cast("Mapping[str, Any]", place)[name]
    return place
