"""A sweep's parameters as Optuna's distributions, so that Optuna's tools can read its trials.

Optuna has three distributions: floats, integers and choices. A form that is none of them is stored as the one that
shows its values best. Only Optuna's tools look at these: a sweep itself goes by the record of a trial alone.
"""

from __future__ import annotations

import json
import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bertnado_config import (
    InvalidInputError,
    flatten_parameters,
    nest_parameters,
    parameter_label,
    parse_sweep_config,
    value_key,
)
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.trial import TrialState, create_trial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertnado_config import Parameter, ParameterPath, SweepConfig

_LARGEST_INTEGER = 2**53
"""Optuna keeps every value as a float, which holds integers up to here exactly."""

_MOST_STEPS = 1e7
"""Optuna accepts a value as a multiple of the step within 1e-8 steps, which rounding errors exceed farther out."""

_LISTED = ("constant", "categorical", "categorical_w_probabilities")


class StudySpace:
    """The search space of a study: the distribution of each parameter, by its label."""

    def __init__(self, config: SweepConfig) -> None:
        """Describe the space of a sweep file."""
        self._config = config
        self._stored = {path: _stored_choices(parameter) for path, parameter in config.space.items()}
        self.distributions: Mapping[str, BaseDistribution] = {
            parameter_label(path): self._distribution(path, parameter) for path, parameter in config.space.items()
        }

    @classmethod
    def of_section(cls, parameters: Mapping[str, Any]) -> StudySpace | None:
        """Describe the space of the section `parameters` of a sweep file; None if this version cannot read it."""
        try:
            return cls(parse_sweep_config({"method": "random", "parameters": parameters}))
        except InvalidInputError:
            return None

    @property
    def section(self) -> Mapping[str, Any]:
        """The section `parameters` of the sweep file."""
        return self._config.to_wandb()["parameters"]

    def is_same(self, other: StudySpace) -> bool:
        """Return True if both have the same parameters with the same choices, kinds, scales and ranges."""
        return self._key == other._key

    @cached_property
    def _key(self) -> Mapping[str, str]:
        """Each distribution as JSON, which unlike `==` tells True, 1 and 1.0 apart."""
        return {label: distribution_to_json(distribution) for label, distribution in self.distributions.items()}

    def values_of(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return a trial's values as the study holds them, by label; empty if they are not a point of the space.

        Args:
            parameters: As they are recorded, nested as the sweep file nests them.
        """
        try:
            found = flatten_parameters(self._config, parameters)
            if value_key(nest_parameters(found)) != value_key(parameters):  # it has parameters that are not declared
                return {}
            values = {parameter_label(path): self._value(path, value) for path, value in found.items()}
            create_trial(state=TrialState.RUNNING, params=values, distributions=dict(self.distributions))
        except (ValueError, KeyError):
            return {}
        return values

    def _distribution(self, path: ParameterPath, parameter: Parameter) -> BaseDistribution:
        stored = self._stored[path]
        return _range(parameter) if stored is None else CategoricalDistribution(tuple(stored.values()))

    def _value(self, path: ParameterPath, value: Any) -> Any:
        stored = self._stored[path]
        return value if stored is None else stored[value_key(value)]


def _stored_choices(parameter: Parameter) -> dict[str, Any] | None:
    """Return the stored form of each listed value, by its key; None for a range.

    Optuna stores strings, numbers, booleans and None. Lists and objects are stored as JSON. If two of the choices are
    equal for Python, and so for Optuna, but not the same, such as True and 1, all of them are stored as JSON.
    """
    if parameter.distribution not in _LISTED:
        return None
    choices = list(parameter.choices or ())
    stored = [choice if isinstance(choice, str | int | float | None) else _json(choice) for choice in choices]
    if any(choice in stored[:place] for place, choice in enumerate(stored)):
        stored = [_json(choice) for choice in choices]
    return dict(zip(map(value_key, choices), stored, strict=True))


def _range(parameter: Parameter) -> BaseDistribution:
    """Return the range of the values that are proposed, on the scale and with the steps that Optuna can express."""
    low, high = _ends(parameter)
    step: float | None = getattr(parameter, "q", None)
    is_log = "log" in parameter.distribution and low > 0
    if isinstance(low, int) and isinstance(high, int) and max(-low, high) <= _LARGEST_INTEGER:
        return IntDistribution(low, high, log=True) if is_log else IntDistribution(low, high, step=int(step or 1))
    if is_log or step is None or max(-low, high) / step > _MOST_STEPS:
        return FloatDistribution(low, high, log=is_log)
    return FloatDistribution(low, high, step=step)


def _ends(parameter: Parameter) -> tuple[float, float]:
    """Return the smallest and the largest value that is proposed: the bounds, or where the form has none, the cut."""
    low, high = parameter.bounds or (-math.inf, math.inf)
    is_open = not math.isfinite(low) or (low == 0 and "log" in parameter.distribution)
    return (
        parameter.from_unit(0.0) if is_open else low,
        high if math.isfinite(high) else parameter.from_unit(1.0),
    )


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
