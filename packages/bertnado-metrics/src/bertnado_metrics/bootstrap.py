"""Bootstrap intervals of every metric of a task, over rows or over groups of rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .compute import match_rows
from .tasks import Task, get_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .intervals import Interval
    from .metric import Evaluation, FloatArray, Metric

RESAMPLES = 1000
_ENDS = (0.025, 0.975)
_AT_ONCE = 500_000
"""Counts that are in memory at once: few enough for the processor's cache."""


def bootstrap_intervals(
    task: str | Task,
    logits: Any,
    labels: Any,
    *,
    groups: Sequence[object] | None = None,
    class_weights: Sequence[float] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval | None]:
    """Compute 95 % percentile intervals of all metrics by resampling rows, or whole groups of them.

    The n units of each resample are `numpy.random.default_rng(seed).integers(n, size=n)`, drawn one resample after the
    other; a unit is a row, or a group in the sorted order of their names. Resamples in which a metric is not defined
    are left out.

    Args:
        task: The task or its name.
        logits: As for `compute_metrics`.
        labels: As for `compute_metrics`.
        groups: The group of each row, such as its chromosome; by default each row is drawn alone.
        class_weights: As for `compute_metrics`.
        resamples: The number of resamples.
        seed: The seed of the drawing.

    Returns:
        Both ends by the name of the metric; `None` for a metric that fewer than half of the resamples define, and for
        all of them if there are fewer than two units.

    Raises:
        ValueError: As for `compute_metrics`, or the groups do not match the rows.
    """
    import numpy as np

    task = get_task(task)
    rows = match_rows(task, logits, labels, class_weights)
    evaluation = rows.evaluate(task)
    if groups is not None and len(groups) != len(rows.logits):
        raise ValueError(f"groups must have one entry per row, {len(rows.logits)}, got {len(groups)}")
    unit_of_row = _units(groups, len(rows.logits))
    units = int(unit_of_row.max(initial=-1)) + 1
    if evaluation is None or units < 2:
        return dict.fromkeys(task.metrics)
    found: dict[str, list[FloatArray]] = {name: [] for name in task.metrics}
    for counts in _draw(units, resamples, seed, at_once=max(_AT_ONCE // len(unit_of_row), 1)):
        by_row = counts if groups is None else counts[:, unit_of_row]
        with np.errstate(all="ignore"):
            for name, metric in task.metrics.items():
                found[name].append(_values(metric, evaluation, by_row))
    return {name: _ends(np.concatenate(parts)) for name, parts in found.items()}


def _units(groups: Sequence[object] | None, rows: int) -> Any:
    """Return the number of each row's unit."""
    import numpy as np

    if groups is None:
        return np.arange(rows)
    return np.unique(np.asarray([str(group) for group in groups]), return_inverse=True)[1].reshape(-1)


def _draw(units: int, resamples: int, seed: int, *, at_once: int) -> Iterator[FloatArray]:
    """Draw units with replacement; yield how often each was drawn, some resamples at a time."""
    import numpy as np

    rng = np.random.default_rng(seed)
    for start in range(0, resamples, at_once):
        drawn = (rng.integers(units, size=units) for _ in range(min(at_once, resamples - start)))
        yield np.stack([np.bincount(chosen, minlength=units) for chosen in drawn]).astype(np.float64)


def _values(metric: Metric, evaluation: Evaluation, counts: FloatArray) -> FloatArray:
    """Compute a metric of each resample."""
    import numpy as np

    if metric.resampled is not None:
        return np.asarray(metric.resampled(evaluation, counts), dtype=np.float64)
    rows = np.arange(counts.shape[1], dtype=np.int64)
    repeated: list[NDArray[np.int64]] = [np.repeat(rows, times.astype(np.int64)) for times in counts]
    return np.array([metric.function(evaluation.select(chosen)) for chosen in repeated])


def _ends(values: FloatArray) -> Interval | None:
    import numpy as np

    defined = values[np.isfinite(values)]
    if 2 * len(defined) < len(values):
        return None
    low, high = np.quantile(defined, _ENDS)
    return (float(low), float(high)) if math.isfinite(low) and math.isfinite(high) else None
