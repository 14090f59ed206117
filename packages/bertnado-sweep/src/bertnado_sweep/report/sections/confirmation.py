"""The finalists, trained anew with fresh seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from bertnado_sweep.report.figure import BLUE, GREEN, LEGEND, VERMILLION, Figure, axis
from bertnado_sweep.report.html import cell, table
from bertnado_sweep.report.section import Section, note, paragraph
from bertnado_sweep.report.wording import NOTHING, counted, metric_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_sweep.records.confirmation import Confirmation, Finalist
    from bertnado_sweep.report.material import Material

LEVEL = 0.95


def interval(finalist: Finalist) -> tuple[float, float] | None:
    """Return the 95% interval of a finalist's mean, by Student's t; None with fewer than two values."""
    import scipy.stats as stats  # pyright: ignore[reportMissingTypeStubs] (scipy has none)

    if finalist.mean is None or finalist.standard_error is None or finalist.n < 2:
        return None
    half = float(cast("Any", stats).t.ppf(0.5 + LEVEL / 2, finalist.n - 1)) * finalist.standard_error
    return finalist.mean - half, finalist.mean + half


def section(material: Material) -> Section | None:
    """Return the section; None if the sweep was not confirmed."""
    confirmation = material.confirmation
    if confirmation is None:
        return None
    seeds = counted(len(confirmation.seeds), "fresh seed")
    text = (
        f"The {counted(len(confirmation.finalists), 'best trial')} of the search, trained anew with {seeds}. The "
        "values of the search selected them and are left out of the means."
    )
    columns = (
        "trial",
        "mean",
        "95% interval",
        "standard error",
        "n",
        "probability that it is the best",
        "in the search",
    )
    rows = [_row(finalist, confirmation.winner) for finalist in confirmation.finalists]
    parts = [paragraph(text), _figure(material.objective.name, confirmation).to_html()]
    parts.append(table(columns, rows, caption=f"Finalists, by {confirmation.objective.name}", sortable=True))
    dropped = [finalist for finalist in confirmation.finalists if finalist.dropped_after is not None]
    parts += [
        note(f"Trial {finalist.trial} was dropped after {counted(finalist.dropped_after or 0, 'run')}.")
        for finalist in dropped
    ]
    if confirmation.test:
        parts.append(note(confirmation.test))
    return Section("confirmation", "Confirmation", tuple(parts))


def _row(finalist: Finalist, winner: int) -> Sequence[Any]:
    found = interval(finalist)
    shown = f"{finalist.trial} (winner)" if finalist.trial == winner else None
    return (
        cell(finalist.trial, shown, kind="th", scope="row"),
        cell(finalist.mean, metric_text(finalist.mean)),
        f"{metric_text(found[0])} to {metric_text(found[1])}" if found else NOTHING,
        cell(finalist.standard_error, metric_text(finalist.standard_error)),
        cell(finalist.n),
        cell(finalist.probability_best, f"{finalist.probability_best:.2f}"),
        cell(finalist.search_value, metric_text(finalist.search_value)),
    )


def _figure(objective: str, confirmation: Confirmation) -> Figure:
    known = [finalist for finalist in confirmation.finalists if finalist.mean is not None]
    names = [f"trial {finalist.trial}" for finalist in known]
    halves = [(found[1] - (finalist.mean or 0.0)) if (found := interval(finalist)) else 0.0 for finalist in known]
    runs = [(f"trial {one.trial}", run.value) for one in known for run in one.runs if run.value is not None]
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "each run",
            "x": [name for name, _ in runs],
            "y": [value for _, value in runs],
            "marker": {"color": BLUE, "size": 7, "opacity": 0.6},
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "mean and 95% interval",
            "x": names,
            "y": [finalist.mean for finalist in known],
            "error_y": {"type": "data", "array": halves, "color": GREEN, "thickness": 2},
            "marker": {"color": GREEN, "symbol": "diamond", "size": 11},
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "in the search",
            "x": names,
            "y": [finalist.search_value for finalist in known],
            "marker": {"color": VERMILLION, "symbol": "x", "size": 9},
        },
    ]
    layout = {"xaxis": {"type": "category"}, "yaxis": axis(objective), "legend": LEGEND}
    words = "; ".join(f"trial {one.trial}: mean {metric_text(one.mean)}" for one in known)
    return Figure("plot-confirmation", data, layout, f"{objective} of the finalists over fresh runs: {words}.")
