"""Baselines beside the best trial."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bertnado_sweep.report.html import Html, cell, name_of, table, tag
from bertnado_sweep.report.section import Section, paragraph
from bertnado_sweep.report.wording import metric_text, seconds_text

if TYPE_CHECKING:
    from bertnado_metrics import Objective

    from bertnado_sweep.records.baselines import RecordedBaseline, RecordedBaselines
    from bertnado_sweep.report.material import Material

VALIDATION = "validation"


def baseline_value(baseline: RecordedBaseline, objective: Objective, split: str = VALIDATION) -> float | None:
    """Return the objective of a baseline on a split; None if it is not recorded."""
    found = baseline.value(split, objective.trainer_name)
    return None if math.isnan(found) else found


def strongest(baselines: RecordedBaselines, objective: Objective) -> tuple[RecordedBaseline, float] | None:
    """Return the baseline with the best value on validation, and the value; None if none has one."""
    values = [baseline_value(baseline, objective) for baseline in baselines.baselines]
    index = objective.best_index(values)
    value = None if index is None else values[index]
    return None if index is None or value is None else (baselines.baselines[index], value)


def value_to_compare(material: Material) -> tuple[str, float | None]:
    """Return the value of the search that stands against baselines: the confirmed mean, otherwise the best trial's."""
    if material.confirmation is not None:
        winner = material.confirmation.winning
        return f"trial {winner.trial}, mean over fresh runs", winner.mean
    best = material.best
    return (f"trial {best.number + 1}, best of the search", best.value) if best else ("no trial with a value", None)


def section(material: Material) -> Section | None:
    """Return the section; None if no baselines were computed."""
    baselines, objective = material.baselines, material.objective
    if baselines is None:
        return None
    title, value = value_to_compare(material)
    parts: list[Html] = []
    found = strongest(baselines, objective)
    if found is not None and value is not None:
        is_ahead = objective.is_better(value, found[1])
        verdict = "is ahead of" if is_ahead else "is NOT ahead of"
        numbers = f": {metric_text(value)} against {metric_text(found[1])}."
        parts.append(
            paragraph(f"The search ({title}) {verdict} the strongest baseline, ", name_of(found[0].name), numbers)
        )
    recorded = material.dataset.get("fingerprint")
    if baselines.dataset_fingerprint and recorded and baselines.dataset_fingerprint != recorded:
        parts.append(tag("p", "The baselines were computed on another dataset than the trials.", class_="warning"))
    rows: list[list[Any]] = [
        [
            cell(one.name, name_of(one.name), kind="th", scope="row"),
            cell(baseline_value(one, objective), metric_text(baseline_value(one, objective))),
            cell(one.seconds, seconds_text(one.seconds)),
            one.description,
        ]
        for one in baselines.baselines
    ]
    rows.append([cell("the search", title, kind="th", scope="row"), cell(value, metric_text(value)), "", ""])
    columns = ("model", f"{objective.name} on validation", "time", "description")
    parts.append(table(columns, rows, caption="Baselines and the search", sortable=True))
    return Section("baselines", "Baselines", tuple(parts))
