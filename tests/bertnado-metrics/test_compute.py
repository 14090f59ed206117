"""What `compute_metrics` makes of awkward input: numbers, NaN or a kind error; never a warning."""

import math

import numpy as np
import pytest
from bertnado_metrics import TASKS, compute_metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytestmark = pytest.mark.filterwarnings("error")

LOGITS = {"binary_classification": 1, "multiclass_classification": 3, "multilabel_classification": 3, "regression": 1}
CURVES, CORRELATIONS = {"roc_auc", "average_precision"}, {"pearson", "spearman"}
UNDEFINED = {
    "binary_classification": CURVES,
    "multiclass_classification": CURVES,
    "multilabel_classification": CURVES,
    "regression": CORRELATIONS,
}
SINGLE_ROWS = {
    "binary_classification": ([0.5], [1]),
    "multiclass_classification": ([[0.1, 0.2, 0.3]], [1]),
    "multilabel_classification": ([[0.1, -0.2, 0.3]], [[1, 0, 0]]),
    "regression": ([0.5], [2.0]),
}
ROWS = {
    "binary_classification": ([0.5, -1.0, 2.0, 0.1], [1, 0, 1, 0]),
    "multiclass_classification": ([[0.1, 0.2, 0.5], [1, 0, 0], [0, 1, 0], [0, 0, 1]], [1, 0, 1, 2]),
    "multilabel_classification": ([[0.1, -0.2], [1.0, 2.0], [-3.0, 1.0], [0.0, 0.5]], [[1, 0], [0, 1], [0, 0], [1, 1]]),
    "regression": ([0.5, -1.0, 2.0, 0.1], [1.0, 0.0, 1.5, 0.0]),
}


def undefined(numbers):
    return {name for name, value in numbers.items() if math.isnan(value)}


@pytest.mark.parametrize("task_type", TASKS)
def test_the_numbers_are_plain_floats_in_the_tasks_order(task_type):
    numbers = compute_metrics(task_type, *ROWS[task_type])
    assert list(numbers) == list(TASKS[task_type].metrics)
    assert {type(value) for value in numbers.values()} == {float}


@pytest.mark.parametrize("task_type", TASKS)
def test_nothing_is_undefined_in_ordinary_rows(task_type):
    assert undefined(compute_metrics(task_type, *ROWS[task_type])) == set()


@pytest.mark.parametrize("task_type", TASKS)
def test_of_a_single_row_only_curves_and_correlations_are_undefined(task_type):
    assert undefined(compute_metrics(task_type, *SINGLE_ROWS[task_type])) == UNDEFINED[task_type]


@pytest.mark.parametrize("task_type", TASKS)
def test_of_constant_labels_only_curves_and_correlations_are_undefined(task_type):
    logits, labels = ROWS[task_type]
    assert undefined(compute_metrics(task_type, logits, [labels[0]] * len(labels))) == UNDEFINED[task_type]


@pytest.mark.parametrize("task_type", TASKS)
def test_constant_logits_leave_only_correlations_undefined(task_type):
    logits, labels = ROWS[task_type]
    expected = UNDEFINED[task_type] if task_type == "regression" else set()
    assert undefined(compute_metrics(task_type, [logits[0]] * len(logits), labels)) == expected


def test_constant_logits_rank_no_better_than_chance():
    assert compute_metrics("binary_classification", [0.3] * 4, [0, 1, 0, 1])["roc_auc"] == 0.5


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("task_type", TASKS)
def test_one_logit_that_is_not_finite_makes_every_metric_undefined(task_type, value):
    logits, labels = np.array(ROWS[task_type][0]), ROWS[task_type][1]
    logits.flat[0] = value
    assert undefined(compute_metrics(task_type, logits, labels)) == set(TASKS[task_type].metrics)


@pytest.mark.parametrize("task_type", TASKS)
def test_without_rows_every_metric_is_undefined(task_type):
    labels = np.zeros((0, 3)) if task_type == "multilabel_classification" else []
    logits = np.zeros((0, LOGITS[task_type]))
    assert undefined(compute_metrics(task_type, logits, labels)) == set(TASKS[task_type].metrics)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("task_type", TASKS)
def test_the_largest_logits_of_a_type_leave_nothing_undefined(task_type, dtype):
    logits = np.sign(np.array(ROWS[task_type][0]) - 0.15).astype(dtype) * np.finfo(dtype).max
    numbers = compute_metrics(task_type, logits / 4, ROWS[task_type][1])
    assert undefined(numbers) == set()


@pytest.mark.parametrize("task_type", ["binary_classification", "regression"])
def test_one_logit_may_come_with_or_without_an_axis_of_its_own(task_type):
    logits, labels = ROWS[task_type]
    column = [[logit] for logit in logits]
    assert compute_metrics(task_type, column, labels) == compute_metrics(task_type, logits, labels)


@pytest.mark.parametrize("task_type", TASKS)
def test_lists_arrays_and_arrays_of_objects_are_the_same(task_type):
    logits, labels = ROWS[task_type]
    expected = compute_metrics(task_type, logits, labels)
    assert compute_metrics(task_type, np.array(logits), np.array(labels)) == expected
    assert compute_metrics(task_type, logits, np.array(labels, dtype=object)) == expected
    assert compute_metrics(task_type, logits, np.array(labels, dtype=np.float32)) == expected


