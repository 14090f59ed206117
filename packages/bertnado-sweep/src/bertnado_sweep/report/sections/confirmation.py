"""The finalists, trained anew with fresh seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from bertnado_sweep.report.figure import BLUE, GREEN, LEGEND, VERMILLION, Figure, axis
from bertnado_sweep.report.html import cell, name_of, plain, table
from bertnado_sweep.report.section import Section, note, paragraph
from bertnado_sweep.report.wording import NOTHING, counted, metric_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bertnado_sweep.records.confirmation import Confirmation, Finalist, Folds
    from bertnado_sweep.report.html import Html
    from bertnado_sweep.report.material import Material

LEVEL = 0.95


def interval(finalist: Finalist) -> tuple[float, float] | None:
    """Return the 95% interval of a finalist's mean, by Student's t; None with fewer than two values, and over folds.

    Folds share training rows, and no unbiased estimate of the variance of their mean exists (Bengio and Grandvalet
    2004, Journal of Machine Learning Research 5, 1089-1105).
    """
    import scipy.stats as stats  # pyright: ignore[reportMissingTypeStubs] (scipy has none)

    is_over_folds = any(run.fold is not None for run in finalist.runs)
    if finalist.mean is None or finalist.standard_error is None or finalist.n < 2 or is_over_folds:
        return None
    half = float(cast("Any", stats).t.ppf(0.5 + LEVEL / 2, finalist.n - 1)) * finalist.standard_error
    return finalist.mean - half, finalist.mean + half


def section(material: Material) -> Section | None:
    """Return the section; None if the sweep was not confirmed."""
    confirmation = material.confirmation
    if confirmation is None:
        return None
    text = (
        f"The {counted(len(confirmation.finalists), 'best trial')} of the search, trained anew ",
        *_trained_on(confirmation),
        ". The values of the search selected them and are left out of the means.",
    )
    name, folds = confirmation.objective.name, confirmation.folds
    columns = ["trial", "mean", "95% interval", "standard error", "n", "probability that it is the best"]
    if folds is not None:
        columns.remove("95% interval")
    rows = [_row(finalist, confirmation) for finalist in confirmation.finalists]
    parts = [paragraph(*text), _figure(material.objective.name, confirmation).to_html()]
    parts.append(table([*columns, "in the search"], rows, caption=f"Finalists, by {name}", sortable=True))
    if folds is not None:
        parts += [_fold_table(confirmation, folds), note(CAVEAT)]
    dropped = [finalist for finalist in confirmation.finalists if finalist.dropped_after is not None]
    parts += [
        note(f"Trial {finalist.trial} was dropped after {counted(finalist.dropped_after or 0, 'run')}.")
        for finalist in dropped
    ]
    if confirmation.test:
        parts.append(note(confirmation.test))
    return Section("confirmation", "Confirmation", tuple(parts))


CAVEAT = (
    "Folds share training rows, so their values are not independent. The standard error is how much the folds differ; "
    "it is too small for an error of the mean, of which no unbiased estimate exists (Bengio and Grandvalet 2004, "
    "Journal of Machine Learning Research 5, 1089-1105), and the probability of being the best is too high."
)


def _trained_on(confirmation: Confirmation) -> Iterator[object]:
    """Yield what finalists were trained on, in words."""
    folds = confirmation.folds
    if folds is None:
        yield f"with {counted(len(confirmation.seeds), 'fresh seed')}"
        return
    yield f"on {counted(len(folds.groups), 'fold')}: each group of "
    yield name_of(folds.column)
    yield " was validated on by models that were trained on the rows of all others, each with a fresh seed"


def _row(finalist: Finalist, confirmation: Confirmation) -> Sequence[Any]:
    found = interval(finalist)
    between = f"{metric_text(found[0])} to {metric_text(found[1])}" if found else NOTHING
    return (
        _head(finalist, confirmation),
        cell(finalist.mean, metric_text(finalist.mean)),
        *(() if confirmation.folds else (between,)),
        cell(finalist.standard_error, metric_text(finalist.standard_error)),
        cell(finalist.n),
        cell(finalist.probability_best, f"{finalist.probability_best:.2f}"),
        cell(finalist.search_value, metric_text(finalist.search_value)),
    )


def _head(finalist: Finalist, confirmation: Confirmation) -> Html:
    shown = f"{finalist.trial} (winner)" if finalist.trial == confirmation.winner else None
    return cell(finalist.trial, shown, kind="th", scope="row")


def _fold_table(confirmation: Confirmation, folds: Folds) -> Html:
    """Return the value of each finalist in each fold."""
    columns = [name_of(folds.column), *(f"trial {finalist.trial}" for finalist in confirmation.finalists)]
    rows = [
        (cell(number, name_of(group), kind="th", scope="row"), *_cells(confirmation, group))
        for number, group in enumerate(folds.groups)
    ]
    caption = f"{confirmation.objective.name} by the group that was validated on"
    return table(columns, rows, caption=caption, sortable=True)


def _cells(confirmation: Confirmation, group: str) -> Iterator[Html]:
    for finalist in confirmation.finalists:
        value = finalist.value_in(group)
        yield cell(value, metric_text(value))


def _figure(objective: str, confirmation: Confirmation) -> Figure:
    known = [finalist for finalist in confirmation.finalists if finalist.mean is not None]
    names = [f"trial {finalist.trial}" for finalist in known]
    halves = [(found[1] - (finalist.mean or 0.0)) if (found := interval(finalist)) else 0.0 for finalist in known]
    runs = [(f"trial {one.trial}", run) for one in known for run in one.runs if run.value is not None]
    is_over_folds = confirmation.folds is not None
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "each run",
            "x": [name for name, _ in runs],
            "y": [run.value for _, run in runs],
            "text": [plain(f"fold {run.fold}" if is_over_folds else f"seed {run.seed}") for _, run in runs],
            "marker": {"color": BLUE, "size": 7, "opacity": 0.6},
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "mean" if is_over_folds else "mean and 95% interval",
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
