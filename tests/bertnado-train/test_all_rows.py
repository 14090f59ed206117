"""Training on the splits train and validation together."""

import json
import math

import pytest
from bertnado_metrics import Objective
from bertnado_train import DivergedError, TrainingInputs, train_model, train_on_all_rows
from bertnado_train.trial import SilentReport
from safetensors.torch import load_file

AUC = Objective("eval/roc_auc", "maximize")
PARAMETERS = {"epochs": 3, "per_device_train_batch_size": 16, "learning_rate": 1e-3, "warmup_ratio": 0.2}
"""18 steps on the 96 rows of train."""


class Recorder(SilentReport):
    """Keeps what a trial reports."""

    def __init__(self, directory):
        super().__init__(directory, AUC)
        self.total, self.steps, self.rates, self.evaluations = None, [], [], []

    def started(self, total_steps, details):
        self.total = total_steps

    def progress(self, step, metrics=None):
        if metrics is None:
            self.steps.append(step)
        else:
            self.rates.append(metrics["train/learning_rate"])

    def __call__(self, step, value, metrics=None):
        self.evaluations.append(step)


@pytest.fixture
def train(model_dir, dataset_dir, tmp_path):
    """Train on all rows."""

    def run(parameters=PARAMETERS, *, steps=5, report=None, dataset=dataset_dir):
        inputs = TrainingInputs(model_name=str(model_dir), dataset=dataset)
        return train_on_all_rows(inputs, parameters, AUC, tmp_path / "all", steps=steps, report=report)

    return run


def test_it_claims_nothing_about_validation_and_tests_once(train):
    final = train()
    metrics = json.loads(final.metrics_path.read_text())
    assert metrics["objective"] == {"name": "eval/roc_auc", "goal": "maximize"}
    assert (metrics["steps"], metrics["trained_on"]) == (5, ["train", "validation"])
    assert {"validation", "best_step"} & metrics.keys() == set()
    assert {"loss", "roc_auc", "f1"} <= metrics["test"].keys()
    assert (final.result.value, final.result.history) == (None, [])
    assert metrics["details"]["dataset"]["rows"] == {"train": 96, "validation": 56, "test": 56}


def test_it_ends_within_the_schedule_of_the_trial(train, tmp_path):
    report = Recorder(tmp_path)
    train(PARAMETERS | {"logging_steps": 1}, steps=5, report=report)
    assert (report.steps, report.total, report.evaluations) == ([1, 2, 3, 4, 5], 5, [])
    warmup = math.ceil(0.2 * 18)
    expected = [1e-3 * min(step / warmup, (18 - step) / (18 - warmup)) for step in range(5)]
    assert report.rates == pytest.approx(expected)


def test_the_validation_rows_are_trained_on(train, model_dir, write_dataset, sequences, tmp_path):
    """With as many steps as rows in both splits, both kinds of training see the same rows: one split in two."""
    texts, labels = sequences["train"]
    columns = {"sequence": texts, "labels": labels.tolist()}
    parts = {
        "train": {name: column[:60] for name, column in columns.items()},
        "validation": {name: column[60:] for name, column in columns.items()},
    }
    whole = {"train": columns, "validation": parts["validation"]}
    constant = {"max_steps": 12, "lr_scheduler_type": "constant", "learning_rate": 1e-3}
    final = train(constant, steps=12, dataset=write_dataset(**parts))
    trained = load_file(final.model_path / "model.safetensors")
    inputs = TrainingInputs(model_name=str(model_dir), dataset=write_dataset(**whole))
    same = train_model(inputs, constant | {"eval_steps": 12}, AUC, tmp_path / "whole")
    expected = load_file(same.model_path / "model.safetensors")
    assert trained.keys() == expected.keys()
    assert all(trained[name].equal(expected[name]) for name in expected)


@pytest.mark.parametrize("steps", [0, 19])
def test_a_number_of_steps_that_the_trial_does_not_have_is_refused(train, steps):
    with pytest.raises(
        ValueError, match=f"steps must be at least 1 and at most the 18 steps of the trial, got {steps}"
    ):
        train(steps=steps)


def test_weights_that_are_not_finite_are_an_error(train):
    with pytest.raises(DivergedError, match=r"some weights are not finite after step 3; the learning rate, 1e[+]38"):
        train(PARAMETERS | {"learning_rate": 1e38, "warmup_ratio": 0, "max_grad_norm": 0}, steps=3)
