"""Points of a search space: counting and drawing them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from bertnado_config import flatten_parameters, grid_point, grid_size, nest_parameters, sample_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bertnado_config import Parameter, ParameterPath, SweepConfig


def varied(config: SweepConfig) -> list[tuple[ParameterPath, Parameter]]:
    """Return the parameters that have more than one value, by name: the order in the file is irrelevant."""
    return [(path, parameter) for path, parameter in sorted(config.space.items()) if parameter.cardinality != 1]


def space_size(config: SweepConfig) -> int | None:
    """Return the number of different points; None if there is no limit."""
    sizes = [parameter.cardinality for parameter in config.space.values()]
    return None if None in sizes else math.prod(size for size in sizes if size is not None)


def project(config: SweepConfig, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the point of the space that has the values of a trial, nested.

    Parameters that the space does not have are left out, and its constants have their present values.

    Args:
        config: The sweep file.
        parameters: The trial's, which may come from another space.

    Returns:
        The point; None if a parameter that varies has no value, or one that the space does not contain.
    """
    try:
        found = flatten_parameters(replace(config, space=dict(varied(config))), parameters)
        known = {path: _own_value(config.space[path], value) for path, value in found.items()}
    except ValueError:
        return None
    return nest_parameters({path: known.get(path, form.from_unit(0.5)) for path, form in config.space.items()})


def _own_value(parameter: Parameter, value: Any) -> Any:
    """Return the value of a parameter that equals `value`.

    Raises:
        ValueError: There is none.
    """
    unit = parameter.to_unit(value)
    return value if parameter.cardinality is None else parameter.from_unit(unit)


def point(config: SweepConfig, units: Mapping[ParameterPath, float]) -> dict[str, Any]:
    """Return the parameters, nested, at one quantile each; parameters without a quantile are constants."""
    values = {path: parameter.from_unit(units.get(path, 0.5)) for path, parameter in config.space.items()}
    return nest_parameters(values)


def random_points(config: SweepConfig, seed: int, number: int) -> Iterator[dict[str, Any]]:
    """Yield random points without end, each parameter from its own distribution; `number` selects the stream."""
    rng = np.random.default_rng([seed, number])
    while True:
        yield sample_parameters(config, rng)


def grid_points(config: SweepConfig, first: int = 0) -> Iterator[dict[str, Any]]:
    """Yield every point once, in the order of the grid, starting at index `first` and wrapping around.

    Raises:
        InvalidInputError: A parameter cannot be enumerated.
    """
    size = grid_size(config)
    return (grid_point(config, (first + offset) % size) for offset in range(size))
