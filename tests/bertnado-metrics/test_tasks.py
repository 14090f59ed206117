"""What each task type is."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from bertnado_metrics import TASKS, get_task

CLASSIFICATION = ["loss", "accuracy", "f1", "precision", "recall", "roc_auc", "average_precision", "mcc"]
REGRESSION = ["loss", "mse", "rmse", "mae", "r2", "pearson", "spearman"]


def test_there_is_one_task_for_each_task_type():
    assert tuple(TASKS) == (
        "binary_classification",
        "multiclass_classification",
        "multilabel_classification",
        "regression",
    )


@pytest.mark.parametrize(
    ("task_type", "metrics"),
    [
        ("binary_classification", CLASSIFICATION),
        ("multiclass_classification", CLASSIFICATION),
        ("multilabel_classification", CLASSIFICATION),
        ("regression", REGRESSION),
    ],
)
def test_a_task_computes_these_metrics(task_type, metrics):
    assert list(get_task(task_type).metrics) == metrics


def test_only_losses_and_errors_are_minimized():
    minimized = {name for task in TASKS.values() for name, metric in task.metrics.items() if metric.goal == "minimize"}
    assert minimized == {"loss", "mse", "rmse", "mae"}


@pytest.mark.parametrize(
    ("task_type", "problem_type", "label_dtype", "functional", "weight_argument", "default_objective"),
    [
        (
            *("binary_classification", "multi_label_classification", "float32"),
            *("binary_cross_entropy_with_logits", "pos_weight", "roc_auc"),
        ),
        (
            *("multiclass_classification", "single_label_classification", "int64"),
            *("cross_entropy", "weight", "f1"),
        ),
        (
            *("multilabel_classification", "multi_label_classification", "float32"),
            *("binary_cross_entropy_with_logits", None, "roc_auc"),
        ),
        ("regression", "regression", "float32", "mse_loss", None, "r2"),
    ],
)
def test_a_task_knows_how_it_is_trained(
    task_type, problem_type, label_dtype, functional, weight_argument, default_objective
):
    task = get_task(task_type)
    assert task.name == task_type
    assert task.problem_type == problem_type
    assert task.label_dtype == label_dtype
    assert task.loss.functional == functional
    assert task.loss.weight_argument == weight_argument
    assert task.default_objective == default_objective


@pytest.mark.parametrize(
    ("task_type", "labels", "logits"),
    [
        ("binary_classification", [0, 1, 1], 1),
        ("binary_classification", [0, 0], 1),
        ("multiclass_classification", [0, 2, 1], 3),
        ("multiclass_classification", np.array([4.0, 0.0]), 5),
        ("multiclass_classification", [0, 0], 1),
        ("multilabel_classification", [[0, 1, 1, 0], [1, 1, 0, 0]], 4),
        ("multilabel_classification", [[1], [0]], 1),
        ("regression", [0.5, 2.5], 1),
        ("regression", [[0.5, 1.0], [2.5, 1.0]], 2),
    ],
)
def test_labels_say_how_many_logits_a_model_needs(task_type, labels, logits):
    assert get_task(task_type).logit_count(labels) == logits


def test_logits_of_unusable_labels_cannot_be_counted():
    with pytest.raises(ValueError, match="-100"):
        get_task("multiclass_classification").logit_count([0, -100])


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("binary", "binary_classification"),
        ("binary-classification", "binary_classification"),
        ("multi_label_classification", "multilabel_classification"),
        ("Regression", "regression"),
    ],
)
def test_an_unknown_task_type_is_answered_with_the_nearest_one(name, suggestion):
    with pytest.raises(ValueError) as error:
        get_task(name)
    assert str(error.value) == f"unknown task {name!r}; did you mean {suggestion!r}? ({', '.join(TASKS)})"


def test_a_task_type_like_no_other_is_answered_with_all_of_them():
    with pytest.raises(ValueError) as error:
        get_task("xyz")
    assert str(error.value) == f"unknown task 'xyz'; choose from {', '.join(TASKS)}"


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_task_survives_pickling(task):
    assert pickle.loads(pickle.dumps(task)) == task


def test_a_task_whose_default_objective_it_does_not_compute_cannot_be_made():
    with pytest.raises(ValueError, match="default_objective of binary_classification must be one of loss, "):
        replace(get_task("binary_classification"), default_objective="r2")
