"""Paths of parameters, and parameters nested as in `wandb.config`.

A path is a tuple of names: `("optimizer", "lr")` for the `lr` under the `parameters` of `optimizer`. A dot in a name is
part of the name.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ParameterPath = tuple[str, ...]
"""The names that lead to a parameter, the outermost first."""


def parameter_label(path: ParameterPath) -> str:
    """Return the path as one name, joined by dots: `optimizer.lr`."""
    return ".".join(path)


def parameter_place(path: ParameterPath) -> str:
    """Return the place of the parameter in a sweep file, for a `Problem`: `parameters.optimizer.parameters.lr`."""
    return "".join(f".parameters.{name}" for name in path).removeprefix(".")


def nest_parameters(values: Mapping[ParameterPath, Any]) -> dict[str, Any]:
    """Nest the values by path in objects. The result is a deep copy.

    Raises:
        ValueError: A path leads through another one that has a value itself.
    """
    nested: dict[str, Any] = {}
    for path, value in values.items():
        place = nested
        for depth, name in enumerate(path[:-1], start=1):
            if path[:depth] in values:
                msg = f"{parameter_label(path[:depth])} has a value, so it cannot contain {parameter_label(path)}"
                raise ValueError(msg)
            place = place.setdefault(name, {})
        place[path[-1]] = copy.deepcopy(value)
    return nested
