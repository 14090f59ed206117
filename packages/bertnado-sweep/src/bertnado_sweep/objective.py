"""What a sweep optimises, where its file alone says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertnado_metrics import TASKS, Goal, Objective, Task, metric_name_for_trainer, resolve_objective

if TYPE_CHECKING:
    from bertnado_config import SweepConfig


def objective_of(
    task: str | Task | None, config: SweepConfig, metric_name: str | None = None, metric_goal: Goal | None = None
) -> Objective:
    """Return the objective from the arguments, the sweep file and the task, in this order.

    Raises:
        ValueError: It is unknown, or the task does not compute it.
    """
    if task is None and metric_name is None:
        return declared_objective(config)
    declared = config.metric
    return resolve_objective(
        task if isinstance(task, str) else task.name if task else "",
        metric_name,
        metric_goal,
        declared_name=declared.name if declared else None,
        declared_goal=declared.goal if declared else None,
    )


def declared_objective(config: SweepConfig) -> Objective:
    """The file's metric, under the name that it has there.

    A goal that the file leaves out is the one of bertnado_metrics' metric of that name.

    Raises:
        ValueError: The file names no metric, or one whose goal nobody knows.
    """
    if config.metric is None:
        raise ValueError('the file names no metric; write "metric": {"name": ..., "goal": "maximize" or "minimize"}')
    goal = config.metric.goal or _known_goal(config.metric.name)
    if goal is None:
        raise ValueError(f"{config.metric.name!r} has no goal; write maximize or minimize as the metric's goal")
    return Objective(config.metric.name, goal)


def _known_goal(name: str) -> Goal | None:
    bare = metric_name_for_trainer(name)
    goals: set[Goal] = {task.metrics[bare].goal for task in TASKS.values() if bare in task.metrics}
    return goals.pop() if len(goals) == 1 else None
