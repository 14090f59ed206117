"""Bootstrap intervals: those of the metrics themselves on drawn rows, recomputed here with plain numpy."""

import math

import numpy as np
import pytest
from bertnado_metrics import TASKS, bootstrap_intervals, compute_metrics


def rows_of(task, rows=40, seed=3):
    rng = np.random.default_rng(seed)
    if task == "regression":
        labels = rng.normal(size=rows).round(1)
        return (labels + rng.normal(size=rows)).round(1)[:, None], labels
    if task == "multiclass_classification":
        labels = rng.integers(0, 4, rows)
        logits = rng.normal(size=(rows, 5)).round(1)
        return logits, labels
    columns = 3 if task == "multilabel_classification" else 1
    labels = (rng.random((rows, columns)) < 0.3).astype(int)
    logits = (rng.normal(size=(rows, columns)) + labels).round(1)  # rounded, so that there are ties
    return logits, labels if columns > 1 else labels[:, 0]


def drawn_again(task, logits, labels, units, resamples=40, seed=0, **options):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(resamples):
        chosen = rng.integers(len(units), size=len(units))
        rows = np.concatenate([units[unit] for unit in chosen])
        found.append(compute_metrics(task, logits[rows], labels[rows], **options))
    return found


def ends(values):
    defined = [value for value in values if math.isfinite(value)]
    return None if 2 * len(defined) < len(values) else tuple(np.quantile(defined, [0.025, 0.975]))


@pytest.mark.parametrize("task", TASKS)
def test_the_ends_are_quantiles_of_the_metrics_of_drawn_rows(task):
    logits, labels = rows_of(task)
    drawn = drawn_again(task, logits, labels, [[row] for row in range(len(labels))])
    expected = {name: ends([metrics[name] for metrics in drawn]) for name in TASKS[task].metrics}
    found = bootstrap_intervals(task, logits, labels, resamples=40)
    assert found == {name: pytest.approx(interval, abs=1e-12) for name, interval in expected.items()}


def test_whole_groups_are_drawn_in_the_order_of_their_names():
    logits, labels = rows_of("binary_classification")
    groups = [("chr2", "chr1", "chrX")[row % 3] for row in range(len(labels))]
    units = [np.flatnonzero([group == name for group in groups]) for name in ("chr1", "chr2", "chrX")]
    drawn = drawn_again("binary_classification", logits, labels, units, class_weights=(3.0,))
    found = bootstrap_intervals(
        "binary_classification", logits, labels, groups=groups, resamples=40, class_weights=(3.0,)
    )
    assert found["roc_auc"] == pytest.approx(ends([metrics["roc_auc"] for metrics in drawn]))
    assert found["loss"] == pytest.approx(ends([metrics["loss"] for metrics in drawn]))


@pytest.mark.parametrize("task", TASKS)
def test_the_number_of_resamples_in_memory_changes_nothing(task, monkeypatch):
    logits, labels = rows_of(task)
    whole = bootstrap_intervals(task, logits, labels, resamples=50)
    monkeypatch.setattr("bertnado_metrics.bootstrap._AT_ONCE", 7 * len(labels))
    parts = bootstrap_intervals(task, logits, labels, resamples=50)
    assert parts == {name: pytest.approx(interval, abs=1e-12) for name, interval in whole.items()}


def test_another_seed_draws_others():
    logits, labels = rows_of("regression")
    assert bootstrap_intervals("regression", logits, labels, seed=1) != bootstrap_intervals(
        "regression", logits, labels
    )


def test_one_class_has_no_interval_of_a_curve():
    logits, labels = np.array([[0.1], [0.2], [0.4]]), np.array([1, 1, 1])
    found = bootstrap_intervals("binary_classification", logits, labels, resamples=20)
    assert found["roc_auc"] is None
    assert found["recall"] == (1.0, 1.0)


@pytest.mark.parametrize("logits", [np.zeros((1, 1)), np.array([[np.nan], [1.0]])])
def test_a_single_row_or_a_logit_of_nan_has_no_intervals(logits):
    found = bootstrap_intervals("binary_classification", logits, [1] * len(logits))
    assert set(found.values()) == {None}


def test_groups_must_match_the_rows():
    with pytest.raises(ValueError, match="groups must have one entry per row, 40, got 2"):
        bootstrap_intervals("regression", *rows_of("regression"), groups=["a", "b"])
