"""The numbers of classification tasks agree with scikit-learn's."""

import numpy as np
import pytest
from bertnado_metrics import compute_metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from sklearn import metrics as sklearn_metrics

SEEDS = range(20)

pytestmark = pytest.mark.filterwarnings("error")


def binary_reference(labels, logits):
    """Compute with scikit-learn what a binary task computes beside its loss."""
    predicted = logits > 0
    return {
        "accuracy": sklearn_metrics.accuracy_score(labels, predicted),
        "f1": sklearn_metrics.f1_score(labels, predicted, zero_division=0),
        "precision": sklearn_metrics.precision_score(labels, predicted, zero_division=0),
        "recall": sklearn_metrics.recall_score(labels, predicted, zero_division=0),
        "roc_auc": sklearn_metrics.roc_auc_score(labels, logits),
        "average_precision": sklearn_metrics.average_precision_score(labels, logits),
        "mcc": sklearn_metrics.matthews_corrcoef(labels, predicted),
    }


def without_loss(numbers):
    return {name: value for name, value in numbers.items() if name != "loss"}


def both_classes(rng, rows):
    return rng.permutation(np.arange(rows) < rng.integers(1, rows)).astype(int)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("decimals", [0, 6], ids=["with equal logits", "without equal logits"])
def test_a_binary_task_agrees_with_scikit_learn(seed, decimals):
    rng = np.random.default_rng(seed)
    labels = both_classes(rng, int(rng.integers(2, 200)))
    logits = (rng.normal(scale=2, size=len(labels)) + labels).round(decimals)
    numbers = compute_metrics("binary_classification", logits, labels)
    assert without_loss(numbers) == pytest.approx(binary_reference(labels, logits), abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_multilabel_task_is_the_mean_of_its_labels_binary_tasks(seed):
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(2, 60)), int(rng.integers(1, 6))
    labels = np.stack([both_classes(rng, rows) for _ in range(columns)], axis=1)
    logits = (rng.normal(scale=2, size=labels.shape) + labels).round(1)
    references = [binary_reference(labels[:, column], logits[:, column]) for column in range(columns)]
    expected = {name: np.mean([reference[name] for reference in references]) for name in references[0]}
    numbers = compute_metrics("multilabel_classification", logits, labels)
    assert without_loss(numbers) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_multiclass_task_agrees_with_scikit_learns_macro_averages(seed):
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(3, 7))
    labels = rng.permutation(np.concatenate([np.arange(classes), rng.integers(0, classes, 150)]))
    logits = rng.normal(scale=2, size=(len(labels), classes)) + 2 * np.eye(classes)[labels]
    predicted, probabilities = logits.argmax(axis=1), softmax(logits, axis=1)
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(labels, predicted),
        "f1": sklearn_metrics.f1_score(labels, predicted, average="macro", zero_division=0),
        "precision": sklearn_metrics.precision_score(labels, predicted, average="macro", zero_division=0),
        "recall": sklearn_metrics.recall_score(labels, predicted, average="macro", zero_division=0),
        "roc_auc": sklearn_metrics.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro"),
        "average_precision": sklearn_metrics.average_precision_score(labels, probabilities, average="macro"),
        "mcc": sklearn_metrics.matthews_corrcoef(labels, predicted),
    }
    numbers = compute_metrics("multiclass_classification", logits, labels)
    assert without_loss(numbers) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_shares_of_nothing_and_absent_classes_count_as_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    rows, classes = int(rng.integers(1, 8)), 6
    labels, logits = rng.integers(0, classes, rows), rng.normal(size=(rows, classes))
    predicted = logits.argmax(axis=1)
    expected = {
        "f1": sklearn_metrics.f1_score(labels, predicted, average="macro", zero_division=0),
        "precision": sklearn_metrics.precision_score(labels, predicted, average="macro", zero_division=0),
        "recall": sklearn_metrics.recall_score(labels, predicted, average="macro", zero_division=0),
        "mcc": sklearn_metrics.matthews_corrcoef(labels, predicted) if rows > 1 else 0.0,
    }
    numbers = compute_metrics("multiclass_classification", logits, labels)
    assert {name: numbers[name] for name in expected} == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("labels", "logits", "expected"),
    [
        ([0, 0, 0], [-1, -2, -3], {"accuracy": 1.0, "f1": 0.0, "precision": 0.0, "recall": 0.0, "mcc": 0.0}),
        ([0, 0, 0], [1, 2, 3], {"accuracy": 0.0, "f1": 0.0, "precision": 0.0, "recall": 0.0, "mcc": 0.0}),
        ([1, 1, 1], [1, 2, 3], {"accuracy": 1.0, "f1": 1.0, "precision": 1.0, "recall": 1.0, "mcc": 0.0}),
        ([1, 1, 1], [-1, -2, -3], {"accuracy": 0.0, "f1": 0.0, "precision": 0.0, "recall": 0.0, "mcc": 0.0}),
        ([1, 0], [1, -1], {"accuracy": 1.0, "f1": 1.0, "precision": 1.0, "recall": 1.0, "mcc": 1.0}),
        ([1, 0], [-1, 1], {"accuracy": 0.0, "f1": 0.0, "precision": 0.0, "recall": 0.0, "mcc": -1.0}),
    ],
)
def test_decisions_without_variety_have_numbers_too(labels, logits, expected):
    numbers = compute_metrics("binary_classification", logits, labels)
    assert {name: numbers[name] for name in expected} == expected


