"""The objective of a sweep: the metric that it optimises, and the goal."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast, get_args

from .metric import Goal
from .metric_names import explain_unknown_metric, metric_name_for_trainer, reported_metric_name
from .suggestions import nearest
from .tasks import TASKS, Task, get_task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .metric import Metric

_GOALS: tuple[str, ...] = get_args(Goal)
_SPOKEN_GOALS = {
    "maximize": "asc|big|great|high|increas|larg|up",
    "minimize": "decreas|desc|down|few|less|low|small",
}
"""Beginnings of words that mean a goal."""


@dataclass(frozen=True)
class Objective:
    """A metric's name and its goal.

    Any name is valid: a trainer may report metrics that no task of this package computes.
    """

    name: str
    """The name under which the metric is reported: `eval/roc_auc`."""
    goal: Goal
    """`maximize` or `minimize`."""

    def __post_init__(self) -> None:
        _check_goal(self.goal)

    @property
    def trainer_name(self) -> str:
        """The name as the Hugging Face `Trainer` takes it in `metric_for_best_model`: `roc_auc`."""
        return metric_name_for_trainer(self.name)

    @property
    def greater_is_better(self) -> bool:
        """True if higher values are better."""
        return self.goal == "maximize"

    def is_better(self, value: float | None, other: float | None) -> bool:
        """Return whether `value` is strictly better than `other`.

        None, NaN and infinities are never better, and every finite number is better than any of them.
        """
        if value is None or not math.isfinite(value):
            return False
        if other is None or not math.isfinite(other):
            return True
        return value > other if self.greater_is_better else value < other

    def best_index(self, values: Iterable[float | None]) -> int | None:
        """Return the index of the best value, the first of several equal ones; `None` if no value is finite."""
        best_index, best = None, None
        for index, value in enumerate(values):
            if self.is_better(value, best):
                best_index, best = index, value
        return best_index


def resolve_objective(
    task: str | Task | None,
    metric_name: str | None = None,
    metric_goal: str | None = None,
    *,
    declared_name: str | None = None,
    declared_goal: str | None = None,
) -> Objective:
    """Return the objective of a sweep.

    Name and goal come as a pair from the strongest source that names a metric: the argument, the sweep file,
    the task's default. A goal that this source does not give is the metric's own direction.

    Args:
        task: The task or its name; `None` if the trainer has no task. Any metric name is valid then and stays as it is
            written; its goal must be given, unless all tasks that compute a metric of that name agree on it.
        metric_name: The argument, with or without the prefix `eval/`.
        metric_goal: The argument; it overrides the goal of any source, even against the metric's direction.
        declared_name: The name in the sweep file.
        declared_goal: The goal in the sweep file; without a name there, it is the goal of the default metric.

    Raises:
        ValueError: The task or the metric is unknown, a goal is neither `maximize` nor `minimize`, or the
            declared goal contradicts the metric's direction and `metric_goal` does not confirm it. Without a
            task: no metric is named, or its goal is neither given nor known.
    """
    named = declared_name if metric_name is None else metric_name
    if metric_name is not None:
        declared_goal = None
    if task is None:
        return _objective_without_task(named, declared_goal if metric_goal is None else metric_goal)
    task = get_task(task)
    named = task.default_objective if named is None else named
    bare = metric_name_for_trainer(named)
    if bare not in task.metrics:
        raise ValueError(explain_unknown_metric(named, task))
    return _objective_of(task.metrics[bare], metric_goal, declared_goal)


def _objective_without_task(name: str | None, goal: str | None) -> Objective:
    if name is None:
        raise ValueError('a metric is required; write "metric": {"name": ..., "goal": "maximize" or "minimize"}')
    bare = metric_name_for_trainer(name)
    goals: set[Goal] = {task.metrics[bare].goal for task in TASKS.values() if bare in task.metrics}
    if goal is None and len(goals) != 1:
        raise ValueError(f"metric {name!r} needs a goal; write maximize or minimize as the metric's goal")
    return Objective(name, goals.pop() if goal is None else _check_goal(goal))


def _objective_of(metric: Metric, metric_goal: str | None, declared_goal: str | None) -> Objective:
    name = reported_metric_name(metric.name)
    if metric_goal is not None:
        return Objective(name, _check_goal(metric_goal))
    if declared_goal is not None and _check_goal(declared_goal) != metric.goal:
        better = "higher" if metric.goal == "maximize" else "lower"
        raise ValueError(
            f"goal {declared_goal!r} contradicts metric {name!r}, of which {better} values are better; "
            f"write {metric.goal!r}, omit the goal, or confirm it with --metric-goal {declared_goal}"
        )
    return Objective(name, metric.goal)


def _check_goal(goal: object) -> Goal:
    if goal in _GOALS:
        return cast("Goal", goal)
    suggestion = _nearest_goal(str(goal))
    hint = f"; did you mean {suggestion!r}?" if suggestion else ""
    raise ValueError(f"goal must be 'maximize' or 'minimize', got {goal!r}{hint}")


def _nearest_goal(text: str) -> str | None:
    """Return the goal that `text`, perhaps a sentence ("higher is better"), refers to."""
    for goal, beginnings in _SPOKEN_GOALS.items():
        if re.search(rf"\b({beginnings})", text.casefold()):
            return goal
    words = re.findall("[a-z]+", text.casefold())
    return next((goal for goal in (nearest(word, _GOALS) for word in words) if goal), None)
