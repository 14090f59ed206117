"""Past trials as a search sees them: the file may have been changed since, so that some lie outside its space."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from bertnado_config import value_key

from .space import project

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bertnado_config import SweepConfig

    from bertnado_sweep.records.trial import Trial


class _Place(NamedTuple):
    """The place of a trial in a space."""

    point: dict[str, Any] | None
    """The point that has its values; None if it lies outside."""
    is_exact: bool
    """True if the trial has these parameters and no others."""


_places: dict[str, dict[str, _Place]] = {}
"""Places by space and parameters: a long sweep asks for the same ones at each step."""


def is_point(config: SweepConfig, trial: Trial) -> bool:
    """Return True if a trial's parameters are those of the space, each with a value that the space contains."""
    return _place(config, space_key(config), trial).is_exact


def points_among(config: SweepConfig, trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials that are points of the space, see `is_point`."""
    key = space_key(config)
    return [trial for trial in trials if _place(config, key, trial).is_exact]


def projected(config: SweepConfig, trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials with the parameters of the space alone, see `project`; those that lie outside are left out."""
    key = space_key(config)
    places = [(trial, _place(config, key, trial)) for trial in trials]
    return [
        trial if place.is_exact else replace(trial, parameters=place.point)
        for trial, place in places
        if place.point is not None
    ]


def space_key(config: SweepConfig) -> str:
    """Return a text that two sweep files share if and only if they have the same parameters, in whatever order."""
    return repr(sorted(config.space.items()))


def _place(config: SweepConfig, key: str, trial: Trial) -> _Place:
    if key not in _places:
        _places.clear()  # the trials of another sweep are not asked for again
    known = _places.setdefault(key, {})
    if trial.parameters_key not in known:
        found = project(config, trial.parameters)
        known[trial.parameters_key] = _Place(found, found is not None and value_key(found) == trial.parameters_key)
    return known[trial.parameters_key]
