"""What the numbers in class_weights.json mean."""

import math

import numpy as np
import pytest
from bertnado_metrics import get_task
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

BINARY, MULTICLASS = get_task("binary_classification"), get_task("multiclass_classification")


def test_the_row_counts_of_a_binary_task_become_the_weight_of_the_positive_class():
    assert BINARY.class_weights_from({"0": 300, "1": 100}) == (3.0,)


def test_the_row_counts_of_a_multiclass_task_become_total_over_classes_times_count():
    total = 900 + 100 + 10
    assert MULTICLASS.class_weights_from({"0": 900, "1": 100, "2": 10}) == (
        total / (3 * 900),
        total / (3 * 100),
        total / (3 * 10),
    )


def test_the_order_of_the_classes_in_the_file_does_not_matter():
    assert BINARY.class_weights_from({"1": 100, "0": 300}) == (3.0,)
    assert MULTICLASS.class_weights_from({"2": 1, "0": 4, "1": 1}) == (0.5, 2.0, 2.0)


def test_weights_are_taken_as_they_are_and_their_quotient_for_a_binary_task():
    weights = {str(index): 0.5 + index for index in range(12)}
    assert MULTICLASS.class_weights_from({"weights": weights}) == tuple(0.5 + index for index in range(12))
    assert BINARY.class_weights_from({"weights": {"0": 0.5, "1": 2}}) == (4.0,)


def test_counts_and_their_weights_mean_the_same_in_every_task():
    weights = MULTICLASS.class_weights_from({"0": 300, "1": 100})
    assert weights[1] / weights[0] == BINARY.class_weights_from({"0": 300, "1": 100})[0] == 3.0


def test_a_class_without_a_row_has_the_weight_1_and_is_not_counted_as_a_class():
    assert MULTICLASS.class_weights_from({"0": 30, "1": 0, "2": 10}) == (40 / 60, 1.0, 40 / 20)


@settings(deadline=None)  # the first example imports numpy
@given(st.lists(st.integers(1, 50), min_size=2, max_size=6))
def test_balanced_weights_are_those_of_scikit_learn(counts):
    labels = [name for name, count in enumerate(counts) for _ in range(count)]
    expected = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
    assert MULTICLASS.balanced_class_weights(labels, len(counts)) == pytest.approx(expected)
    assert MULTICLASS.class_weights_from({str(name): count for name, count in enumerate(counts)}) == pytest.approx(
        expected
    )


def test_balanced_weights_of_a_binary_task_are_negative_over_positive_rows():
    assert BINARY.balanced_class_weights([0.0, 0.0, 0.0, 1.0], 2) == (3.0,)


@pytest.mark.parametrize("task_type", ["multilabel_classification", "regression"])
def test_a_task_without_weights_says_so(task_type):
    with pytest.raises(ValueError) as error:
        get_task(task_type).class_weights_from({"0": 1, "1": 2})
    assert str(error.value) == (
        f"{task_type}: class weights are not used; remove class_weights.json or choose another task"
    )
    with pytest.raises(ValueError, match=f"^{task_type}: class weights are not used$"):
        get_task(task_type).balanced_class_weights([0, 1], 2)


FORMS = 'write row counts, {"0": 900, "1": 100}, or weights, {"weights": {"0": 1.0, "1": 9.0}}'
ROWS = "class weights without 'weights' must be whole numbers of rows, at least 0"


@pytest.mark.parametrize(
    ("task", "content", "message"),
    [
        (BINARY, {"0": 1, "1": 2, "2": 3}, "class weights of a binary task must be of the classes '0' and '1', got 3"),
        (BINARY, {"0": 3}, "class weights must count the rows of at least two classes, got rows of fewer"),
        (BINARY, {"0": 3, "1": 0}, "class weights must count the rows of at least two classes, got rows of fewer"),
        (BINARY, {"0": 0.6, "1": 3.0}, f"{ROWS}, got 0.6 for class '0'; {FORMS}"),
        (MULTICLASS, {"0": 1, "1": 2.5, "2": 1}, f"{ROWS}, got 2.5 for class '1'; {FORMS}"),
        (MULTICLASS, {"0": 1, "1": -1}, f"{ROWS}, got -1 for class '1'; {FORMS}"),
        (
            *(BINARY, {"negative": 3, "positive": 1}),
            "class weights must be named '0', '1', ..., got negative, positive",
        ),
        (MULTICLASS, {"1": 3.0, "2": 1.0}, "class weights must be named '0', '1', ..., got 1, 2"),
        (MULTICLASS, {}, "class weights must be named '0', '1', ..., got no names"),
        (MULTICLASS, {"weights": {}}, "class weights must be named '0', '1', ..., got no names"),
        (MULTICLASS, {"0": "1", "1": 1.0}, "class weights must be finite numbers, got '1' for class '0'"),
        (MULTICLASS, {"0": 1.0, "1": math.nan}, "class weights must be finite numbers, got nan for class '1'"),
        (MULTICLASS, {"0": True, "1": 1}, "class weights must be finite numbers, got True for class '0'"),
        (
            *(MULTICLASS, {"weights": {"0": 1.0, "1": -1}}),
            "class weights must be finite and at least 0, got -1.0 for class '1'",
        ),
        (MULTICLASS, {"weights": {"0": 0, "1": 0}}, "at least one class weight must be above 0, got only zeros"),
        (
            *(BINARY, {"weights": {"0": 1, "1": 0}}),
            "class weights of a binary task must be above 0, got 0 for class '1'",
        ),
        (
            *(BINARY, {"weights": {"0": 1e-300, "1": 1e300}}),
            "class weights must be finite and at least 0, got inf for class '0'",
        ),
        (
            *(MULTICLASS, {"weights": [1.0, 2.0]}),
            f"'weights' must be an object with a number per class, got [1.0, 2.0]; {FORMS}",
        ),
        (
            *(MULTICLASS, {"weights": {"0": 1.0, "1": 2.0}, "0": 5}),
            f"class weights must be either counts or weights, got 'weights' beside '0'; {FORMS}",
        ),
        (MULTICLASS, [1.0, 2.0], "class weights must be an object with a number per class, got list"),
    ],
)
def test_unusable_content_is_named_with_the_rule(task, content, message):
    with pytest.raises(ValueError) as error:
        task.class_weights_from(content)
    assert str(error.value) == f"{task.name}: {message}"


def test_a_count_that_no_float_can_hold_is_refused():
    with pytest.raises(ValueError, match=r"class weights must be finite numbers, got 1000"):
        MULTICLASS.class_weights_from({"0": 10**400, "1": 1})
