"""Trials drawn from a sweep's space: at random, or point by point of a grid."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, cast

from .grid import cardinalities
from .parameter_paths import ParameterPath, nest_parameters, parameter_label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator

    from .sweep_config import SweepConfig


def sample_parameters(config: SweepConfig, rng: Generator) -> dict[str, Any]:
    """Draw one trial's parameters, nested, each from its own distribution.

    The draw depends on the parameters and the generator, not on the order in which the file lists them.
    """
    quantiles = {path: rng.random() for path in sorted(config.space)}
    return nest_parameters({path: form.from_unit(quantiles[path]) for path, form in config.space.items()})


def grid_size(config: SweepConfig) -> int:
    """Count the grid's points.

    Raises:
        InvalidInputError: Some parameter cannot be enumerated; every such one is named.
    """
    return prod(cardinalities(config.space).values())


def grid_point(config: SweepConfig, index: int) -> dict[str, Any]:
    """Give the parameters of one point of the grid, nested; `index` counts from 0, in `grid_parameters`' order.

    Raises:
        IndexError: The grid has no such point.
        InvalidInputError: Some parameter cannot be enumerated; every such one is named.
    """
    size = grid_size(config)
    if not 0 <= index < size:
        msg = f"the grid has {size} points, counted from 0; there is no point {index}"
        raise IndexError(msg)
    places: dict[ParameterPath, int] = {}
    for path, cardinality in reversed(cardinalities(config.space).items()):
        index, places[path] = divmod(index, cardinality)
    choices = {path: form.choices or () for path, form in config.space.items()}
    return nest_parameters({path: choices[path][places[path]] for path in config.space})


def grid_parameters(config: SweepConfig) -> Iterator[dict[str, Any]]:
    """Go through every combination once, nested, in W&B's order: names sorted on each level, the last one fastest.

    Nothing is made before it is asked for, so a grid may be larger than memory.

    Raises:
        InvalidInputError: Some parameter cannot be enumerated; every such one is named.
    """
    size = grid_size(config)
    return (grid_point(config, index) for index in range(size))


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
