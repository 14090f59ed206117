"""Parallel coordinates: each trial as a line across its parameters and its value.

They are lines of a plain plot, which prints well. Plotly's own need WebGL, which many servers and browsers lack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertnado_sweep.records.best import ranked_trials
from bertnado_sweep.report.figure import LEGEND, VERMILLION, Figure, label
from bertnado_sweep.report.scales import Scale, scale_of
from bertnado_sweep.report.section import Section, paragraph
from bertnado_sweep.report.wording import number_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_sweep.report.material import Material

_GROUPS = ("#0072b2", "#56b4e9", "#b8b8b8")
"""The colours of the best, the middle and the last third of the trials."""

_MOST_TRIALS = 500


def heights(places: Sequence[float]) -> list[float]:
    """Return places on an axis as heights from 0 to 1; all in the middle if they are equal."""
    low, high = min(places), max(places)
    return [0.5 if high == low else (place - low) / (high - low) for place in places]


def thirds(material: Material) -> dict[int, int]:
    """Return the third that each trial with a value belongs to, 0 for the best, by the number of the trial."""
    ranked = ranked_trials(material.trials, material.objective)
    return {trial.number: place * 3 // len(ranked) for place, trial in enumerate(ranked)}


def section(material: Material) -> Section | None:
    """Return the section; None if nothing was varied, or there are too many trials to tell their lines apart."""
    if not material.varied or len(material.eligible) > _MOST_TRIALS:
        return None
    text = (
        "Each line is a trial, from its parameters on the left to its value on the right: the best third dark blue, "
        "the middle third light blue, the rest grey, the best trial thick."
    )
    return Section("parallel", "Parallel coordinates", (paragraph(text), _figure(material).to_html()))


def _figure(material: Material) -> Figure:
    names = [*material.varied, material.objective.name]
    scales = [*(scale_of(material, name) for name in material.varied), Scale("linear")]
    places = [
        [scale.place_of(material.parameters[trial.number].get(name)) for trial in material.eligible]
        for name, scale in zip(material.varied, scales[:-1], strict=True)
    ]
    places.append([trial.value or 0.0 for trial in material.eligible])
    lines = list(zip(*map(heights, places), strict=True))
    group = thirds(material)
    best = material.best.number if material.best else None
    data = [
        _trace(
            title, [line for trial, line in zip(material.eligible, lines, strict=True) if group[trial.number] == third]
        )
        | {"line": {"color": _GROUPS[third], "width": 1.2}, "opacity": 0.8}
        for third, title in ((2, "last third"), (1, "middle third"), (0, "best third"))
        if third in group.values()
    ]
    chosen = [line for trial, line in zip(material.eligible, lines, strict=True) if trial.number == best]
    data.append(_trace("best trial", chosen) | {"line": {"color": VERMILLION, "width": 3.5}})
    layout: dict[str, Any] = {
        "xaxis": {
            "tickvals": list(range(len(names))),
            "ticktext": [label(name, 24) for name in names],
            "range": [-0.3, len(names) - 0.6],
            "showgrid": True,
            "zeroline": False,
            "automargin": True,
        },
        "yaxis": {"visible": False, "range": [-0.08, 1.08]},
        "annotations": [note for column, scale in enumerate(scales) for note in _ticks(column, scale, places[column])],
        "legend": LEGEND,
        "hovermode": False,
    }
    words = f"Lines of {len(lines)} trials across {', '.join(names)}. The numbers are in the table of trials."
    return Figure("plot-parallel", data, layout, words, height=440)


def _trace(name: str, lines: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Return lines as one, with gaps."""
    x = [place for line in lines for place in (*range(len(line)), None)]
    y = [height for line in lines for height in (*line, None)]
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "connectgaps": False}


def _ticks(column: int, scale: Scale, places: Sequence[float]) -> list[dict[str, Any]]:
    """Return what stands beside an axis: the choices, or the smallest and the greatest value."""
    if scale.kind == "choices":
        found = dict(zip(map(float, range(len(scale.choices))), scale.choices, strict=True))
    else:
        ends = sorted({min(places), max(places)})
        found = {place: number_text(10**place if scale.kind == "log" else place, 3) for place in ends}
    shown = zip(found.values(), heights(list(found)), strict=True)
    return [
        {
            "x": column,
            "y": height,
            "text": text,
            "showarrow": False,
            "xanchor": "left",
            "xshift": 4,
            "font": {"size": 11},
        }
        for text, height in shown
    ]
