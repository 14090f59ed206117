"""Parameters whose best values lie at an edge of their range, so that better ones may lie beyond it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from bertnado_config import flatten_parameters, parameter_label

from bertnado_sweep.records.best import ranked_trials

from .past_trials import points_among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_config import Parameter, SweepConfig
    from bertnado_metrics import Objective

    from bertnado_sweep.records.trial import Trial

Side = Literal["lower", "upper"]

_FEWEST_TRIALS, _FEWEST_BEST, _FEWEST_VALUES = 8, 3, 3
"""With fewer trials, or fewer values to choose from, the best is often at an edge by chance."""

_TENTH, _THIRD = 0.1, 1 / 3

_MOST_ENUMERATED = 20
"""A parameter with more values counts as continuous."""

_NATURAL_LIMITS = (0.0, 1.0)
"""Limits beyond which most parameters have no values: rates, shares, counts."""


def edge_notes(config: SweepConfig, trials: Sequence[Trial], objective: Objective) -> list[str]:
    """Return a line for each parameter whose best values lie at an edge that can be moved.

    They do if the best trial lies in the outer tenth of the range, and three in four of the best quarter of the trials
    lie in the outer third on that side. Of parameters without effect, at most about 1 in 20 do so by chance.

    Args:
        config: The sweep file.
        trials: All trials of the sweep.
        objective: The objective of the sweep.
    """
    ranked = ranked_trials(points_among(config, trials), objective)
    if len(ranked) < _FEWEST_TRIALS:
        return []
    best = ranked[: max(len(ranked) // 4, _FEWEST_BEST)]
    values = [flatten_parameters(config, trial.parameters) for trial in best]
    notes = [
        _note(parameter_label(path), parameter, [point[path] for point in values])
        for path, parameter in config.space.items()
    ]
    return [note for note in notes if note]


def _note(name: str, parameter: Parameter, values: Sequence[Any]) -> str | None:
    """Return the line for a parameter, if its values in the best trials, best first, lie at an edge."""
    bounds, count = parameter.bounds, parameter.cardinality
    if bounds is None or (count is not None and count < _FEWEST_VALUES):
        return None
    places = [_place(parameter, value) for value in values]
    side = _side(places)
    if side is None:
        return None
    edge = bounds[0] if side == "lower" else bounds[1]
    if math.isinf(edge) or edge in _NATURAL_LIMITS:
        return None
    way = "below" if side == "lower" else "above"
    space = f"{bounds[0]:.4g} to {bounds[1]:.4g}"
    return (
        f"the best trials lie at the {side} edge of {name}, the best at {values[0]:.4g} of {space}; "
        f"widen it, better values may lie {way} {edge:.4g}"
    )


def _place(parameter: Parameter, value: Any) -> float:
    """Return where a value lies in the range, from 0 to 1."""
    choices = parameter.choices
    if choices is None or len(choices) > _MOST_ENUMERATED:
        return parameter.to_unit(value)
    return sorted(choices).index(value) / (len(choices) - 1)


def _side(places: Sequence[float]) -> Side | None:
    """Return the edge at which places lie, best first."""
    from_lower = places[0] <= 0.5
    distances = [place if from_lower else 1 - place for place in places]
    near = sum(distance <= _THIRD for distance in distances)
    if distances[0] > _TENTH or near < 3 * len(places) / 4:
        return None
    return "lower" if from_lower else "upper"
