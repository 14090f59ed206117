"""The kept checkpoint of a trial as the final model."""

import json
import shutil
from dataclasses import replace

import pytest
from bertnado_config import TrialError
from bertnado_metrics import Objective
from bertnado_train import TrainingInputs, adopt_checkpoint, train_model, train_trial
from safetensors.torch import load_file, save_file

AUC = Objective("eval/roc_auc", "maximize")
QUICK = {"max_steps": 6, "eval_steps": 2, "learning_rate": 1e-3}


@pytest.fixture(params=["auto", "pooled"])
def inputs(request, model_dir, dataset_dir):
    """What a trial trains, with each kind of head."""
    return TrainingInputs(model_name=str(model_dir), dataset=dataset_dir, head=request.param)


@pytest.fixture
def trial(inputs, tmp_path):
    """A trial."""
    return train_trial(
        inputs.model_name, inputs.dataset, "binary_classification", QUICK, AUC, tmp_path, head=inputs.head
    )


def test_it_is_the_model_that_training_anew_gives(inputs, trial, tmp_path):
    adopted = adopt_checkpoint(inputs, QUICK, AUC, tmp_path / "adopted", trial)
    trained = train_model(inputs, QUICK, AUC, tmp_path / "trained")
    weights = [load_file(final.model_path / "model.safetensors") for final in (adopted, trained)]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[1])
    assert {file.name for file in adopted.model_path.iterdir()} == {file.name for file in trained.model_path.iterdir()}
    metrics = json.loads(adopted.metrics_path.read_text())
    for split in ("validation", "test"):
        assert metrics[split] == pytest.approx(trained.metrics[split], abs=1e-6)
    assert metrics["objective"]["value"] == adopted.result.value == pytest.approx(trial.value)
    assert (metrics["best_step"], metrics["seed"], metrics["adopted_from"]) == (trial.step, 42, str(trial.checkpoint))
    assert metrics["details"]["arguments"]["learning_rate"] == 1e-3


def test_a_regression_on_standardised_labels_stays_in_label_units(model_dir, write_dataset, sequences, tmp_path):
    columns = {
        name: {"sequence": texts, "labels": [1000 + 900 * text.count("G") / len(text) for text in texts]}
        for name, (texts, _) in sequences.items()
    }
    dataset = write_dataset(**columns)
    inputs = TrainingInputs(model_name=str(model_dir), dataset=dataset, task_type="regression")
    error = Objective("eval/rmse", "minimize")
    trial = train_trial(inputs.model_name, dataset, "regression", QUICK, error, tmp_path)
    adopted = adopt_checkpoint(inputs, QUICK, error, tmp_path / "adopted", trial)
    assert adopted.result.value == pytest.approx(trial.value, rel=1e-3)
    assert adopted.result.value < 500


def test_the_checkpoint_stays_and_a_missing_tokenizer_is_added(inputs, trial, tmp_path):
    (trial.checkpoint / "tokenizer.json").unlink()
    before = {file.name: file.read_bytes() for file in trial.checkpoint.iterdir()}
    adopted = adopt_checkpoint(inputs, QUICK, AUC, tmp_path / "adopted", trial)
    assert {file.name: file.read_bytes() for file in trial.checkpoint.iterdir()} == before
    assert (adopted.model_path / "tokenizer.json").is_file()


def test_a_value_that_is_not_that_of_the_trial_is_said(inputs, trial, tmp_path):
    assert not any("in the trial" in note for note in adopt_checkpoint(inputs, QUICK, AUC, tmp_path, trial).notes)
    shutil.rmtree(tmp_path / "model")
    adopted = adopt_checkpoint(inputs, QUICK, AUC, tmp_path, replace(trial, value=0.1234))
    values = f"eval/roc_auc of the final model is {adopted.result.value:.4f}, and was 0.1234 in the trial"
    assert any(note.startswith(values) for note in adopted.notes)
    metrics = json.loads(adopted.metrics_path.read_text())
    assert metrics["value_in_trial"] == 0.1234
    assert metrics["notes"] == adopted.notes


def test_a_checkpoint_whose_weights_are_not_finite_is_an_error(inputs, trial, tmp_path):
    copied = shutil.copytree(trial.checkpoint, tmp_path / "copied")
    weights = load_file(copied / "model.safetensors")
    name = next(iter(weights))
    save_file({**weights, name: weights[name] * float("nan")}, copied / "model.safetensors", {"format": "pt"})
    with pytest.raises(TrialError, match=r"eval/roc_auc of .*copied must be finite, got nan"):
        adopt_checkpoint(inputs, QUICK, AUC, tmp_path / "adopted", replace(trial, checkpoint=copied))
