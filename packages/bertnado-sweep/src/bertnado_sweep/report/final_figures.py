"""Figures of the predictions of a final model on its test split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bertnado_metrics import calibration_bins, precision_recall_curve, roc_curve

from .figure import BLUE, GRAY, GREEN, LEGEND, ORANGE, PURPLE, SKY, VERMILLION, Figure, axis, label
from .wording import counted, metric_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bertnado_metrics import Curve
    from numpy.typing import NDArray

    from .final_model import Confusion
    from .predictions import Predictions

MOST_CURVES = 12
"""The most classes or labels that have curves: those with the most rows."""
MOST_CLASSES = 50
"""The most classes of which a table of confusions is drawn."""
MOST_VALUES = 6
"""The most values of a regression that are drawn."""
MOST_POINTS = 4_000
"""The most rows of a scatter plot; of more, evenly spaced ones are drawn."""
EXACT_ROWS = 2_000
"""The most rows whose curves have all corners."""
TOLERANCE = 0.001
"""The accuracy of curves of more rows: half a pixel of a figure of 500 pixels."""

_COLORS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)
_DASHES = ("solid", "dot")
_MOST_COUNTS = 15
"""The most classes whose confusions have their counts written on them."""
_UNIT = {"range": [-0.02, 1.02]}


def drawn_classes(predictions: Predictions, *, is_binary: bool) -> list[int]:
    """Return the columns that have curves, in order: of a binary task the positive class alone."""
    if is_binary:
        return [1]
    rows = predictions.truth.sum(axis=0)
    return sorted(np.argsort(-rows, kind="stable")[:MOST_CURVES].tolist())


def drawn_rows(count: int, most: int = MOST_POINTS) -> NDArray[np.int64]:
    """Return the rows that a scatter plot shows: all, or evenly spaced ones with the first and the last."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def operating_point(confusion: Confusion) -> tuple[float, float, float] | None:
    """Return false positive rate, recall and precision of a binary table; None if one of them is not defined."""
    (true_negatives, false_positives), (false_negatives, true_positives) = confusion.rows
    negatives, positives = true_negatives + false_positives, false_negatives + true_positives
    predicted = false_positives + true_positives
    if not negatives or not positives or not predicted:
        return None
    return false_positives / negatives, true_positives / positives, true_positives / predicted


def curve_figures(
    predictions: Predictions, classes: Sequence[int], point: tuple[float, float, float] | None
) -> list[Figure]:
    """Return the ROC and the precision-recall curves, with the point that the threshold takes.

    Args:
        predictions: Probabilities and labels.
        classes: The columns that are drawn.
        point: False positive rate, recall and precision at the threshold.
    """
    tolerance = TOLERANCE if len(predictions.numbers) > EXACT_ROWS else 0.0
    roc = list(_curves(predictions, classes, roc_curve, tolerance))
    recall = list(_curves(predictions, classes, precision_recall_curve, tolerance))
    if not roc:
        return []
    chance: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "name": "chance",
        "x": [0, 1],
        "y": [0, 1],
        "hoverinfo": "skip",
    }
    chance |= {"line": {"color": GRAY, "dash": "dash", "width": 1}, "showlegend": False}
    at = [] if point is None else [_point(point[0], point[1])]
    also = [] if point is None else [_point(point[1], point[2])]
    height = 380 + 20 * len(roc)
    across = {"xaxis": axis("false positive rate", **_UNIT), "yaxis": axis("true positive rate", **_UNIT)}
    along = {"xaxis": axis("recall", **_UNIT), "yaxis": axis("precision", **_UNIT)}
    words = f"ROC curve on the test split: {_areas(predictions, roc)}."
    also_words = f"Precision-recall curve on the test split: {_areas(predictions, recall)}."
    data = [chance, *_lines(predictions, roc, "AUC", "linear"), *at]
    steps = [*_lines(predictions, recall, "AP", "vh"), *also]
    return [
        Figure("plot-roc", data, {**across, "legend": LEGEND}, words, height),
        Figure("plot-recall", steps, {**along, "legend": LEGEND}, also_words, height),
    ]


def _curves(
    predictions: Predictions,
    classes: Iterable[int],
    make: Callable[[Any, Any, float], Curve | None],
    tolerance: float,
) -> Iterable[tuple[int, Curve]]:
    for column in classes:
        curve = make(predictions.truth[:, column] == 1, predictions.numbers[:, column], tolerance)
        if curve is not None:
            yield column, curve


def _lines(
    predictions: Predictions, curves: Sequence[tuple[int, Curve]], area: str, shape: str
) -> list[dict[str, Any]]:
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": f"{label(predictions.names[column], 24)} ({area} {metric_text(curve.area)})",
            "x": curve.x.round(5).tolist(),
            "y": curve.y.round(5).tolist(),
            "line": {
                "color": _COLORS[place % len(_COLORS)],
                "dash": _DASHES[place // len(_COLORS) % len(_DASHES)],
                "shape": shape,
                "width": 2,
            },
            "hovertemplate": "%{x:.3f}, %{y:.3f}<extra></extra>",
        }
        for place, (column, curve) in enumerate(curves)
    ]


def _point(x: float, y: float) -> dict[str, Any]:
    marker = {"color": VERMILLION, "size": 11, "symbol": "diamond"}
    shown = {"x": [x], "y": [y], "marker": marker, "hovertemplate": "%{x:.3f}, %{y:.3f}<extra></extra>"}
    return {"type": "scatter", "mode": "markers", "name": "at the threshold", **shown}


def _areas(predictions: Predictions, curves: Sequence[tuple[int, Curve]]) -> str:
    return ", ".join(f"area {metric_text(curve.area)} for {predictions.names[column]}" for column, curve in curves)