def test_a_logit_of_zero_is_a_negative_decision():
    assert compute_metrics("binary_classification", [0.0, 0.0], [0, 1])["recall"] == 0.0


def test_the_first_of_several_largest_logits_decides():
    assert compute_metrics("multiclass_classification", [[1, 1], [1, 1]], [0, 0])["accuracy"] == 1.0


def test_roc_auc_and_average_precision_of_several_labels_leave_out_those_with_one_class():
    labels = np.array([[0, 1, 0], [1, 1, 0], [0, 1, 0]])
    logits = np.array([[0.3, 1.0, 2.0], [0.1, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    numbers = compute_metrics("multilabel_classification", logits, labels)
    alone = compute_metrics("binary_classification", logits[:, 0], labels[:, 0])
    assert numbers["roc_auc"] == alone["roc_auc"] == 0.5
    assert numbers["average_precision"] == alone["average_precision"] == 0.5


def test_roc_auc_of_several_classes_leaves_out_those_that_are_absent():
    logits = np.array([[2.0, 0.0, 5.0], [0.0, 2.0, 5.0], [1.0, 0.5, 5.0], [1.2, 1.0, 5.0]])
    labels = np.array([0, 1, 0, 1])
    probabilities = softmax(logits, axis=1)
    expected = np.mean([sklearn_metrics.roc_auc_score(labels == name, probabilities[:, name]) for name in (0, 1)])
    assert compute_metrics("multiclass_classification", logits, labels)["roc_auc"] == pytest.approx(expected)


def test_a_million_rows_do_not_overflow_the_counts():
    labels = np.arange(1_000_000) % 2
    numbers = compute_metrics("binary_classification", labels * 2.0 - 1, labels)
    assert numbers["mcc"] == pytest.approx(1.0)


@settings(deadline=None)
@given(
    arrays(np.float64, (8, 3), elements=st.floats(-5, 5, width=16)),
    arrays(np.int64, 8, elements=st.integers(0, 2)),
    st.permutations(range(8)),
)
def test_the_order_of_the_rows_does_not_matter(logits, labels, order):
    numbers = compute_metrics("multiclass_classification", logits, labels)
    shuffled = compute_metrics("multiclass_classification", logits[order], labels[order])
    assert shuffled == pytest.approx(numbers, nan_ok=True)


@settings(deadline=None)
@given(arrays(np.float64, 10, elements=st.floats(-5, 5, width=16)), arrays(np.bool_, 10))
def test_turning_everything_around_leaves_accuracy_mcc_and_roc_auc(logits, labels):
    logits = np.where(logits == 0, 1.0, logits)
    numbers = compute_metrics("binary_classification", logits, labels)
    turned = compute_metrics("binary_classification", -logits, ~labels)
    names = ("loss", "accuracy", "mcc", "roc_auc")
    assert [turned[name] for name in names] == pytest.approx([numbers[name] for name in names], nan_ok=True)
