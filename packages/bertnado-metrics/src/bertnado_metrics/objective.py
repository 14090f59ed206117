"""The one metric that a sweep optimises, and which of its values are better."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import cast, get_args

from .metric import Goal
from .metric_names import PREFIX, metric_name_for_trainer, unknown_metric
from .names import nearest
from .tasks import get_task

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


def resolve_objective(
    task_type: str,
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
        task_type: The task's name.
        metric_name: The flag or argument, with or without the prefix `eval/`.
        metric_goal: The flag or argument; it overrides the goal of any source, even against the metric's
            direction.
        declared_name: The name in the sweep file.
        declared_goal: The goal in the sweep file; where the file has no name, the default's.

    Raises:
        ValueError: The task or the metric is unknown, a goal is neither `maximize` nor `minimize`, or the
            declared goal is against the metric's direction and no `metric_goal` says that it is meant.
    """
    task = get_task(task_type)
    named = next((name for name in (metric_name, declared_name) if name is not None), task.default_objective)
    bare = metric_name_for_trainer(named)
    if bare not in task.metrics:
        raise ValueError(unknown_metric(named, task))
    metric = task.metrics[bare]
    name = PREFIX + metric.name
    if metric_goal is not None:
        return Objective(name, _checked_goal(metric_goal))
    if metric_name is not None or declared_goal is None:
        return Objective(name, metric.goal)
    if _checked_goal(declared_goal) != metric.goal:
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
