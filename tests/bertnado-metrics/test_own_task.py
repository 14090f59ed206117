"""A task of one's own is accepted as an object wherever the name of a task is."""

import pickle
from dataclasses import replace

import pytest
from bertnado_metrics import TASKS, Metric, Objective, compute_metrics, get_task, resolve_objective


def positives(evaluation):
    """Count the rows that are predicted to be positive."""
    return float(evaluation.predicted.sum())


OWN = replace(
    TASKS["binary_classification"],
    name="enhancers",
    metrics={**TASKS["binary_classification"].metrics, "positives": Metric("positives", "minimize", positives)},
    default_objective="positives",
)


def test_a_task_is_returned_as_it_is():
    assert get_task(OWN) is OWN


def test_the_metrics_of_a_task_are_computed():
    numbers = compute_metrics(OWN, [1.0, -1.0, 2.0], [1, 0, 0])
    named = compute_metrics("binary_classification", [1.0, -1.0, 2.0], [1, 0, 0])
    assert numbers == named | {"positives": 2.0}


def test_the_objective_of_a_task_is_resolved():
    assert resolve_objective(OWN) == Objective("eval/positives", "minimize")
    assert resolve_objective(OWN, "f1") == Objective("eval/f1", "maximize")
    with pytest.raises(ValueError, match=r"metric 'eval/positive' is not computed for enhancers; did you mean"):
        resolve_objective(OWN, "eval/positive")


def test_a_task_survives_pickling():
    assert pickle.loads(pickle.dumps(OWN)) == OWN
