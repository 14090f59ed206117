"""A model that has learnt nothing is told by its predictions, and the value of a model has an interval."""

import math

import numpy as np
import pytest
from bertnado_metrics import TASKS, Judgement, Metric, compute_metrics, judge
from bertnado_metrics.intervals import confidence_interval
from bertnado_metrics.metric import Evaluation

RANGE = "every probability lies between 0.507 and 0.508"


def judged(task, logits, labels, objective=None, **options):
    metrics = compute_metrics(task, logits, labels, **options)
    return judge(task, logits, labels, metrics, objective or TASKS[task].default_objective, **options)


def test_a_model_that_ranks_well_and_calls_everything_positive_is_seen_through():
    labels = np.repeat([0, 1], 150)
    logits = 0.029 + 0.0005 * (np.random.default_rng(2).normal(size=300) + 1.1 * labels)
    found = judged("binary_classification", logits, labels)
    assert compute_metrics("binary_classification", logits, labels)["roc_auc"] > 0.7
    assert found.findings == (
        "calls every validation row positive (mcc 0)",
        f"has a loss of 0.6931, where one prediction for all rows has 0.6931; {RANGE}",
    )
    low, high = found.interval
    assert 0.08 < high - low < 0.13


@pytest.mark.parametrize(
    ("task", "logits", "labels"),
    [
        ("binary_classification", [-2, -1, 1, 3] * 10, [0, 0, 1, 1] * 10),
        ("multiclass_classification", np.tile(3 * np.eye(3), (10, 1)), [0, 1, 2] * 10),
        ("multilabel_classification", [[3, -3], [-3, 3], [3, 3]] * 10, [[1, 0], [0, 1], [1, 1]] * 10),
        ("regression", [1.1, 2.1, 2.9] * 10, [1, 2, 3] * 10),
    ],
)
def test_of_a_model_that_predicts_well_nothing_is_said(task, logits, labels):
    assert judged(task, logits, labels).findings == ()


@pytest.mark.parametrize(
    ("task", "logits", "labels", "beginning"),
    [
        ("binary_classification", [-3, -2] * 10, [0, 1] * 10, "calls every validation row negative"),
        (
            "multiclass_classification",
            [[0.1, 0.9, 0.2], [0.2, 0.9, 0.1], [0.1, 0.9, 0.1]] * 10,
            [0, 1, 2] * 10,
            "predicts one class for every validation row",
        ),
        (
            "multilabel_classification",
            [[-3, -2], [-2, -4]] * 20,
            [[1, 0], [0, 1]] + [[0, 0]] * 38,
            "predicts no label for every validation row",
        ),
        ("regression", [2.0] * 30, [1, 2, 3] * 10, "predicts the same for every validation row"),
    ],
)
def test_a_model_that_predicts_the_same_for_all_rows_is_told(task, logits, labels, beginning):
    assert judged(task, logits, labels).findings[0].startswith(beginning)


def test_a_regression_below_the_mean_of_the_labels_is_told():
    rng = np.random.default_rng(0)
    labels = 39.6 + 7 * rng.normal(size=100)
    found = judged("regression", 0.01 * rng.normal(size=100), labels)
    assert found.findings[0].startswith("has r2 -")
    assert "where one prediction for all rows" in found.findings[1]


@pytest.mark.parametrize("weights", [None, (3.0,)])
def test_the_loss_of_a_constant_counts_class_weights_and_shares(weights):
    labels = [0] * 75 + [1] * 25
    odds = math.log(25 * (weights or (1.0,))[0] / 75)
    at_best = judged("binary_classification", [odds] * 100, labels, class_weights=weights)
    assert any("where one prediction for all rows" in finding for finding in at_best.findings)
    better = np.where(labels, odds + 0.5, odds - 0.5)
    found = judged("binary_classification", better, labels, class_weights=weights)
    assert not any("where one prediction" in finding for finding in found.findings)


@pytest.mark.parametrize(
    ("task", "labels", "weights"),
    [
        ("multiclass_classification", [0] * 6 + [1] * 3 + [2], (1.0, 2.0, 0.5)),
        ("multilabel_classification", [[1, 0]] * 7 + [[0, 1]] * 3, None),
        ("regression", [[1.0, 5.0], [2.0, 7.0], [6.0, 9.0]], None),
    ],
)
def test_no_constant_has_a_lower_loss(task, labels, weights):
    loss = TASKS[task].loss
    labels = np.array(labels)
    logits = 3 if task == "multiclass_classification" else 2
    lowest = loss.of_constant((len(labels), logits), labels, weights)
    rng = np.random.default_rng(0)
    for _ in range(200):
        other = np.broadcast_to(4 * rng.normal(size=logits), (len(labels), logits))
        assert loss.elements(other, labels, weights).mean() >= lowest


