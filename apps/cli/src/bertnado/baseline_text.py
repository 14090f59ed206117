"""Baselines in words: the table, one line for a split, and what a model does not beat."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bertnado_metrics import Objective, get_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bertnado_sweep.records.baselines import RecordedBaseline, RecordedBaselines

_TRAIN = "train"
_NARROWEST = 5
"""The least letters of a column."""


def describe_split(found: RecordedBaselines, split: str, objective: Objective) -> str | None:
    """Return the values on a split in one line, with the one to beat; None if there are none."""
    values = found.values(split, objective)
    best = objective.best_index(values.values())
    if best is None:
        return None
    listed = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
    return f"baselines on {split} ({objective.name}): {listed}; a model should beat {list(values.values())[best]:.3f}"


def describe_unbeaten(
    found: RecordedBaselines, split: str, objective: Objective, value: float, model: str
) -> str | None:
    """Return that a model does not beat some baselines; None if it beats all.

    Args:
        found: The baselines.
        split: The split that the value belongs to.
        objective: The metric.
        value: The value of the model.
        model: The name of the model, such as `the final model`.
    """
    values = found.values(split, objective)
    ahead = beaten_by(values, value, objective)
    if not ahead:
        return None
    listed = ", ".join(f"{name} ({values[name]:.4f})" for name in ahead)
    return f"{model} ({objective.name} {value:.4f} on {split}) does not beat the baselines {listed}"


def describe_table(found: RecordedBaselines) -> str:
    """Return all metrics of all baselines, a table for each split."""
    return "\n".join(_lines(found))


def _lines(found: RecordedBaselines) -> Iterator[str]:
    yield f"task {found.task}: {', '.join(_rows(found.rows))}"
    for split in found.rows:
        if split != _TRAIN:
            yield ""
            yield from _table(found, split)
    yield ""
    yield from map(_describe, found.baselines)
    for name, reason in found.left_out.items():
        yield f"left out: {name}, which {reason}"


def _table(found: RecordedBaselines, split: str) -> Iterator[str]:
    metrics = list(get_task(found.task).metrics)
    width = max(len(name) for name in (split, *(baseline.name for baseline in found.baselines)))
    yield "  ".join([f"{split:{width}}", *(f"{name:>{_NARROWEST}}" for name in metrics)])
    for baseline in found.baselines:
        cells = [f"{_number(baseline.value(split, name)):>{max(len(name), _NARROWEST)}}" for name in metrics]
        yield "  ".join([f"{baseline.name:{width}}", *cells])


def _rows(rows: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    for name, (used, total) in rows.items():
        of = f" of {total:,}" if used < total else ""
        yield f"{used:,}{of} {name} rows"


def _describe(baseline: RecordedBaseline) -> str:
    """Return what a baseline predicts from, with which model, and how long it took."""
    settings = dict(baseline.settings)
    model = [str(settings.pop("model"))] if "model" in settings else []
    counts = [f"{name.replace('_', ' ')} {value:,}" for name, value in settings.items()]
    what = ", ".join([baseline.description, *model])
    return f"{baseline.name}: {what} ({', '.join([*counts, f'{baseline.seconds:.1f} s'])})"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def beaten_by(values: Mapping[str, float], value: float, objective: Objective) -> list[str]:
    """Return the names of the baselines that a value does not beat, the best first."""
    ahead = [name for name, other in values.items() if not objective.is_better(value, other)]
    return sorted(ahead, key=values.__getitem__, reverse=objective.greater_is_better)
