"""The one metric that a sweep optimises, and which of its values are better."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast, get_args

from .metric import Goal
from .metric_names import metric_name_for_trainer, reported_metric_name, unknown_metric
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
"""How words begin that mean a goal."""


@dataclass(frozen=True)
class Objective:
    """A metric's name and its goal.

    Any name will do: a trainer may report numbers that no task of this package knows.
    """

    name: str
    """As it is reported: `eval/roc_auc`."""
    goal: Goal

    def __post_init__(self) -> None:
        _checked_goal(self.goal)

    @property
    def trainer_name(self) -> str:
        """The name as the Hugging Face `Trainer` takes it in `metric_for_best_model`: `roc_auc`."""
        return metric_name_for_trainer(self.name)

    @property
    def greater_is_better(self) -> bool:
        """Whether higher values are better."""
        return self.goal == "maximize"

    def is_better(self, value: float | None, other: float | None) -> bool:
        """Say whether `value` is strictly better than `other`.

        None, NaN and infinities are no values: they are never better, and every finite number is better than
        any of them.
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
    """Find the objective of a sweep.

    Name and goal come as a pair from the strongest source that names a metric: the argument, the sweep file,
    the task's default. A goal that this source leaves open is the metric's own direction.

    Args:
        task: The task or its name; `None` if the trainer has no task. Any metric name will do then, and stays as it is
            written; its goal must be given, unless all tasks that compute a metric of that name agree on it.
        metric_name: The flag or argument, with or without the prefix `eval/`.
        metric_goal: The flag or argument; it overrides the goal of any source, even against the metric's
            direction.
        declared_name: The name in the sweep file.
        declared_goal: The goal in the sweep file; where the file has no name, the default's.

    Raises:
        ValueError: The task or the metric is unknown, a goal is neither `maximize` nor `minimize`, or the
            declared goal is against the metric's direction and no `metric_goal` says that it is meant. Without a
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
        raise ValueError(unknown_metric(named, task))
    return _objective_of(task.metrics[bare], metric_goal, declared_goal)


def _objective_without_task(name: str | None, goal: str | None) -> Objective:
    if name is None:
        raise ValueError('the file names no metric; write "metric": {"name": ..., "goal": "maximize" or "minimize"}')
    bare = metric_name_for_trainer(name)
    goals: set[Goal] = {task.metrics[bare].goal for task in TASKS.values() if bare in task.metrics}
    if goal is None and len(goals) != 1:
        raise ValueError(f"{name!r} has no goal; write maximize or minimize as the metric's goal")
    return Objective(name, goals.pop() if goal is None else _checked_goal(goal))


def _objective_of(metric: Metric, metric_goal: str | None, declared_goal: str | None) -> Objective:
    name = reported_metric_name(metric.name)
    if metric_goal is not None:
        return Objective(name, _checked_goal(metric_goal))
    if declared_goal is not None and _checked_goal(declared_goal) != metric.goal:
        better = "higher" if metric.goal == "maximize" else "lower"
        raise ValueError(
            f"goal {declared_goal!r} is against metric {name!r}, of which {better} values are better; "
            f"write {metric.goal!r}, leave the goal out, or confirm it with --metric-goal {declared_goal}"
        )
    return Objective(name, metric.goal)


def _checked_goal(goal: object) -> Goal:
    if goal in _GOALS:
        return cast("Goal", goal)
    suggestion = _nearest_goal(str(goal))
    hint = f"; did you mean {suggestion!r}?" if suggestion else ""
    raise ValueError(f"goal {goal!r} is neither 'maximize' nor 'minimize'{hint}")


def _nearest_goal(text: str) -> str | None:
    """Find the goal that `text`, perhaps a sentence ("higher is better"), speaks of."""
    for goal, beginnings in _SPOKEN_GOALS.items():
        if re.search(rf"\b({beginnings})", text.casefold()):
            return goal
    words = re.findall("[a-z]+", text.casefold())
    return next((goal for goal in (nearest(word, _GOALS) for word in words) if goal), None)
