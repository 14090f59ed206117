"""Checks of a sweep's parameters that need neither the model nor the dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertnado_config import Problem, nest_parameters, parameter_label, parameter_place

from .model_config import field_meant_by
from .parameters.model_config_names import is_dropout
from .parameters.namespaces import is_understood, named_values, namespace_of, object_parameter, target_of
from .parameters.training_argument_rules import REPEATED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bertnado_config import Parameter, ParameterPath, SweepConfig
    from bertnado_metrics import Task
    from transformers import PreTrainedConfig

_MOST_CHOICES = 12
"""Of a parameter with more values, only some are tried."""


def parameter_problems(
    config: SweepConfig, task: Task, find_config: Callable[[], PreTrainedConfig | None] = lambda: None
) -> list[Problem]:
    """Report unknown names, values that a parameter cannot take, and parameters that contradict each other.

    Args:
        config: The sweep.
        task: The task of the model.
        find_config: Reads the model's configuration, for the name of a field that a parameter stands for.
    """
    problems: list[Problem] = []
    place_of_target: dict[str, str] = {}
    managed: set[str] = set()
    values_of: dict[str, list[Any]] = {}
    for path, parameter in config.space.items():
        place = parameter_place(path)
        for name, value in named_values_of(path, parameter):
            problem = _problem_with(name, value, task, find_config) or _contradiction(name, path, place_of_target)
            if problem:
                problems.append(Problem(place, problem))
                break
            values_of.setdefault(target_of(name), []).append(value)
            if namespace_of(name).is_managed(name):
                managed.add(name)
    managed = {name for name in managed if not _is_repeated(target_of(name), values_of)}
    if managed:
        message = f"ignored, because BertNado sets them itself: {', '.join(sorted(managed))}"
        problems.append(Problem("parameters", message, "warning"))
    return problems


def _is_repeated(target: str, values_of: Mapping[str, list[Any]]) -> bool:
    """Return whether an ignored name has the one value of the field that has its effect."""
    values = values_of[target]
    return len(values) == 1 and values == values_of.get(REPEATED.get(target, ""))


def swept_targets(config: SweepConfig) -> set[str]:
    """Return everything that the parameters of a sweep set, see `ParameterNamespace.target`."""
    return {target_of(name) for path, parameter in config.space.items() for name, _ in named_values_of(path, parameter)}


def typical_values_of(config: SweepConfig, target: str) -> list[Any]:
    """Return typical values of the parameter that sets `target`, converted; empty if the sweep does not set it."""
    return [
        namespace_of(name).convert(name, value)
        for path, parameter in config.space.items()
        for name, value in named_values_of(path, parameter)
        if target_of(name) == target
    ]


def typical_values(parameter: Parameter) -> list[Any]:
    """Return all values of a parameter with few choices, otherwise some across its range, including the ends."""
    if parameter.choices is not None and len(parameter.choices) <= _MOST_CHOICES:
        return list(parameter.choices)
    return [parameter.from_unit(u) for u in (0.0, 0.25, 0.5, 0.75, 1.0)]


def named_values_of(path: ParameterPath, parameter: Parameter) -> Iterator[tuple[str, Any]]:
    """Yield the names that a parameter of the sweep file stands for, with typical values."""
    whole = object_parameter(path)
    entry = path[len(whole) :]
    for value in typical_values(parameter):
        yield from named_values({parameter_label(whole): nest_parameters({entry: value}) if entry else value})


def _problem_with(name: str, value: Any, task: Task, find_config: Callable[[], PreTrainedConfig | None]) -> str | None:
    try:
        namespace = namespace_of(name)
    except ValueError as error:
        return _field_instead(name, find_config) or str(error)
    try:
        if namespace.is_managed(name):
            return None
        return namespace.problem_with(name, namespace.convert(name, value), task)
    except ValueError as error:
        return str(error)


def _field_instead(name: str, find_config: Callable[[], PreTrainedConfig | None]) -> str | None:
    """Return which field of the model's configuration an unknown name stands for, unless it has another meaning."""
    if is_understood(name) and not is_dropout(name):
        return None
    config = find_config()
    meant = None if config is None else field_meant_by(config, name)
    return meant and f"{name!r} is not a parameter of a trial: {meant}"


def _contradiction(name: str, path: ParameterPath, place_of_target: dict[str, str]) -> str | None:
    """Return how a parameter contradicts an earlier one; record its target."""
    if namespace_of(name).is_managed(name):
        return None
    target, place = target_of(name), parameter_place(object_parameter(path))
    earlier = place_of_target.setdefault(target, place)
    return None if earlier == place else f"{earlier} sets {target!r} as well; keep one of them"
