"""The table of trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertnado_sweep.report.html import Html, cell, name_of, table
from bertnado_sweep.report.section import Section, paragraph
from bertnado_sweep.report.wording import clipped, metric_text, seconds_text, value_text
from bertnado_sweep.status import trial_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertnado_sweep.records.trial import Trial
    from bertnado_sweep.report.material import Material


def section(material: Material) -> Section:
    """Return the section."""
    constant = {
        name: value for name, value in material.status.constant_parameters.items() if name not in material.varied
    }
    names = [name for name in material.parameter_names if name not in constant]
    columns = (
        "trial",
        "state",
        name_of(material.objective.name),
        "step",
        *map(name_of, names),
        "seed",
        "attempts",
        "time",
        "reason",
    )
    rows = [list(_cells(material, trial, names)) for trial in material.trials]
    text = "A click on the head of a column sorts by it. The file trials.csv beside this report has the same in full."
    parts: list[Html] = [paragraph(text)]
    if constant:
        shown = ", ".join(f"{name} = {clipped(value_text(value), 80)}" for name, value in constant.items())
        parts.append(paragraph(f"The same in all trials: {shown}."))
    parts.append(table(columns, rows, caption="All trials", sortable=True))
    return Section("trials", "Trials", tuple(parts))


def _cells(material: Material, trial: Trial, names: list[str]) -> Iterator[Any]:
    is_best = material.best is not None and trial.id == material.best.id
    number = trial.number + 1
    yield cell(number, f"{number} (best)" if is_best else None, kind="th", scope="row")
    yield "stopped early" if trial.state == "stopped" else trial.state
    yield cell(trial.value, None if trial.value is None else metric_text(trial.value))
    yield cell(trial.step)
    for name in names:
        value = material.parameters[trial.number].get(name)
        is_known = name in material.parameters[trial.number]
        yield cell(value, name_of(clipped(value_text(value), 60)) if is_known else "")
    yield cell(trial.seed)
    yield cell(trial.attempt)
    seconds = trial_seconds(trial)
    yield cell(seconds, None if seconds is None else seconds_text(seconds))
    yield name_of(clipped(trial.error, 300)) if trial.error else ""