class TestIntervals:
    """They hold the value of a much larger sample in about 95 of 100 cases."""

    @pytest.mark.parametrize("objective", ["roc_auc", "accuracy", "f1", "mcc", "average_precision", "loss"])
    def test_of_a_classification(self, objective):
        def draw(rows, rng):
            labels = (rng.random(rows) < 0.4).astype(int)
            return 1.2 * (labels - 0.5) + rng.normal(size=rows), labels

        self.assert_coverage("binary_classification", objective, draw)

    @pytest.mark.parametrize("objective", ["r2", "pearson", "spearman", "rmse", "mae"])
    def test_of_a_regression(self, objective):
        def draw(rows, rng):
            labels = rng.normal(size=rows)
            return 0.6 * labels + 0.5 * rng.normal(size=rows), labels

        self.assert_coverage("regression", objective, draw)

    def assert_coverage(self, task, objective, draw):
        rng = np.random.default_rng(0)
        true = compute_metrics(task, *draw(20_000, rng))[objective]
        values, intervals = [], []
        for _ in range(8):
            logits, labels = draw(150, rng)
            values.append(compute_metrics(task, logits, labels)[objective])
            intervals.append(judged(task, logits, labels, objective).interval)
        assert sum(low <= true <= high for low, high in intervals) >= 6
        width = np.mean([high - low for low, high in intervals])
        assert 1.96 < width / np.std(values) < 8  # 3.92 standard errors, of which 8 tries tell little

    def test_narrow_as_rows_increase_beyond_what_a_bootstrap_draws_from(self):
        rng = np.random.default_rng(0)

        def width(rows):
            labels = rng.normal(size=rows)
            low, high = judged("regression", 0.6 * labels + rng.normal(size=rows), labels, "mae").interval
            return high - low

        assert width(80_000) == pytest.approx(width(2000) / math.sqrt(40), rel=0.4)

    def test_are_those_of_the_books(self):
        rows = np.zeros((103, 1))
        evaluation = Evaluation(truth=rows, predicted=rows, scores=rows, losses=rows)
        pearson, accuracy = TASKS["regression"].metrics["pearson"], TASKS["binary_classification"].metrics["accuracy"]
        assert confidence_interval(pearson, evaluation, 0.5) == pytest.approx((0.3392, 0.6323), abs=1e-3)
        assert confidence_interval(accuracy, evaluation, 1.0) == pytest.approx((0.9641, 1.0), abs=1e-3)

    def test_of_a_perfect_ranking_of_two_positives_are_wide(self):
        low, high = judged("binary_classification", np.arange(40), [0] * 38 + [1] * 2).interval
        assert high == 1.0
        assert low < 0.6

    def test_of_a_metric_without_a_value_do_not_exist(self):
        labels = [0, 1] * 10
        evaluation = judged("binary_classification", [0.0] * 20, labels)
        assert evaluation.interval is not None
        nothing = Metric("nothing", "maximize", lambda _: math.nan)
        rows = np.zeros((4, 1))
        assert confidence_interval(nothing, Evaluation(rows, rows, rows, rows), 0.5) is None


def test_predictions_that_are_not_finite_have_no_judgement():
    found = judge("regression", [math.nan, 1.0], [1.0, 2.0], {"r2": math.nan}, "r2")
    assert found == Judgement((), None, 2)


def test_a_judgement_is_recorded_and_read_again():
    found = judged("regression", [1.0, 2.5, 2.9] * 5, [1, 2, 3] * 5)
    assert Judgement.from_record(found.to_record()) == found
    without = Judgement(("calls every validation row positive",), None, 7)
    assert Judgement.from_record(without.to_record()) == without
    for other in (None, 3, [], {}, {"findings": "x", "interval": [], "rows": 1}, {"findings": [], "rows": 1}):
        assert Judgement.from_record(other) is None


def test_an_interval_is_described_with_the_rows_that_it_rests_on():
    found = Judgement((), (0.7312, 0.8401), 1300)
    assert found.describe_interval("eval/roc_auc", 0.787) == (
        "eval/roc_auc 0.787 has an approximate 95% interval of 0.7312 to 0.8401 on 1,300 validation rows"
    )
    assert Judgement((), None, 3).describe_interval("eval/roc_auc", 0.787) is None
