"""The final model on the test split."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, cast

from bertnado_metrics import Objective, metric_name_for_trainer

from bertnado_sweep.records.best import BEST_CONFIG_FILE
from bertnado_sweep.report.final_figures import (
    EXACT_ROWS,
    MOST_CLASSES,
    MOST_CURVES,
    MOST_POINTS,
    MOST_VALUES,
    TOLERANCE,
    calibration_figure,
    confusion_figure,
    curve_figures,
    drawn_classes,
    operating_point,
    value_figures,
)
from bertnado_sweep.report.html import Html, cell, name_of, table, tag
from bertnado_sweep.report.section import Section, note, paragraph, small_multiples
from bertnado_sweep.report.wording import NOTHING, counted, listed, metric_text, number_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bertnado_sweep.records.looks import Look
    from bertnado_sweep.report.figure import Figure
    from bertnado_sweep.report.final_model import FinalMetrics, FinalModel
    from bertnado_sweep.report.material import Material
    from bertnado_sweep.report.predictions import Predictions

TEST = "test"
_QUALITIES = ("precision", "recall", "f1", "roc_auc", "average_precision")
_MOST_ROWS = 1_000


def section(material: Material) -> Section | None:
    """Return the section; None if the sweep has no best trial yet, or its trials have no dataset and no final model."""
    finals = material.finals
    title = "The final model on the test split"
    if finals.model is not None and finals.model.metrics.test is not None:
        return Section("final-model", title, tuple(_parts(material, finals.model)))
    text = _missing(material)
    if text is None:
        return None
    looks = _looks(finals.looks_at_split) if finals.looks else ()
    return Section("final-model", title, (*text, *looks))


def tested_value(metrics: FinalMetrics) -> tuple[float, tuple[float, float] | None] | None:
    """Return the objective on the test split, with its 95% interval; None if it has none."""
    name = metric_name_for_trainer(metrics.objective.name)
    value = (metrics.test or {}).get(name)
    return None if value is None else (value, metrics.test_interval.get(name))


def interval_text(found: tuple[float, float] | None, over: str) -> str:
    """Return an interval of the test split in words; nothing if there is none."""
    between = f"{metric_text(found[0])} to {metric_text(found[1])}" if found else ""
    return (
        f"95% interval {between}, bootstrap over {'rows' if over == 'rows' else f'groups of {over}'}" if found else ""
    )


def _missing(material: Material) -> tuple[Html, ...] | None:
    """Return why there is nothing to show, and how to get it."""
    application = cast("dict[str, Any]", material.status.record.get("application") or {})
    finals, rows = material.finals, cast("dict[str, Any]", material.dataset.get("rows") or {})
    if finals.model is not None:
        return (paragraph("The dataset of the final model has no test split."),)
    if finals.looks:
        return tuple(tag("p", problem, class_="warning") for problem in finals.problems)
    if material.best is None or not application:
        return None
    if rows and not rows.get(TEST):
        return (paragraph("The dataset has no test split, so nothing tells how good a final model is on other rows."),)
    text = "Nobody has looked at the test split yet. This command trains the final model and evaluates it once:"
    return (paragraph(text), tag("pre", _command(material, application)))


def _command(material: Material, application: dict[str, Any]) -> str:
    directory = material.status.output_dir
    path = BEST_CONFIG_FILE if directory is None else str(directory / BEST_CONFIG_FILE)
    words = ["bertnado", "full-train", "--best-config-path", path, "--output-dir", "output/train"]
    for name in ("model_name", "dataset", "task_type"):
        if application.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", str(application[name])]
    return shlex.join(words)


def _parts(material: Material, model: FinalModel) -> Iterator[Html]:
    metrics, predictions = model.metrics, model.predictions
    count = "the test split" if predictions is None else f"{counted(predictions.count, 'test row')}"
    seeded = "" if metrics.seed is None else f" with seed {metrics.seed}"
    how = f" was trained on {listed(metrics.trained_on)}{seeded}, and evaluated on {count}."
    yield paragraph("The model in ", name_of(model.directory), how)
    yield from (tag("p", problem, class_="warning") for problem in material.finals.problems)
    if _fingerprint(metrics) not in (None, material.dataset.get("fingerprint")) and material.dataset:
        yield tag("p", "The final model was trained on another dataset than the trials.", class_="warning")
    yield from _value(metrics)
    yield _metrics_table(metrics)
    if predictions is not None:
        yield from _figures(metrics, predictions)
    elif metrics.confusion is not None:
        yield from _confusion(metrics)
    if metrics.per_class:
        yield _class_table(metrics)
    yield from _looks(material.finals.looks_at_split)


def _fingerprint(metrics: FinalMetrics) -> object:
    dataset = metrics.details.get("dataset")
    return cast("dict[str, Any]", dataset).get("fingerprint") if isinstance(dataset, dict) else None


def _value(metrics: FinalMetrics) -> Iterator[Html]:
    """Yield the objective, what it stands against, and the threshold."""
    found, name = tested_value(metrics), metrics.objective.name
    if found is not None:
        value, between = found
        spread = interval_text(between, metrics.test_interval_over)
        seed = " The interval leaves out what another seed changes." if spread else ""
        yield paragraph(name_of(name), f": {metric_text(value)}{f' ({spread})' if spread else ''}.{seed}")
        yield from _against_baselines(metrics, value)
    threshold = metrics.threshold
    if threshold is not None:
        text = number_text(threshold.values[0]) if len(threshold.values) == 1 else "those in the table of labels"
        chosen = (
            f"chosen on {threshold.chosen_on}" if threshold.chosen_on else "the default, since no rows were held out"
        )
        why = f" by {threshold.criterion} ({threshold.reason})" if threshold.criterion and threshold.reason else ""
        yield paragraph(f"Labels are predicted above a probability of {text}, {chosen}{why}.")


def _against_baselines(metrics: FinalMetrics, value: float) -> Iterator[Html]:
    known = {name: found for name, found in metrics.baselines.get(TEST, {}).items() if found is not None}
    objective = Objective(metrics.objective.name, metrics.objective.goal)
    best = objective.best_index(known.values())
    if best is None:
        return
    name, reached = list(known.items())[best]
    verdict = "is ahead of" if objective.is_better(value, reached) else "is NOT ahead of"
    yield paragraph(
        f"The model {verdict} the strongest baseline on test, ", name_of(name), f": {metric_text(reached)}."
    )


def _metrics_table(metrics: FinalMetrics) -> Html:
    columns = [
        "metric",
        "validation",
        "test",
        "95% interval",
        *(["test, at the threshold"] * bool(metrics.test_at_threshold)),
    ]
    rows: list[Sequence[Any]] = []
    for name, value in (metrics.test or {}).items():
        found, decided = metrics.test_interval.get(name), metrics.test_at_threshold.get(name)
        shown = f"{metric_text(found[0])} to {metric_text(found[1])}" if found else NOTHING
        row = [cell(name, kind="th", scope="row"), _metric(metrics.validation.get(name)), _metric(value)]
        row.append(cell(shown, class_="interval"))
        rows.append([*row, _metric(decided)] if metrics.test_at_threshold else row)
    caption = "Metrics of the final model" + (" (test: labels above 0.5)" if metrics.threshold is not None else "")
    return table(columns, rows, caption=caption)


def _metric(value: float | None) -> Html:
    return cell(value, metric_text(value))


def _figures(metrics: FinalMetrics, predictions: Predictions) -> Iterator[Html]:
    notes: list[str] = []
    if predictions.left_out:
        notes.append(f"{counted(predictions.left_out, 'row')} without a usable prediction in the table is not drawn.")
    if metrics.task == "regression":
        figures = value_figures(predictions)
        if len(predictions.numbers) > MOST_POINTS:
            notes.append(f"Of {len(predictions.numbers):,} rows, {MOST_POINTS:,} evenly spaced ones are drawn.")
        if len(predictions.names) > MOST_VALUES:
            notes.append(f"Of {len(predictions.names)} values, the first {MOST_VALUES} are drawn.")
        yield small_multiples(figures)
    else:
        is_binary = metrics.task == "binary"
        yield small_multiples(_class_figures(metrics, predictions, is_binary=is_binary))
        if len(predictions.numbers) > EXACT_ROWS:
            notes.append(f"Curves are drawn to within {TOLERANCE:g} of their values; areas are those of all rows.")
        if not is_binary and len(predictions.names) > MOST_CURVES:
            notes.append(f"Of {len(predictions.names)} classes, the {MOST_CURVES} with the most rows have curves.")
    yield from map(note, notes)
    if metrics.confusion is not None and metrics.task == "multiclass":
        yield from _confusion(metrics)


def _class_figures(metrics: FinalMetrics, predictions: Predictions, *, is_binary: bool) -> Iterator[Figure]:
    confusion = metrics.confusion if is_binary else None
    point = None if confusion is None else operating_point(confusion)
    yield from curve_figures(predictions, drawn_classes(predictions, is_binary=is_binary), point)
    if confusion is not None:
        yield calibration_figure(predictions)
        yield confusion_figure(confusion, "Confusions at the threshold")


def _confusion(metrics: FinalMetrics) -> Iterator[Html]:
    confusion = metrics.confusion
    if confusion is None:
        return
    if len(confusion.classes) > MOST_CLASSES:
        yield note(f"Confusions of more than {MOST_CLASSES} classes are not drawn; metrics.json has them.")
    else:
        yield confusion_figure(confusion, "Confusions of the likeliest class").to_html()


def _class_table(metrics: FinalMetrics) -> Html:
    """Return the quality of each class, with the threshold of each label if there are several."""
    values = metrics.threshold.values if metrics.threshold else ()
    has_thresholds = len(values) == len(metrics.per_class)
    columns = ["class", "rows", "predicted", *_QUALITIES, *(["threshold"] * has_thresholds)]
    rows: list[Sequence[Any]] = []
    for place, one in enumerate(metrics.per_class[:_MOST_ROWS]):
        row = [cell(one.name, name_of(one.name), kind="th", scope="row"), cell(one.rows), cell(one.predicted)]
        row += [_metric(getattr(one, name)) for name in _QUALITIES]
        rows.append([*row, cell(values[place], number_text(values[place]))] if has_thresholds else row)
    more = len(metrics.per_class) - len(rows)
    caption = "Each class against the rest, on test" + (f" ({more:,} more are in metrics.json)" if more else "")
    return table(columns, rows, caption=caption, sortable=True)


def _looks(looks: Sequence[Look]) -> Iterator[Html]:
    """Yield how often the test split was evaluated."""
    configurations = len({look.configuration for look in looks})
    if len(looks) == 1:
        yield note(f"The test split was evaluated once, at {looks[0].time}.")
        return
    if configurations > 1:
        text = (
            f"The test split was evaluated {len(looks)} times, with {configurations} configurations. Whoever chose "
            "between them by their test metrics needs other rows to know what the choice is worth."
        )
        yield tag("p", text, class_="warning")
    elif looks:
        yield note(f"The test split was evaluated {len(looks)} times, always with the same configuration.")
    rows = [(look.time, name_of(look.configuration), name_of(look.output_dir)) for look in looks[-_MOST_ROWS:]]
    if rows:
        yield table(("time", "configuration", "final model"), rows, caption="Looks at the test split", sortable=True)
