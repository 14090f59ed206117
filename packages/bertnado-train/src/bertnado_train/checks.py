"""What can be known to be wrong with a sweep's parameters before the first trial, and what trials will do."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import torch
from bertnado_config import Precision, Problem, nest_parameters, parameter_label, parameter_place, sample_parameters

from .arguments import differences_from_defaults, effective_arguments, gpu_has_bf16, plan_steps
from .grouping import LengthGrouping, measure_grouping
from .parameters.namespaces import convert_parameters, named_values, namespace_of, target_of
from .prepared import TRAIN

if TYPE_CHECKING:
    from bertnado_config import Parameter, ParameterPath, SweepConfig
    from bertnado_metrics import Objective, Task

    from .trial import Setting

_SAMPLES = 64
"""Combinations of parameters that are tried out."""
_MANY = 12
"""A parameter with more values than this is looked at in a few places only."""


@dataclass(frozen=True)
class SweepPlan:
    """What the trials of a sweep will do, as far as its parameters decide it."""

    steps: tuple[int, int]
    """Optimiser steps of a trial, the fewest and the most."""
    evaluations: tuple[int, int]
    """Evaluations of a trial, the fewest and the most."""
    arguments: Mapping[str, Any]
    """The effective arguments that every trial shares and that differ from the defaults of transformers."""
    dataset: Mapping[str, Any]
    """What is recorded of the dataset."""
    grouping: LengthGrouping
    """What grouping by length comes to, at the largest batch."""
    is_grouped: bool
    """Whether some trial groups its rows by length."""


def check_parameters(config: SweepConfig, task: Task) -> list[Problem]:
    """Report every parameter with an unknown name, and every value that its parameter cannot take."""
    problems: list[Problem] = []
    place_of_target: dict[str, str] = {}
    ignored: set[str] = set()
    for path, parameter in config.space.items():
        place = parameter_place(path)
        for name, value in _values_at(path, parameter):
            problem = _problem_with(name, value, task) or _contradiction(name, place, place_of_target)
            if problem:
                problems.append(Problem(place, problem))
                break
            if namespace_of(name).is_managed(name):
                ignored.add(name)
    if ignored:
        message = f"ignored, because BertNado decides it: {', '.join(sorted(ignored))}"
        problems.append(Problem("parameters", message, "warning"))
    return problems


def check_precision(config: SweepConfig, precision: Precision) -> list[Problem]:
    """Say why trials cannot compute in `precision`, here or beside what the sweep file says of it."""
    if precision == "auto":
        return []
    if precision not in get_args(Precision):
        message = f"{precision!r} is no precision; {', '.join(get_args(Precision))} are"
        return [Problem("precision", message)]
    own = {target_of(name) for path, parameter in config.space.items() for name, _ in _values_at(path, parameter)}
    said = sorted({"bf16", "fp16"} & own)
    if said:
        message = f"--precision {precision} and the sweep file's {' and '.join(said)} both decide it; keep one of them"
        return [Problem("precision", message)]
    if precision == "fp16" and not torch.cuda.is_available():
        message = "fp16 needs a GPU, and none is visible here; use auto, fp32 or bf16"
        return [Problem("precision", message)]
    if precision == "bf16" and torch.cuda.is_available() and not gpu_has_bf16():
        message = f"{torch.cuda.get_device_name()} does not compute in bf16; use auto, fp32 or fp16"
        return [Problem("precision", message)]
    return []


def try_arguments(
    config: SweepConfig, objective: Objective, setting: Setting
) -> tuple[SweepPlan | None, list[Problem]]:
    """Build the training arguments of possible trials, each distinct set once: what transformers refuses, and the plan.

    Args:
        config: A sweep file without problems of its own.
        objective: What trials are judged by.
        setting: What they share.
    """
    rows = len(setting.dataset.splits[TRAIN])
    refused: dict[str, None] = {}
    plans, effective = [], []
    batches: list[tuple[int, int]] = []
    is_grouped = False
    distinct, varied = _distinct_trials(config)
    for parameters in distinct:
        try:
            arguments = setting.training_arguments(parameters, objective, "unused")
        except ValueError as error:
            refused.setdefault(str(error))
            continue
        plans.append(plan_steps(arguments, rows))
        effective.append(effective_arguments(arguments))
        batches.append((arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps))
        is_grouped = is_grouped or arguments.train_sampling_strategy == "group_by_length"
    problems = [Problem("parameters", reason) for reason in refused]
    if not plans:
        return None, problems
    shared = {
        name: value
        for name, value in effective[0].items()
        if name not in varied and all(other[name] == value for other in effective)
    }
    steps, evaluations = [plan.steps for plan in plans], [plan.evaluations for plan in plans]
    plan = SweepPlan(
        steps=(min(steps), max(steps)),
        evaluations=(min(evaluations), max(evaluations)),
        arguments=differences_from_defaults(shared),
        dataset=setting.dataset.summary,
        grouping=measure_grouping(setting.dataset.splits[TRAIN], *max(batches)),
        is_grouped=is_grouped,
    )
    return plan, problems + _plan_warnings(config, plan)


def _plan_warnings(config: SweepConfig, plan: SweepPlan) -> list[Problem]:
    warnings: list[Problem] = []
    few, many = plan.evaluations
    if few == 1:
        whose = "every trial" if many == 1 else "some trial"
        warnings.append(
            Problem(
                "parameters.eval_steps",
                f"{whose} has a single evaluation, so its best checkpoint is its last; "
                f"evaluate more often (the shortest trial has {plan.steps[0]} steps)",
                "warning",
            )
        )
    if plan.is_grouped and plan.grouping.is_biased:
        warnings.append(
            Problem(
                "parameters.train_sampling_strategy",
                f"length goes with the label here: in batches of {plan.grouping.batch} rows of like length, the batch "
                f"alone explains {plan.grouping.label_share:.0%} of the labels, so steps see one kind of row after the "
                f"other; leave grouping by length out",
                "warning",
            )
        )
    first = config.early_terminate.first_evaluation if config.early_terminate else None
    if first is not None and first > many:
        warnings.append(
            Problem(
                "early_terminate.min_iter",
                f"it is {first}, but no trial has more than {many} evaluations, so none is ever stopped early; "
                f"lower it or evaluate more often",
                "warning",
            )
        )
    return warnings


def _problem_with(name: str, value: Any, task: Task) -> str | None:
    try:
        namespace = namespace_of(name)
        if namespace.is_managed(name):
            return None
        return namespace.problem_with(name, namespace.convert(name, value), task)
    except ValueError as error:
        return str(error)


def _contradiction(name: str, place: str, place_of_target: dict[str, str]) -> str | None:
    """Return how the parameter contradicts an earlier one, and note what it sets."""
    if namespace_of(name).is_managed(name):
        return None
    target = target_of(name)
    earlier = place_of_target.setdefault(target, place)
    return None if earlier == place else f"{earlier} sets {target!r} as well; keep one of them"


def _values_at(path: ParameterPath, parameter: Parameter) -> Iterator[tuple[str, Any]]:
    """Yield the names that one parameter of the file stands for, with values that it can take."""
    for value in _some_values(parameter):
        yield from named_values({parameter_label(path): value})


def _some_values(parameter: Parameter) -> list[Any]:
    """Return all values of a parameter that has few, otherwise some, the ends among them."""
    if parameter.choices is not None and len(parameter.choices) <= _MANY:
        return list(parameter.choices)
    return [parameter.from_unit(u) for u in (0.0, 0.25, 0.5, 0.75, 1.0)]


def _possible_trials(config: SweepConfig) -> Iterator[Mapping[str, Any]]:
    """Sample trials, and go through what decides the number of steps in all combinations."""
    rng = np.random.default_rng(0)
    scheduling = {path: _some_values(parameter) for path, parameter in config.space.items() if _is_scheduling(path)}
    combinations = list(itertools.islice(itertools.product(*scheduling.values()), 4096))
    for index in range(max(_SAMPLES, len(combinations))):
        sampled = sample_parameters(config, rng)
        chosen = dict(zip(scheduling, combinations[index % len(combinations)], strict=True))
        yield _merge(sampled, nest_parameters(chosen))


def _distinct_trials(config: SweepConfig) -> tuple[list[Mapping[str, Any]], set[str]]:
    """Sample trials that differ in more than independent parameters, and name every target whose value varies."""
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
