"""What early termination saved, and whether it stopped a trial that was ahead."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertnado_sweep.report.html import Html, cell, table
from bertnado_sweep.report.section import Section, note, paragraph
from bertnado_sweep.report.wording import NOTHING, counted, metric_text, seconds_text
from bertnado_sweep.status import trial_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_metrics import Objective

    from bertnado_sweep.records.trial import Trial
    from bertnado_sweep.report.material import Material


@dataclass(frozen=True)
class Stop:
    """A trial that was stopped early, beside the others after as many evaluations."""

    trial: Trial
    evaluations: int
    """The evaluations until it was stopped."""
    value: float
    """Its best value until then."""
    of_best: float | None
    """The best value of the best trial after as many evaluations; None if it has fewer, or is the stopped one."""
    rank: int
    """Its rank by that, from 1, among the trials with as many evaluations."""
    among: int
    """The number of these trials, itself included."""
    steps: float | None
    """The optimizer steps that it did; None if they are not recorded."""
    saved_share: float | None
    """The share of its steps that it did not do; None if it is not recorded."""

    def is_ahead(self, objective: Objective) -> bool:
        """Return True if it was better than the best trial after as many evaluations."""
        return self.of_best is not None and objective.is_better(self.value, self.of_best)

    @property
    def saved_seconds(self) -> float | None:
        """The time that its remaining steps would have taken, at the pace of the steps that it did."""
        seconds = trial_seconds(self.trial)
        if seconds is None or self.saved_share is None or self.saved_share >= 1:
            return None
        return seconds * self.saved_share / (1 - self.saved_share)


def best_after(history: Sequence[Mapping[str, Any]], objective: Objective, evaluations: int) -> float | None:
    """Return the best value within so many evaluations; None if there are fewer, or none is finite."""
    values = [row.get(objective.name) for row in history[:evaluations]]
    if len(values) < evaluations:
        return None
    index = objective.best_index(value if isinstance(value, int | float) else None for value in values)
    found = None if index is None else values[index]
    return None if found is None else float(found)


def stops(trials: Sequence[Trial], best: Trial | None, objective: Objective) -> list[Stop]:
    """Return the trials that were stopped early after an evaluation, by number."""
    found: list[Stop] = []
    for trial in trials:
        count = len(trial.history)
        value = best_after(trial.history, objective, count)
        if trial.state != "stopped" or value is None:
            continue
        others = [best_after(other.history, objective, count) for other in trials if other.id != trial.id]
        reached = [other for other in others if other is not None]
        rank = 1 + sum(objective.is_better(other, value) for other in reached)
        of_best = best_after(best.history, objective, count) if best is not None and best.id != trial.id else None
        steps, share = _steps(trial)
        found.append(Stop(trial, count, value, of_best, rank, len(reached) + 1, steps, share))
    return found


def _steps(trial: Trial) -> tuple[float | None, float | None]:
    """Return the steps that a trial did, and the share of all that it did not do."""
    last = trial.attempts[-1].get("to_step") if trial.attempts else None
    steps = last if last is not None else trial.history[-1].get("step")
    if not isinstance(steps, int | float) or not trial.total_steps or not math.isfinite(steps):
        return None, None
    return steps, max(1 - steps / trial.total_steps, 0.0)


def section(material: Material) -> Section:
    """Return the section."""
    rule = material.config.early_terminate if material.config else None
    name = "Early termination"
    found = stops(material.trials, material.best, material.objective)
    if not found:
        text = (
            "No trial was stopped early."
            if rule
            else "The sweep stopped no trial early: its file has no early_terminate."
        )
        return Section("early-termination", name, (paragraph(text),))
    parts = [paragraph(rule.describe() + ".")] if rule else []
    parts += [paragraph(text) for text in _findings(material, found)]
    columns = (
        "trial",
        "evaluations",
        "value until then",
        "best trial until then",
        "rank then",
        "steps saved",
        "time saved",
    )
    rows = [_row(stop, material.objective) for stop in found]
    parts.append(table(columns, rows, caption="Trials that were stopped early", sortable=True))
    parts.append(note("The time saved assumes that the remaining steps would have taken as long as those before."))
    return Section("early-termination", name, tuple(parts))


def _findings(material: Material, found: Sequence[Stop]) -> list[str]:
    known = [stop for stop in found if stop.saved_share is not None]
    were = "was" if len(found) == 1 else "were"
    text = f"Of {counted(len(material.trials), 'trial')}, {len(found)} {were} stopped early."
    if known:
        share = sum(stop.saved_share or 0.0 for stop in known) / len(known)
        seconds = sum(stop.saved_seconds or 0.0 for stop in known)
        text += f" On average they did not do {share:.0%} of their steps, which saved about {seconds_text(seconds)}."
    ahead = [str(stop.trial.number + 1) for stop in found if stop.is_ahead(material.objective)]
    if not ahead:
        return [text, "None of them was ahead of the best trial after as many evaluations."]
    which = f"Trial {ahead[0]} was" if len(ahead) == 1 else f"Trials {', '.join(ahead)} were"
    return [
        text,
        f"{which} ahead of the best trial after as many evaluations: stopping may have cost the sweep its best.",
    ]


def _row(stop: Stop, objective: Objective) -> list[Html | str]:
    mark = " (ahead)" if stop.is_ahead(objective) else ""
    share, seconds = stop.saved_share, stop.saved_seconds
    return [
        cell(stop.trial.number + 1, kind="th", scope="row"),
        cell(stop.evaluations),
        cell(stop.value, f"{metric_text(stop.value)}{mark}"),
        cell(stop.of_best, metric_text(stop.of_best)),
        cell(stop.rank, f"{stop.rank} of {stop.among}"),
        cell(share, NOTHING if share is None else f"{share:.0%}"),
        cell(seconds, seconds_text(seconds)),
    ]
