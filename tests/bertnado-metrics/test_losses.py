"""The loss is the one that training minimises."""

import math

import numpy as np
import pytest
from bertnado_metrics import compute_metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

LOGITS = st.floats(-30, 30, width=32)


def loss_of(task_type, logits, labels, class_weights=None):
    return compute_metrics(task_type, logits, labels, class_weights=class_weights)["loss"]


def test_the_loss_of_a_binary_task_is_the_mean_surprise():
    expected = -(math.log(1 / (1 + math.exp(-2))) + math.log(1 - 1 / (1 + math.exp(-0.5)))) / 2
    assert loss_of("binary_classification", [2.0, 0.5], [1, 0]) == pytest.approx(expected, rel=1e-12)


def test_the_weight_of_a_binary_task_multiplies_the_losses_of_positives_only():
    positive, negative = math.log1p(math.exp(-2.0)), math.log1p(math.exp(0.5))
    weighted = loss_of("binary_classification", [2.0, 0.5], [1, 0], [3.0])
    assert weighted == pytest.approx((3 * positive + negative) / 2, rel=1e-12)


def test_the_weights_of_a_multiclass_task_do_not_change_the_divisor():
    logits = [[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]]
    surprises = [math.log(sum(map(math.exp, row))) - row[label] for row, label in zip(logits, [0, 2], strict=True)]
    weighted = loss_of("multiclass_classification", logits, [0, 2], [0.5, 1.0, 4.0])
    assert weighted == pytest.approx((0.5 * surprises[0] + 4.0 * surprises[1]) / 2, rel=1e-12)


def test_the_loss_of_a_multilabel_task_is_over_all_labels_of_all_rows():
    logits, labels = [[1.0, -2.0], [0.0, 3.0]], [[1, 0], [0, 1]]
    columns = [loss_of("binary_classification", [row[i] for row in logits], [row[i] for row in labels]) for i in (0, 1)]
    assert loss_of("multilabel_classification", logits, labels) == pytest.approx(sum(columns) / 2, rel=1e-12)


def test_the_loss_of_a_regression_is_its_mean_squared_error():
    assert loss_of("regression", [1.0, 2.0, 4.0], [1.0, 0.0, 1.0]) == pytest.approx((0 + 4 + 9) / 3, rel=1e-12)


@pytest.mark.parametrize(
    ("task_type", "logits", "labels", "expected"),
    [
        ("binary_classification", [1e38], [0], 1e38),
        ("binary_classification", [1e38], [1], 0.0),
        ("binary_classification", [-800.0], [0], 0.0),
        ("binary_classification", [-40.0], [0], math.exp(-40)),
        ("multiclass_classification", [[1e38, -1e38]], [1], 2e38),
        ("multiclass_classification", [[1e38, -1e38]], [0], 0.0),
        ("multiclass_classification", [[0.0, -40.0]], [0], math.exp(-40)),
        ("multiclass_classification", [[1000.0, 1000.0]], [0], math.log(2)),
        ("multilabel_classification", [[1e38, -1e38]], [[1, 1]], 5e37),
        ("regression", [1e38], [0.0], 1e76),
    ],
)
def test_extreme_logits_lose_no_precision(task_type, logits, labels, expected):
    assert loss_of(task_type, logits, labels) == pytest.approx(expected, rel=1e-12)


@settings(deadline=None)
@given(st.integers(1, 20).flatmap(lambda rows: st.tuples(arrays(np.float64, rows, elements=LOGITS), st.just(rows))))
def test_a_weight_of_one_changes_nothing(case):
    logits, rows = case
    labels = np.arange(rows) % 2
    plain, weighted = (
        loss_of("binary_classification", logits, labels),
        loss_of("binary_classification", logits, labels, [1.0]),
    )
    assert weighted == plain


@settings(deadline=None)
@given(arrays(np.float64, 12, elements=LOGITS), st.floats(0.1, 10))
def test_one_logit_is_worth_two_whose_difference_it_is(logits, weight):
    labels = np.arange(12) % 2
    two = np.stack([np.zeros(12), logits], axis=1)
    one_logit = loss_of("binary_classification", logits, labels, [weight])
    two_logits = loss_of("multiclass_classification", two, labels, [1.0, weight])
    assert one_logit == pytest.approx(two_logits, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("task_type", "shape", "class_weights"),
    [
        ("binary_classification", (40, 1), None),
        ("binary_classification", (40, 1), (2.5,)),
        ("multiclass_classification", (40, 4), None),
        ("multiclass_classification", (40, 4), (0.5, 1.0, 2.0, 0.0)),
        ("multilabel_classification", (40, 3), None),
        ("regression", (40, 1), None),
    ],
)
def test_the_loss_agrees_with_pytorch(task_type, shape, class_weights):
    torch = pytest.importorskip("torch")
    from bertnado_metrics import get_task

    rng = np.random.default_rng(5)
    logits = rng.normal(scale=3, size=shape)
    task = get_task(task_type)
    labels = {
        "float32": rng.normal(size=shape) if task_type == "regression" else rng.integers(0, 2, shape).astype(float),
        "int64": rng.integers(0, shape[1], shape[0]),
    }[task.label_dtype]
    weights = {} if class_weights is None else {task.loss.weight_argument: torch.tensor(class_weights).double()}
    function = getattr(torch.nn.functional, task.loss.functional)
    total = function(torch.tensor(logits), torch.tensor(labels), reduction="sum", **weights)
    given_labels = labels[:, 0] if task_type == "binary_classification" else labels
    ours = loss_of(task_type, logits, given_labels, class_weights)
    assert ours == pytest.approx(total.item() / labels.size, rel=1e-12)