def calibration_figure(predictions: Predictions) -> Figure:
    """Return the reliability diagram of the positive class, above the number of rows in each bin."""
    bins = calibration_bins(predictions.truth[:, 1] == 1, predictions.numbers[:, 1])
    name = label(predictions.names[1], 24)
    ideal = {"type": "scatter", "mode": "lines", "name": "ideal", "x": [0, 1], "y": [0, 1], "hoverinfo": "skip"}
    points: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "observed, with 95% interval",
        "x": [one.predicted for one in bins],
        "y": [one.observed for one in bins],
        "customdata": [one.rows for one in bins],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [one.interval[1] - one.observed for one in bins],
            "arrayminus": [one.observed - one.interval[0] for one in bins],
            "thickness": 1.2,
        },
        "marker": {"color": BLUE, "size": 8},
        "line": {"color": BLUE, "width": 1.5},
        "hovertemplate": "predicted %{x:.3f}, observed %{y:.3f} (%{customdata} rows)<extra></extra>",
    }
    bars = {
        "type": "bar",
        "name": "rows",
        "x": [(one.low + one.high) / 2 for one in bins],
        "y": [one.rows for one in bins],
        "width": [one.high - one.low for one in bins],
        "text": [f"{one.rows:,}" for one in bins],
        "textposition": "outside",
        "cliponaxis": False,
        "marker": {"color": SKY},
        "yaxis": "y2",
        "showlegend": False,
        "hovertemplate": "%{x:.2f}: %{y} rows<extra></extra>",
    }
    layout = {
        "xaxis": axis(f"predicted probability of {name}", range=[-0.02, 1.02], anchor="y2"),
        "yaxis": axis("observed share", range=[-0.02, 1.02], domain=[0.36, 1]),
        "yaxis2": axis("rows", domain=[0, 0.24], rangemode="tozero"),
        "legend": LEGEND,
    }
    words = "; ".join(f"{one.predicted:.2f}: {one.observed:.2f} of {counted(one.rows, 'row')}" for one in bins)
    data = [ideal | {"line": {"color": GRAY, "dash": "dash", "width": 1}, "showlegend": False}, points, bars]
    return Figure(
        "plot-calibration", data, layout, f"Predicted probabilities and observed shares: {words}.", height=460
    )


def confusion_figure(confusion: Confusion, title: str) -> Figure:
    """Return the table of confusions: counts, coloured by their share of the rows of the true class."""
    names = [label(name, 18) for name in confusion.classes]
    rows = np.array(confusion.rows, dtype=np.float64)
    shares = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)
    places = list(range(len(names)))
    ticks = {"tickvals": places, "ticktext": names, "showgrid": False}
    data: dict[str, Any] = {
        "type": "heatmap",
        "x": places,
        "y": places,
        "z": shares.round(5).tolist(),
        "text": [[f"{count:,}" for count in row] for row in confusion.rows],
        "zmin": 0,
        "zmax": 1,
        "colorscale": [[0, "#f4f8fb"], [1, "#7fc4ea"]],
        "textfont": {"color": "#1b1b1b"},
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
        "hovertemplate": "%{text} rows, %{z:.1%} of the true class<extra></extra>",
    }
    if len(names) <= _MOST_COUNTS:
        data["texttemplate"] = "%{text}<br>%{z:.0%}" if len(names) <= _MOST_COUNTS // 2 else "%{text}"
    layout = {
        "xaxis": axis("predicted class", **ticks),
        "yaxis": axis("true class", **ticks, autorange="reversed"),
    }
    told = "; ".join(
        f"{name}: {', '.join(map(str, row))}" for name, row in zip(confusion.classes, confusion.rows, strict=True)
    )
    words = (
        f"{title}. Rows of each true class by the predicted one: {told if len(names) <= _MOST_COUNTS else 'see hover'}."
    )
    return Figure("plot-confusion", [data], layout, words, height=min(360 + 14 * len(names), 900))


def value_figures(predictions: Predictions) -> list[Figure]:
    """Return predicted over observed values, and residuals over predicted values, of each value of a regression."""
    rows = drawn_rows(len(predictions.numbers))
    made: list[Figure] = []
    for column, name in enumerate(predictions.names[:MOST_VALUES]):
        found, truth = predictions.numbers[rows, column], predictions.truth[rows, column]
        ends = [float(min(found.min(), truth.min())), float(max(found.max(), truth.max()))]
        shown = label(name, 24)
        pairs = (
            ("values", truth, found, ends, f"observed {shown}", f"predicted {shown}", "Predicted over observed"),
            (
                "residuals",
                found,
                truth - found,
                [0.0, 0.0],
                f"predicted {shown}",
                "observed - predicted",
                "Residuals of",
            ),
        )
        for kind, x, y, line, across, up, title in pairs:
            data = [_scatter(x, y), _reference([float(x.min()), float(x.max())] if kind == "residuals" else ends, line)]
            layout = {"xaxis": axis(across), "yaxis": axis(up), "showlegend": False}
            words = f"{title} {name} of {counted(len(rows), 'test row')}."
            made.append(Figure(f"plot-{kind}-{column}", data, layout, words, height=360))
    return made


def _scatter(x: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, Any]:
    marker = {"color": BLUE, "size": 5, "opacity": 0.5}
    hover = {"hovertemplate": "%{x:.5g}, %{y:.5g}<extra></extra>"}
    return {"type": "scatter", "mode": "markers", "x": x.tolist(), "y": y.tolist(), "marker": marker, **hover}


def _reference(x: Sequence[float], y: Sequence[float]) -> dict[str, Any]:
    line = {"color": GRAY, "dash": "dash", "width": 1}
    return {"type": "scatter", "mode": "lines", "x": list(x), "y": list(y), "line": line, "hoverinfo": "skip"}
