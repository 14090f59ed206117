"""The trials that a sweep may propose, as far as their training arguments differ."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from bertnado_config import nest_parameters, parameter_label, sample_parameters

from .parameter_checks import typical_values
from .parameters.namespaces import convert_parameters, namespace_of

if TYPE_CHECKING:
    from bertnado_config import ParameterPath, SweepConfig

_SAMPLES = 64
_MOST_COMBINATIONS = 4096


def distinct_trials(config: SweepConfig) -> tuple[list[Mapping[str, Any]], set[str]]:
    """Return parameters of possible trials, and every target whose value varies among them.

    Trials that differ only in parameters without interaction are returned once.
    """
    distinct: dict[str, Mapping[str, Any]] = {}
    values: defaultdict[str, set[str]] = defaultdict(set)
    for parameters in _possible_trials(config):
        try:
            converted = convert_parameters(parameters)
        except ValueError as error:  # making the training arguments reports it
            distinct.setdefault(str(error), parameters)
            continue
        for parameter in converted:
            values[parameter.target].add(repr(parameter.value))
        related = {p.target: p.value for p in converted if p.namespace.interaction(p.name) != "none"}
        distinct.setdefault(repr(sorted(related.items())), parameters)
    return list(distinct.values()), {target for target, seen in values.items() if len(seen) > 1}


def _possible_trials(config: SweepConfig) -> Iterator[Mapping[str, Any]]:
    """Sample trials, with every combination of the parameters that decide the schedule."""
    rng = np.random.default_rng(0)
    scheduling = {path: typical_values(parameter) for path, parameter in config.space.items() if _is_scheduling(path)}
    combinations = list(itertools.islice(itertools.product(*scheduling.values()), _MOST_COMBINATIONS))
    for index in range(max(_SAMPLES, len(combinations))):
        sampled = sample_parameters(config, rng)
        chosen = dict(zip(scheduling, combinations[index % len(combinations)], strict=True))
        yield _merge(sampled, nest_parameters(chosen))


def _is_scheduling(path: ParameterPath) -> bool:
    name = parameter_label(path)
    try:
        return namespace_of(name).interaction(name) == "schedule"
    except ValueError:  # an object of parameters
        return False


def _merge(base: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in other.items():
        inner = merged.get(name)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[name] = _merge(inner, value) if both else value  # pyright: ignore[reportArgumentType]
    return merged
