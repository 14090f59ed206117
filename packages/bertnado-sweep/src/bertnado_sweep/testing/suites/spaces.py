"""Search spaces, and sweeps over them that train nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import flatten_parameters, nest_parameters, parse_sweep_config, value_key

from bertnado_sweep.records.trial import Trial
from bertnado_sweep.search.propose import propose

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bertnado_config import SweepConfig
    from bertnado_metrics import Goal

    from bertnado_sweep.records.trial import TrialState
    from bertnado_sweep.search import SearchMethod

CONTINUOUS: Mapping[str, Any] = {
    "a": {"min": 0.0, "max": 1.0},
    "b": {"distribution": "normal", "mu": 0.0, "sigma": 1.0},
}
CHOICES: Mapping[str, Any] = {"a": {"values": [1, 2, 4]}, "b": {"values": ["x", "y"]}, "c": {"value": [1, 2]}}
NESTED: Mapping[str, Any] = {
    "optimizer": {"parameters": {"lr": {"min": 0.0, "max": 1.0}}},
    "size": {"min": 1, "max": 9},
}
STEPS: Mapping[str, Any] = {
    "rate": {"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.25},
    "optimizer": {"parameters": {"name": {"values": ["adam", "sgd"]}, "nesterov": {"values": [True, False]}}},
}

SPACES: Mapping[str, Mapping[str, Any]] = {
    "continuous": CONTINUOUS,
    "choices": CHOICES,
    "nested": NESTED,
    "steps": STEPS,
    "logarithmic": {"lr": {"distribution": "log_uniform_values", "min": 1e-6, "max": 1e-2}},
    "mixed": {**CHOICES, **NESTED},
    "constant": {"c": {"value": 3}},
}
"""The `parameters` of sweep files, by name."""

FINITE_SPACES = ("choices", "steps", "constant")
"""Those whose points can be counted."""


def config_of(method: SearchMethod, parameters: Mapping[str, Any]) -> SweepConfig:
    """Return the sweep file that asks for a method over a space, even if the method is not registered."""
    config = parse_sweep_config({"method": "random", "parameters": dict(parameters)})
    return replace(config, method=method.name)


def trial_of(
    number: int, parameters: Mapping[str, Any], value: float | None = None, state: TrialState | None = None
) -> Trial:
    """Return a trial that is completed if it has a value and running otherwise, unless `state` says more."""
    state = state or ("running" if value is None else "completed")
    return Trial(number, f"trial-{number}", state, parameters, Path("trials"), "2026-11-23T00:00:00Z", value=value)


def search(
    method: SearchMethod,
    config: SweepConfig,
    count: int,
    *,
    seed: int = 0,
    goal: Goal = "maximize",
    state: TrialState | None = None,
) -> list[Trial]:
    """Return the trials of a sweep, at most `count`, one after the other.

    Args:
        method: Proposes the parameters.
        config: The space.
        count: The largest number of trials.
        seed: The seed of the sweep.
        goal: The direction that is better.
        state: The state of every trial; by default all are completed.
    """
    trials: list[Trial] = []
    for number in range(count):
        parameters = propose(config, goal, trials, number, seed, method=method)
        if parameters is None:
            break
        require_inside(config, parameters)
        has_value = state in (None, "completed", "stopped")
        trials.append(trial_of(number, parameters, score(config, parameters) if has_value else None, state))
    return trials


def score(config: SweepConfig, parameters: Mapping[str, Any]) -> float:
    """Return a number that follows from the parameters: the mean of their quantiles."""
    values = flatten_parameters(config, parameters)
    return sum(config.space[path].to_unit(value) for path, value in values.items()) / len(values)


def require_inside(config: SweepConfig, parameters: Mapping[str, Any]) -> None:
    """Check that parameters are a point of the space, with a value for each parameter and nothing else.

    Raises:
        AssertionError: They are not.
    """
    try:
        values = flatten_parameters(config, parameters)
        for path, value in values.items():
            config.space[path].to_unit(value)
    except ValueError as error:
        raise AssertionError(f"{parameters} is outside of the space: {error}") from None
    assert nest_parameters(values) == parameters, "a proposal must have the declared parameters and no others"


def keys_of(points: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a text for each point; two points have the same one only if they are equal."""
    return [value_key(point) for point in points]


def points_of(trials: Sequence[Trial]) -> list[str]:
    """Return a text for the parameters of each trial."""
    return keys_of(trial.parameters for trial in trials)
