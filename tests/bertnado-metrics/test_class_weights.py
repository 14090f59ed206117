"""What the numbers in class_weights.json mean."""

import math

import pytest
from bertnado_metrics import get_task

BINARY, MULTICLASS = get_task("binary_classification"), get_task("multiclass_classification")


def test_the_row_counts_of_a_binary_task_become_the_weight_of_the_positive_class():
    assert BINARY.class_weights_from({"0": 300, "1": 100}) == (3.0,)


def test_the_order_of_the_classes_in_the_file_does_not_matter():
    assert BINARY.class_weights_from({"1": 100, "0": 300}) == (3.0,)


def test_the_weights_of_a_multiclass_task_are_taken_as_they_are():
    weights = {str(index): 0.5 + index for index in range(12)}
    assert MULTICLASS.class_weights_from(weights) == tuple(0.5 + index for index in range(12))


@pytest.mark.parametrize("task_type", ["multilabel_classification", "regression"])
def test_a_task_without_weights_says_so(task_type):
    with pytest.raises(ValueError) as error:
        get_task(task_type).class_weights_from({"0": 1, "1": 2})
    assert str(error.value) == (
        f"{task_type}: class weights are not used; remove class_weights.json or choose another task"
    )


COUNTS = 'binary_classification: class weights of a binary task must be {"0": negative rows, "1": positive rows}'
ROWS = "binary_classification: class weights of a binary task must be whole numbers of rows above 0"


@pytest.mark.parametrize(
    ("task", "content", "message"),
    [
        (BINARY, {"0": 1, "1": 2, "2": 3}, f"{COUNTS}, got 3 class(es)"),
        (BINARY, {"0": 3}, f"{COUNTS}, got 1 class(es)"),
        (BINARY, {"0": 3, "1": 0}, f"{ROWS}, got 0 for class '1'"),
        (BINARY, {"0": 0.6, "1": 3.0}, f"{ROWS}, got 0.6 for class '0'"),
        (
            *(BINARY, {"negative": 3, "positive": 1}),
            "binary_classification: class weights must be named '0', '1', ..., got negative, positive",
        ),
        (
            *(MULTICLASS, {"1": 3.0, "2": 1.0}),
            "multiclass_classification: class weights must be named '0', '1', ..., got 1, 2",
        ),
        (
            *(MULTICLASS, {}),
            "multiclass_classification: class weights must be named '0', '1', ..., got no names",
        ),
        (
            *(MULTICLASS, {"0": "1", "1": 1.0}),
            "multiclass_classification: class weights must be finite numbers, got '1' for class '0'",
        ),
        (
            *(MULTICLASS, {"0": 1.0, "1": math.nan}),
            "multiclass_classification: class weights must be finite numbers, got nan for class '1'",
        ),
        (
            *(MULTICLASS, {"0": 1.0, "1": -1}),
            "multiclass_classification: class weights must be finite and at least 0, got -1.0 for class '1'",
        ),
        (
            *(MULTICLASS, {"0": 0, "1": 0}),
            "multiclass_classification: at least one class weight must be above 0, got only zeros",
        ),
        (
            *(MULTICLASS, [1.0, 2.0]),
            "multiclass_classification: class weights must be an object with a number per class, got list",
        ),
    ],
)
def test_unusable_content_is_named_with_the_rule(task, content, message):
    with pytest.raises(ValueError) as error:
        task.class_weights_from(content)
    assert str(error.value) == message
