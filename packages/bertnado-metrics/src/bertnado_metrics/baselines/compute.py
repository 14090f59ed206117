"""The table of baselines: each is fitted to training rows and evaluated on others."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertnado_metrics.compute import compute_metrics
from bertnado_metrics.lazy_imports import scipy_sparse, sklearn_linear_model, sklearn_metrics
from bertnado_metrics.tasks import Task, get_task

from .protocol import Problem
from .registry import BASELINES
from .rows import MOST_EVALUATED, MOST_TRAINED, Rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .protocol import Baseline


@dataclass(frozen=True)
class BaselineResult:
    """A baseline and its metrics."""

    name: str
    description: str
    settings: Mapping[str, Any]
    """What was chosen on the training rows."""
    seconds: float
    metrics: Mapping[str, Mapping[str, float]]
    """The metrics of the task, without prefix, by the name of the split."""


@dataclass(frozen=True)
class BaselineTable:
    """The baselines of a dataset."""

    task: str
    rows: Mapping[str, tuple[int, int]]
    """By split, the number of rows that were used, and that there are."""
    baselines: tuple[BaselineResult, ...]
    left_out: Mapping[str, str]
    """Why the other baselines were not computed, as words after their names."""


def compute_baselines(
    task: str | Task,
    train: Rows,
    evaluated: Mapping[str, Rows],
    logits: int,
    *,
    class_weights: Sequence[float] | None = None,
    baselines: Iterable[Baseline] = tuple(BASELINES.values()),
) -> BaselineTable:
    """Fit baselines to training rows and compute their metrics on other rows; the same each time, without warnings.

    At most `MOST_TRAINED` training rows and `MOST_EVALUATED` others of a split are used, drawn at random. Everything
    that a baseline chooses, it chooses on the training rows alone.

    Args:
        task: The task or its name.
        train: The rows to learn from; at least one.
        evaluated: The other splits by name.
        logits: The number of logits of a trained model for these labels, see `Task.logit_count`.
        class_weights: One weight per logit, as `Task.class_weights_from` returns them: in the loss, as for a trained
            model.
        baselines: The baselines to compute.

    Raises:
        ValueError: Labels are invalid, or do not fit the number of logits.
    """
    for load in (sklearn_linear_model, sklearn_metrics, scipy_sparse):  # before the first baseline is timed
        load()
    problem = Problem(get_task(task), logits, None if class_weights is None else tuple(class_weights))
    train = train.sampled(MOST_TRAINED)
    evaluated = {name: rows.sampled(MOST_EVALUATED) for name, rows in evaluated.items()}
    splits = [train, *evaluated.values()]
    left_out: dict[str, str] = {}
    results: list[BaselineResult] = []
    for baseline in baselines:
        obstacle = baseline.obstacle(problem, splits)
        if obstacle:
            left_out[baseline.name] = obstacle
        else:
            results.append(_compute(baseline, problem, train, evaluated))
    used = {name: (len(rows), rows.drawn_from) for name, rows in {"train": train, **evaluated}.items()}
    return BaselineTable(problem.task.name, used, tuple(results), left_out)


def _compute(baseline: Baseline, problem: Problem, train: Rows, evaluated: Mapping[str, Rows]) -> BaselineResult:
    begin = time.monotonic()
    fitted = baseline.fit(problem, train)
    metrics = {
        name: compute_metrics(problem.task, fitted.logits(rows), rows.labels, class_weights=problem.class_weights)
        for name, rows in evaluated.items()
    }
    return BaselineResult(baseline.name, baseline.description, fitted.settings, time.monotonic() - begin, metrics)
