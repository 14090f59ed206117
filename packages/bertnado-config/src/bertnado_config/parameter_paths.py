"""Parameters by path, and nested as `wandb.config` shows them.

A path is a tuple of names: `("optimizer", "lr")` for the `lr` below `optimizer`'s `parameters`. A dot in a
name is part of the name.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

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
