"""Failures, and their reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertnado_sweep.report.html import cell, name_of, table
from bertnado_sweep.report.section import Section, paragraph
from bertnado_sweep.report.wording import clipped, counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bertnado_sweep.records.trial import Trial
    from bertnado_sweep.report.material import Material

_MOST_NUMBERS = 20


@dataclass(frozen=True)
class Failure:
    """A reason, and the trials that it ended."""

    state: str
    reason: str
    trials: tuple[int, ...]
    """Their numbers, from 0."""


def failures(trials: Iterable[Trial]) -> list[Failure]:
    """Group the trials that failed or were interrupted by their reason, the most frequent first."""
    groups: dict[tuple[str, str], list[int]] = {}
    for trial in trials:
        if trial.state in ("failed", "interrupted"):
            groups.setdefault((trial.state, trial.error or "not recorded"), []).append(trial.number)
    found = [Failure(state, reason, tuple(numbers)) for (state, reason), numbers in groups.items()]
    return sorted(found, key=lambda failure: -len(failure.trials))


def section(material: Material) -> Section:
    """Return the section."""
    found = failures(material.trials)
    again = [trial for trial in material.trials if trial.attempt > 1]
    text = f"{counted(len(again), 'trial')} needed more than one attempt." if again else "No trial was tried again."
    if not found:
        return Section("failures", "Failures", (paragraph(f"No trial failed or was interrupted. {text}"),))
    rows = [
        (cell(len(one.trials)), one.state, _numbers(one.trials), name_of(clipped(one.reason, 1000))) for one in found
    ]
    shown = table(("trials", "state", "which", "reason"), rows, caption="Trials without a result, by reason")
    return Section("failures", "Failures", (paragraph(text), shown))


def _numbers(trials: tuple[int, ...]) -> str:
    shown = ", ".join(str(number + 1) for number in trials[:_MOST_NUMBERS])
    return shown if len(trials) <= _MOST_NUMBERS else f"{shown}, ..."
