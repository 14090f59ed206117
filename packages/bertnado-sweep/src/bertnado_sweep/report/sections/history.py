"""The history of the best value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertnado_sweep.report.figure import BLUE, GREEN, LEGEND, ORANGE, VERMILLION, Figure, axis
from bertnado_sweep.report.html import table
from bertnado_sweep.report.section import Section, paragraph
from bertnado_sweep.report.wording import counted, metric_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_metrics import Objective

    from bertnado_sweep.records.trial import Trial
    from bertnado_sweep.report.material import Material


def best_so_far(trials: Sequence[Trial], objective: Objective) -> list[tuple[Trial, float]]:
    """Return each trial that may be the best, by number, with the best value up to it."""
    found: list[tuple[Trial, float]] = []
    best: float | None = None
    for trial in trials:
        if trial.is_eligible and trial.value is not None:
            best = trial.value if objective.is_better(trial.value, best) or best is None else best
            found.append((trial, best))
    return found


def section(material: Material) -> Section | None:
    """Return the section; None if no trial has a value."""
    found = best_so_far(material.trials, material.objective)
    if not found:
        return None
    records = [(trial, best) for trial, best in found if trial.value == best]
    improved = [pair for place, pair in enumerate(records) if place == 0 or pair[1] != records[place - 1][1]]
    rows = [(trial.number + 1, metric_text(best)) for trial, best in improved]
    text = f"The best value was improved {counted(len(improved) - 1, 'time')} after the first trial with a value."
    title = "Trials that improved the best value"
    parts = (paragraph(text), _figure(material, found).to_html(), table(("trial", "best value"), rows, caption=title))
    return Section("history", "History of the best", parts)


def _figure(material: Material, found: Sequence[tuple[Trial, float]]) -> Figure:
    name = material.objective.name
    data: list[dict[str, Any]] = []
    for state, color, symbol in (("completed", BLUE, "circle"), ("stopped", ORANGE, "x")):
        trials = [trial for trial, _ in found if trial.state == state]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "stopped early" if state == "stopped" else state,
                "x": [trial.number + 1 for trial in trials],
                "y": [trial.value for trial in trials],
                "marker": {"color": color, "symbol": symbol, "size": 8},
                "hovertemplate": "trial %{x}: %{y:.5g}<extra></extra>",
            }
        )
    data.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "best so far",
            "x": [trial.number + 1 for trial, _ in found],
            "y": [best for _, best in found],
            "line": {"color": VERMILLION, "shape": "hv", "width": 2},
            "hovertemplate": "best up to trial %{x}: %{y:.5g}<extra></extra>",
        }
    )
    data += _confirmed(material)
    layout = {"xaxis": axis("trial"), "yaxis": axis(name), "legend": LEGEND}
    best = metric_text(found[-1][1])
    return Figure("plot-history", data, layout, f"{name} of each trial, and the best so far, which ends at {best}.")


def _confirmed(material: Material) -> list[dict[str, Any]]:
    """Return the mean of the winner's fresh seeds, where the search has its value."""
    if material.confirmation is None:
        return []
    winner = material.confirmation.winning
    marker = {"color": GREEN, "symbol": "diamond", "size": 11}
    trace: dict[str, Any] = {"type": "scatter", "mode": "markers", "name": "mean over fresh seeds", "marker": marker}
    return [trace | {"x": [winner.trial], "y": [winner.mean], "hovertemplate": "confirmed: %{y:.5g}<extra></extra>"}]
