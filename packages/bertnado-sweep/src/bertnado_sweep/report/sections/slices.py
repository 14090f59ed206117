"""Slices: the value of each trial over each parameter alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertnado_sweep.report.figure import Figure, axis
from bertnado_sweep.report.scales import Scale, scale_of
from bertnado_sweep.report.section import Section, paragraph, small_multiples

if TYPE_CHECKING:
    from bertnado_sweep.report.material import Material


def slice_points(material: Material, name: str, scale: Scale) -> list[tuple[int, float, float]]:
    """Return the number of each trial with a value, its place on the scale of a parameter, and its value."""
    return [
        (trial.number, scale.place_of(material.parameters[trial.number].get(name)), trial.value)
        for trial in material.eligible
        if trial.value is not None
    ]


def section(material: Material) -> Section | None:
    """Return the section; None if nothing was varied."""
    if not material.varied:
        return None
    figures = [_figure(material, number, name) for number, name in enumerate(material.varied)]
    text = "The value of each trial over each parameter that differs between trials; later trials are darker."
    return Section("slices", "Slices", (paragraph(text), small_multiples(figures)))


def _figure(material: Material, number: int, name: str) -> Figure:
    scale = scale_of(material, name)
    points = slice_points(material, name, scale)
    latest = max(trial for trial, _, _ in points) or 1
    data: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "x": [10**place if scale.kind == "log" else place for _, place, _ in points],
        "y": [value for _, _, value in points],
        "customdata": [trial + 1 for trial, _, _ in points],
        "marker": {
            "color": [trial / latest for trial, _, _ in points],
            "colorscale": [[0, "#7fc4ea"], [1, "#005a8c"]],
            "size": 8,
            "line": {"width": 0.5, "color": "#8a8a8a"},
        },
        "hovertemplate": "trial %{customdata}: %{y:.5g}<extra></extra>",
    }
    along = axis(name)
    if scale.kind == "log":
        along |= {"type": "log", "exponentformat": "power"}
    if scale.kind == "choices":
        places = list(range(len(scale.choices)))
        along |= {"tickvals": places, "ticktext": list(scale.choices), "range": [-0.5, len(places) - 0.5]}
        along["tickangle"] = 30 if max(map(len, scale.choices)) > 6 else 0
    layout = {"xaxis": along, "yaxis": axis(material.objective.name), "showlegend": False}
    words = f"{material.objective.name} of each trial over {name}. The numbers are in the table of trials."
    return Figure(f"plot-slice-{number}", [data], layout, words, height=300)
