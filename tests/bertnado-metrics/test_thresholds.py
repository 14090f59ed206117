"""Thresholds chosen on labelled rows, and tables of classes, compared with trying everything."""

import numpy as np
import pytest
from bertnado_metrics import (
    choose_thresholds,
    class_probabilities,
    compute_metrics,
    count_confusions,
    criterion_of,
    predict_classes,
    tabulate_classes,
)
from sklearn import metrics

BINARY = "binary_classification"


def binary_rows(rows=60):
    rng = np.random.default_rng(5)
    labels = (rng.random(rows) < 0.25).astype(int)
    return (rng.normal(size=(rows, 1)) + labels[:, None]).round(1), labels


def scored(name, labels, predicted):
    if name == "youden":
        return metrics.recall_score(labels, predicted) + metrics.recall_score(1 - labels, 1 - predicted) - 1
    score = {"f1": metrics.f1_score, "accuracy": metrics.accuracy_score, "mcc": metrics.matthews_corrcoef}[name]
    return score(labels, predicted)


@pytest.mark.parametrize("objective", ["f1", "average_precision", "accuracy", "mcc", "loss", "roc_auc", "recall"])
def test_no_threshold_is_better_on_these_rows(objective):
    logits, labels = binary_rows()
    (chosen,) = choose_thresholds(BINARY, logits, labels, objective)
    probabilities, criterion = 1 / (1 + np.exp(-logits[:, 0])), criterion_of(objective).name
    best = max(scored(criterion, labels, (probabilities > cut).astype(int)) for cut in np.linspace(0, 1, 401))
    own = scored(criterion, labels, (probabilities > chosen.value).astype(int))
    assert own == pytest.approx(best)
    assert chosen.score == pytest.approx(own)


def test_the_criterion_follows_the_objective():
    names = {objective: criterion_of(objective).name for objective in ("roc_auc", "average_precision", "mcc", "loss")}
    assert names == {"roc_auc": "youden", "average_precision": "f1", "mcc": "mcc", "loss": "mcc"}


def test_of_equally_good_thresholds_the_nearest_to_a_half_is_taken():
    (chosen,) = choose_thresholds(BINARY, [[-4.0], [-3.0], [2.0], [3.0]], [0, 0, 1, 1], "accuracy")
    halfway = (1 / (1 + np.exp(3)) + 1 / (1 + np.exp(-2))) / 2
    assert chosen.value == pytest.approx(halfway)


def test_rows_of_one_class_choose_nothing():
    (chosen,) = choose_thresholds(BINARY, [[1.0], [2.0]], [1, 1], "f1")
    assert (chosen.value, chosen.score) == (0.5, None)


def test_each_label_has_a_threshold_and_a_class_or_a_value_has_none():
    logits, labels = np.random.default_rng(0).normal(size=(20, 3)), np.eye(20, 3, dtype=int)
    assert len(choose_thresholds("multilabel_classification", logits, labels, "f1")) == 3
    assert choose_thresholds("multiclass_classification", logits, np.arange(20) % 3, "f1") == ()
    assert choose_thresholds("regression", logits[:, :1], np.arange(20.0), "r2") == ()


def test_both_classes_of_a_binary_task_have_a_probability_however_small():
    found = class_probabilities(BINARY, [[40.0], [-40.0], [0.0]])
    assert (found[0, 0], found[1, 1]) == pytest.approx((np.exp(-40), np.exp(-40)))
    assert found[2].tolist() == [0.5, 0.5]
    assert predict_classes(BINARY, [[40.0], [-40.0], [0.0]]).tolist() == [[False, True], [True, False], [True, False]]


def test_the_table_of_a_binary_task_is_the_one_of_scikit_learn():
    logits, labels = binary_rows()
    table = tabulate_classes(BINARY, logits, labels, ["background", "promoter"], [0.4])
    predicted = (1 / (1 + np.exp(-logits[:, 0])) > 0.4).astype(int)
    for number, row in enumerate(table):
        truth, own = (labels == number).astype(int), (predicted == number).astype(int)
        assert row["class"] == ("background", "promoter")[number]
        assert (row["rows"], row["predicted"]) == (truth.sum(), own.sum())
        expected = metrics.precision_recall_fscore_support(truth, own, average="binary")[:3]
        assert [row[name] for name in ("precision", "recall", "f1")] == pytest.approx(expected)
        sign = 1 if number else -1
        assert row["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, sign * logits[:, 0]))
    assert count_confusions(BINARY, logits, labels, 2, [0.4]) == metrics.confusion_matrix(labels, predicted).tolist()


def test_the_table_of_a_multiclass_task_has_classes_without_a_row():
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(30, 4)), rng.integers(0, 3, 30)
    table = tabulate_classes("multiclass_classification", logits, labels, list("abcd"))
    assert [row["rows"] for row in table] == [*np.bincount(labels), 0]
    assert np.isnan(table[3]["roc_auc"])
    own = logits.argmax(axis=1)
    confusions = metrics.confusion_matrix(labels, own, labels=range(4)).tolist()
    assert count_confusions("multiclass_classification", logits, labels, 4) == confusions


def test_the_table_of_a_multilabel_task_averages_to_its_metrics():
    rng = np.random.default_rng(2)
    logits, labels = rng.normal(size=(30, 3)), rng.integers(0, 2, (30, 3))
    table = tabulate_classes("multilabel_classification", logits, labels, list("abc"))
    expected = compute_metrics("multilabel_classification", logits, labels)
    for name in ("precision", "recall", "f1", "roc_auc", "average_precision"):
        assert np.mean([row[name] for row in table]) == pytest.approx(expected[name])
    assert count_confusions("multilabel_classification", logits, labels, 3) == []


def test_values_belong_to_no_class():
    assert tabulate_classes("regression", [[1.0], [2.0]], [1.0, 2.0], ["value"]) == []
    with pytest.raises(TypeError, match="values, which have no probabilities"):
        class_probabilities("regression", [[1.0]])
