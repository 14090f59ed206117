"""Learning curves: the objective on validation, and the training loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertnado_sweep.report.figure import BLUE, GRAY, LEGEND, ORANGE, VERMILLION, Figure, axis
from bertnado_sweep.report.material import numbers_of
from bertnado_sweep.report.section import Section, note, paragraph
from bertnado_sweep.report.wording import counted
from bertnado_sweep.running.training_log import TRAINING_LOSS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bertnado_sweep.records.trial import Trial
    from bertnado_sweep.report.material import Material

MOST_POINTS = 50_000
"""The most points of a figure; longer curves are thinned evenly."""

Curve = list[tuple[float, float | None]]
"""Steps and values; None is a gap."""

_KINDS = (
    ("completed", "completed", BLUE, "solid", 1.2),
    ("stopped", "stopped early", ORANGE, "dash", 1.4),
    ("other", "failed, interrupted or running", GRAY, "dot", 1.2),
    ("best", "best trial", VERMILLION, "solid", 3.0),
)


def validation_curve(trial: Trial, objective: str) -> Curve:
    """Return the objective at each evaluation."""
    return numbers_of(trial.history, objective)


def training_curve(trial: Trial) -> Curve:
    """Return the training loss as it was logged."""
    return numbers_of(trial.training_log, TRAINING_LOSS)


def thinned(curve: Curve, most: int) -> Curve:
    """Return a curve of at most about so many points, evenly, with the last one."""
    every = -(-len(curve) // max(most, 2))
    return curve if every <= 1 else [*curve[:-1:every], curve[-1]]


def section(material: Material) -> Section | None:
    """Return the section; None if no trial was evaluated or has logged its loss."""
    name = material.objective.name
    figures = [
        _figure(material, "plot-curves", f"{name} on validation", name, lambda trial: validation_curve(trial, name)),
        _figure(material, "plot-losses", "training loss", "training loss", training_curve),
    ]
    found = [figure for figure in figures if figure is not None]
    if not found:
        return None
    stopped = sum(trial.state == "stopped" for trial in material.trials)
    were = "was" if stopped == 1 else "were"
    marked = f" {counted(stopped, 'trial')} {were} stopped early: dashed, with a cross at the end." if stopped else ""
    text = f"One line for each trial, over its optimizer steps; the best one is the thick one.{marked}"
    missing = () if figures[1] is not None else (note("No training loss is recorded for these trials."),)
    parts = (paragraph(text), *(figure.to_html() for figure in found), *missing)
    return Section("curves", "Learning curves", parts)


def _figure(material: Material, name: str, what: str, title: str, curve_of: Callable[[Trial], Curve]) -> Figure | None:
    curves = {trial.number: curve_of(trial) for trial in material.trials}
    known = [trial for trial in material.trials if curves[trial.number]]
    if not known:
        return None
    most = max(MOST_POINTS // len(known), 20)
    data: list[dict[str, Any]] = []
    for kind, shown, color, dash, width in _KINDS:
        trials = [trial for trial in known if _kind(material, trial) == kind]
        if trials:
            line = {"color": color, "dash": dash, "width": width}
            data.append(_trace(trials, [thinned(curves[trial.number], most) for trial in trials], shown, line))
    ends = [(trial, curves[trial.number][-1]) for trial in known if trial.state == "stopped"]
    if ends:
        data.append(_crosses(ends))
    layout: dict[str, Any] = {
        "xaxis": axis("optimizer step"),
        "yaxis": axis(title),
        "legend": LEGEND,
    }
    layout["hovermode"] = "closest"
    return Figure(name, data, layout, f"The {what} of {counted(len(known), 'trial')} over the optimizer steps.")


def _kind(material: Material, trial: Trial) -> str:
    if material.best is not None and trial.id == material.best.id:
        return "best"
    return trial.state if trial.state in ("completed", "stopped") else "other"


def _trace(trials: Sequence[Trial], curves: Sequence[Curve], name: str, line: dict[str, Any]) -> dict[str, Any]:
    """Return all curves of a kind as one line with gaps."""
    x: list[float | None] = []
    y: list[float | None] = []
    number: list[int | None] = []
    for trial, curve in zip(trials, curves, strict=True):
        x += [*(step for step, _ in curve), None]
        y += [*(value for _, value in curve), None]
        number += [*(trial.number + 1 for _ in curve), None]
    trace: dict[str, Any] = {"type": "scatter", "mode": "lines", "name": name, "line": line, "connectgaps": False}
    hover = "trial %{customdata}, step %{x}: %{y:.5g}<extra></extra>"
    if max(map(len, curves)) == 1:
        trace |= {"mode": "lines+markers"}
    return trace | {"x": x, "y": y, "customdata": number, "hovertemplate": hover}


def _crosses(ends: Sequence[tuple[Trial, tuple[float, float | None]]]) -> dict[str, Any]:
    marker = {"color": ORANGE, "symbol": "x", "size": 9}
    trace: dict[str, Any] = {"type": "scatter", "mode": "markers", "name": "stopped here", "marker": marker}
    trace |= {"x": [end[0] for _, end in ends], "y": [end[1] for _, end in ends]}
    hover = "trial %{customdata} stopped at step %{x}: %{y:.5g}<extra></extra>"
    return trace | {"customdata": [trial.number + 1 for trial, _ in ends], "hovertemplate": hover}
