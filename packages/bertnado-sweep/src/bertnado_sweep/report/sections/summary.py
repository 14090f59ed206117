"""What was searched, for how long, and with what result."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from bertnado_sweep.records.winner import winner_notes
from bertnado_sweep.report.html import Html, cell, joined, name_of, table, tag
from bertnado_sweep.report.section import Section, note, paragraph
from bertnado_sweep.report.wording import (
    NOTHING,
    clipped,
    counted,
    listed,
    metric_text,
    number_text,
    seconds_text,
    value_text,
)
from bertnado_sweep.status import trial_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bertnado_config import Parameter

    from bertnado_sweep.records.trial import Trial
    from bertnado_sweep.report.material import Material

_MOST_CHOICES = 12

STATES = ("completed", "stopped", "failed", "interrupted", "running")


@dataclass(frozen=True)
class Totals:
    """How many trials there are, and how long they took."""

    states: Mapping[str, int]
    """The number of trials in each state that occurs."""
    trained: float
    """The seconds of all trials together."""
    elapsed: float | None
    """The seconds from the first start to the last end, or until now; None if no time is recorded."""


def totals(trials: Iterable[Trial], now: str) -> Totals:
    """Count trials and their time.

    Args:
        trials: The trials.
        now: The end of the trials that are running, ISO 8601.
    """
    trials = list(trials)
    counts = Counter(trial.state for trial in trials)
    starts = [moment for trial in trials if (moment := moment_of(trial.started))]
    ends = [moment for trial in trials if (moment := moment_of(now if trial.state == "running" else trial.ended))]
    elapsed = max((max(ends) - min(starts)).total_seconds(), 0.0) if starts and ends else None
    trained = sum(filter(None, map(trial_seconds, trials)))
    return Totals({state: counts[state] for state in STATES if counts[state]}, trained, elapsed)


def moment_of(text: str | None) -> datetime | None:
    """Return a recorded time; None if there is none, or it has no time zone."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def states_text(states: Mapping[str, int]) -> str:
    """Return the numbers of trials in words: `3 completed, 1 failed`."""
    return ", ".join(f"{count} {'stopped early' if state == 'stopped' else state}" for state, count in states.items())


def section(material: Material) -> Section:
    """Return the section."""
    return Section("summary", "What was searched, and what was found", tuple(_parts(material)))


def _parts(material: Material) -> Iterator[Html]:
    if material.is_running:
        yield paragraph(f"The sweep was still running when this report was made ({material.made}).")
    yield tag(
        "dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in _facts(material)), class_="facts"
    )
    yield from (tag("p", warning, class_="warning") for warning in material.warnings)
    yield from _result(material)
    if material.space:
        columns = ("parameter", "distribution", "values", "best trial")
        yield table(columns, _space_rows(material), caption="The search space")


def _facts(material: Material) -> Iterator[tuple[str, object]]:
    found, status, record = totals(material.trials, material.made), material.status, material.status.record
    budget = f" of {status.budget}" if status.budget is not None else ""
    yield "sweep", name_of(record.get("config", {}).get("name") or status.sweep_id)
    yield "objective", joined([f"{status.objective.goal} ", name_of(status.objective.name)])
    yield "trials", f"{status.finished}{budget}: {states_text(found.states)}"
    yield "best value", metric_text(material.best.value if material.best else None)
    yield "time from first to last", seconds_text(found.elapsed)
    yield "time of all trials together", seconds_text(found.trained)
    if material.config:
        yield "search method", material.config.method
    if record.get("seed") is not None:
        yield "seed of the search", str(record["seed"])


def _result(material: Material) -> Iterator[Html]:
    best, name = material.best, material.objective.name
    if best is None:
        yield paragraph("No trial has a value yet.")
        return
    values = [f"{key} = {value_text(material.parameters[best.number].get(key))}" for key in material.varied]
    what = listed([clipped(text, 120) for text in values]) or "the same parameters as all others"
    yield paragraph(
        f"The best trial is number {best.number + 1}, with ", name_of(name), f" {metric_text(best.value)}: ", what, "."
    )
    if material.confirmation is None:
        yield note(
            "This value is the best of several noisy ones, so it is probably too good: the configuration is worth a "
            "little less. A confirmation trains the best trials anew with fresh seeds."
        )
    yield from (note(line) for line in winner_notes(material.trials, best, material.objective))


def _space_rows(material: Material) -> Iterator[list[object]]:
    known = material.parameters[material.best.number] if material.best else dict[str, Any]()
    for label, form in material.space.items():
        best = clipped(value_text(known[label]), 80) if label in known else NOTHING
        yield [cell(label, name_of(label), kind="th", scope="row"), form.distribution, describe_form(form), best]


def describe_form(form: Parameter) -> str:
    """Return the values of a parameter: its choices, or the keys of its distribution."""
    values: dict[str, Any] = {item.name: getattr(form, item.name) for item in fields(form)}
    choices = values.get("values")
    if isinstance(choices, list | tuple):
        known = cast("list[Any]", choices)
        shown = ", ".join(clipped(value_text(choice), 60) for choice in known[:_MOST_CHOICES])
        return shown if len(known) <= _MOST_CHOICES else f"{shown}, ... ({counted(len(known), 'value')})"
    if "min" in values and "max" in values:
        step = f" in steps of {number_text(values['q'])}" if values.get("q") is not None else ""
        return f"{value_text(values['min'])} to {value_text(values['max'])}{step}"
    return ", ".join(f"{name} {clipped(value_text(value), 60)}" for name, value in values.items() if value is not None)
