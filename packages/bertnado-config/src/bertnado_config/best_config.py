"""`best_sweep_config.json`: the parameters that a sweep found best, and the metric by which they are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bertnado_metrics import Goal, Objective, metric_name_for_trainer
from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import InvalidInputError, Problem
from .field_types import Flag, GoalField, Name
from .files import read_document, write_json
from .number_parsing import non_finite_leaves, read_words
from .pydantic_errors import Vocabulary, problems_of
from .value_text import show


@dataclass(frozen=True)
class BestConfig:
    """What a best configuration says. A hand-written one may leave the metric out."""

    parameters: dict[str, Any]
    """The sampled parameters, nested as the sweep file nests them."""
    objective_name: str | None = None
    """The metric as the file spells it: `eval/roc_auc`, or `roc_auc` where only the trainer's name is given."""
    objective_goal: Goal | None = None
    """`maximize` or `minimize`."""


class _OptimizationMetric(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    goal: GoalField | None = None


class _BestFile(BaseModel):
    """The keys of the file that say what is best; all others are parameters."""

    model_config = ConfigDict(extra="allow")

    metric_for_best_model: Name | None = None
    greater_is_better: Flag | None = None
    optimization_metric: _OptimizationMetric = _OptimizationMetric()

    @property
    def goal(self) -> Goal | None:
        """The goal that `greater_is_better` means."""
        return None if self.greater_is_better is None else "maximize" if self.greater_is_better else "minimize"


BEST_METRIC_KEYS = frozenset(_BestFile.model_fields)
"""The keys of `best_sweep_config.json` that say by which metric its parameters are best."""

_VOCABULARY = Vocabulary(
    "a best configuration",
    keys={"optimization_metric": tuple(_OptimizationMetric.model_fields)},
    cures={"optimization_metric": 'write {"name": "eval/roc_auc", "goal": "maximize"}'},
)


def write_best_config(path: str | Path, parameters: Mapping[str, Any], objective: Objective) -> None:
    """Write the best parameters and their objective, atomically.

    Args:
        path: The file.
        parameters: The sampled parameters, nested. One that is named like the file's own keys about the metric
            gives way to the objective.
        objective: What the parameters are best by.

    Raises:
        OSError: The file cannot be written; what was there stays.
    """
    metric = {
        "metric_for_best_model": objective.trainer_name,
        "greater_is_better": objective.greater_is_better,
        "optimization_metric": {"name": objective.name, "goal": objective.goal},
    }
    write_json(path, dict(parameters) | metric)


def read_best_config(path: str | Path) -> BestConfig:
    """Read a best configuration, JSON or YAML by its suffix, also a hand-written one with fewer keys.

    Where every parameter is wrapped as W&B wraps them, `{"value": ...}`, the wrapping is taken off.

    Raises:
        InvalidInputError: The file cannot be read, contradicts itself or is something else.
    """
    content = read_document(path)
    try:
        file = _BestFile.model_validate(content)
    except ValidationError as error:
        problems = problems_of(error, path="", vocabulary=_VOCABULARY)
        raise InvalidInputError(problems, source=str(path)) from None
    parameters = file.model_extra or {}
    problems = [*_contradictions(file), *_foreign(parameters)]
    if problems:
        raise InvalidInputError(problems, source=str(path))
    metric = file.optimization_metric
    return BestConfig(_unwrapped(parameters), metric.name or file.metric_for_best_model, metric.goal or file.goal)


def _contradictions(file: _BestFile) -> Iterator[Problem]:
    """Yield where the metric is said twice and differently."""
    trainer_name, metric = file.metric_for_best_model, file.optimization_metric
    if trainer_name and metric.name and metric_name_for_trainer(trainer_name) != metric_name_for_trainer(metric.name):
        message = f"{trainer_name!r} contradicts optimization_metric.name {metric.name!r}; take one of them out"
        yield Problem("metric_for_best_model", message)
    if file.goal and metric.goal and file.goal != metric.goal:
        meaning = f"{show(file.greater_is_better)} means {file.goal!r}"
        message = f"{meaning}, which contradicts optimization_metric.goal {metric.goal!r}; take one of them out"
        yield Problem("greater_is_better", message)


def _foreign(parameters: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what shows that this is another kind of file, or that no trial can train with."""
    if {"method", "parameters"} <= parameters.keys():
        yield Problem("", "is a sweep file; a best configuration is the best_sweep_config.json that a sweep writes")
        return
    if {"trial", "parameters", "details"} <= parameters.keys():
        yield Problem("", "is the record of a trial; give the best_sweep_config.json beside it")
        return
    if "_wandb" in parameters:
        yield Problem("_wandb", "this is the config of a whole W&B run; keep only the parameters that the sweep chose")
    for name, value in parameters.items():
        for number in non_finite_leaves(value):
            yield Problem(name, f"must be finite, not {show(number)}")


def _unwrapped(declared: Mapping[str, Any]) -> dict[str, Any]:
    """Read what the strings spell, and take off the wrapping `{"value": ...}` where all have it."""
    parameters = cast("dict[str, Any]", read_words(declared)[0])
    if all(_is_wrapped(value) for value in parameters.values()):
        return {name: wrapped["value"] for name, wrapped in parameters.items()}
    return parameters


def _is_wrapped(value: object) -> bool:
    return isinstance(value, dict) and list(cast("dict[str, Any]", value)) == ["value"]
