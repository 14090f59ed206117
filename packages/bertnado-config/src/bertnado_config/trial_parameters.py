"""The parameters of trials: sampled, taken from a grid, or read back from nested objects."""

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
    """Sample one trial's parameters, nested, each from its own distribution.

    The sample depends on the parameters and the generator, not on the order of the file.
    """
    quantiles = {path: rng.random() for path in sorted(config.space)}
    return nest_parameters({path: form.from_unit(quantiles[path]) for path, form in config.space.items()})


def grid_size(config: SweepConfig) -> int:
    """Return the number of points of the grid.

    Raises:
        InvalidInputError: Some parameters cannot be enumerated; all of them are listed.
    """
    return prod(cardinalities(config.space).values())


def grid_point(config: SweepConfig, index: int) -> dict[str, Any]:
    """Return the parameters of one point of the grid, nested; `index` counts from 0, in the order of `grid_parameters`.

    Raises:
        IndexError: The index is out of range.
        InvalidInputError: Some parameters cannot be enumerated; all of them are listed.
    """
    size = grid_size(config)
    if not 0 <= index < size:
        msg = f"index must be from 0 to {size - 1}, got {index}"
        raise IndexError(msg)
    places: dict[ParameterPath, int] = {}
    for path, cardinality in reversed(cardinalities(config.space).items()):
        index, places[path] = divmod(index, cardinality)
    choices = {path: form.choices or () for path, form in config.space.items()}
    return nest_parameters({path: choices[path][places[path]] for path in config.space})


def grid_parameters(config: SweepConfig) -> Iterator[dict[str, Any]]:
    """Iterate over every combination once, nested, in W&B's order: names sorted on each level, the last one fastest.

    The iterator is lazy, so a grid may be larger than memory.

    Raises:
        InvalidInputError: Some parameters cannot be enumerated; all of them are listed.
    """
    size = grid_size(config)
    return (grid_point(config, index) for index in range(size))


def flatten_parameters(config: SweepConfig, nested: Mapping[str, Any]) -> dict[ParameterPath, Any]:
    """Return the values of the parameters that `config` declares, by path, from nested objects.

    Anything else in `nested` is ignored: a run's config at W&B holds much that the sweep file did not declare.

    Raises:
        ValueError: Declared parameters are missing; all of them are listed.
    """
    values: dict[ParameterPath, Any] = {}
    missing: list[str] = []
    for path in config.space:
        try:
            values[path] = _value_at(nested, path)
        except LookupError:
            missing.append(parameter_label(path))
    if missing:
        msg = f"a value is missing for {', '.join(missing)}"
        raise ValueError(msg)
    return values


def _value_at(nested: Mapping[str, Any], path: ParameterPath) -> Any:
    place: Any = nested
    for name in path:
        if not isinstance(place, Mapping):
            raise LookupError(name)
        place = cast("Mapping[str, Any]", place)[name]
    return place