@pytest.mark.parametrize("task_type", TASKS)
def test_the_input_is_left_as_it_was(task_type):
    logits, labels = np.array(ROWS[task_type][0]), np.array(ROWS[task_type][1])
    before = logits.copy(), labels.copy()
    compute_metrics(task_type, logits, labels)
    assert np.array_equal(logits, before[0])
    assert np.array_equal(labels, before[1])


@pytest.mark.parametrize("classes", [2, 11, 30])
def test_many_classes_in_few_rows_are_no_reason_to_warn(classes):
    rng = np.random.default_rng(classes)
    numbers = compute_metrics("multiclass_classification", rng.normal(size=(classes, classes)), np.arange(classes))
    assert undefined(numbers) == set()


@settings(deadline=None)
@given(st.data(), st.sampled_from(list(TASKS)), st.integers(1, 6))
def test_whatever_the_logits_are_there_is_a_number_or_nan_for_every_metric(data, task_type, rows):
    columns = LOGITS[task_type]
    logits = data.draw(arrays(np.float32, (rows, columns), elements=st.floats(width=32)))
    shape = (rows, columns) if task_type == "multilabel_classification" else rows
    labels = data.draw(arrays(np.int64, shape, elements=st.integers(0, 1)))
    numbers = compute_metrics(task_type, logits, labels)
    if not np.isfinite(logits).all():
        assert undefined(numbers) == set(numbers)
    else:
        assert undefined(numbers) <= UNDEFINED[task_type]


@pytest.mark.parametrize(
    ("task_type", "logits", "labels", "message"),
    [
        (
            *("binary_classification", [[1.0, 2.0]], [1]),
            "labels of the shape (1,) need 1 logit(s) per row, got 2; load the model with num_labels=1",
        ),
        (
            *("multilabel_classification", [[1.0, 2.0]], [[1, 0, 1]]),
            "labels of the shape (1, 3) need 3 logit(s) per row, got 2; load the model with num_labels=3",
        ),
        (
            *("multiclass_classification", [[1.0, 2.0]], [2]),
            "the highest label is 2, but there are logits for 2 class(es) only; load the model with num_labels=3",
        ),
        ("regression", [1.0, 2.0, 3.0], [1.0, 2.0], "logits and labels must have the same number of rows, got 3 and 2"),
        ("binary_classification", [1.0], [], "binary_classification: there are no labels"),
        ("regression", [], [1.0], "logits and labels must have the same number of rows, got 0 and 1"),
        (
            "regression",
            np.zeros((2, 1, 1)),
            [1.0, 2.0],
            "logits must have the shape (rows,) or (rows, logits), got (2, 1, 1)",
        ),
        ("regression", 1.0, [1.0], "logits must have the shape (rows,) or (rows, logits), got ()"),
        (
            *("regression", [[1.0], [1.0, 2.0]], [1.0, 2.0]),
            "logits must be an array of numbers whose rows have the same length",
        ),
        (
            *("binary_classification", [1.0, 2.0], [1, -100]),
            (
                "binary_classification: -100 (the mark of a missing label) in 1 of 2 labels "
                "(first: in row 1, counting from 0); remove these rows or label them"
            ),
        ),
        (
            *("multilabel_classification", [1.0, 2.0], [1, 0]),
            (
                "multilabel_classification: labels have the shape (2,); "
                "each row needs a list with a 0 or 1 for every label, of the same length in all rows"
            ),
        ),
    ],
)
def test_shapes_and_labels_that_do_not_fit_are_named(task_type, logits, labels, message):
    with pytest.raises(ValueError) as error:
        compute_metrics(task_type, logits, labels)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("task_type", "class_weights", "message"),
    [
        (
            *("binary_classification", [1.0, 2.0]),
            "binary_classification: there must be 1 class weight(s), one per logit, got 2",
        ),
        (
            *("multiclass_classification", [1.0, 2.0]),
            "multiclass_classification: there must be 3 class weight(s), one per logit, got 2",
        ),
        (
            *("multiclass_classification", [1.0, math.nan, 1.0]),
            "multiclass_classification: class weights must be finite and at least 0, got nan for class '1'",
        ),
        (
            "multilabel_classification",
            [1.0, 1.0],
            "multilabel_classification: class weights are not used; omit them",
        ),
        ("regression", [1.0], "regression: class weights are not used; omit them"),
    ],
)
def test_class_weights_that_do_not_fit_are_named(task_type, class_weights, message):
    with pytest.raises(ValueError) as error:
        compute_metrics(task_type, *ROWS[task_type], class_weights=class_weights)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("task_type", "class_weights"), [("binary_classification", (3.0,)), ("multiclass_classification", (1.0, 2.0, 0.5))]
)
def test_class_weights_change_the_loss_alone(task_type, class_weights):
    plain = compute_metrics(task_type, *ROWS[task_type])
    weighted = compute_metrics(task_type, *ROWS[task_type], class_weights=class_weights)
    assert {name for name in plain if weighted[name] != plain[name]} == {"loss"}
