"""A final model is evaluated, read back and predicted on the strands that it was chosen with."""

import json

import numpy as np
import pytest
from bertnado_config import PredictionOptions, TrainingInputs
from bertnado_metrics import Objective, compute_metrics
from bertnado_train import Predictor, adopt_checkpoint, open_input, train_model, train_on_all_rows, train_trial
from support.strands import averaged_logits, plain_logits, write_telling_model

AUC = Objective("eval/roc_auc", "maximize")
QUICK = {"max_steps": 6, "eval_steps": 3, "learning_rate": 1e-3, "per_device_train_batch_size": 16}


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory, sequences):
    directory = tmp_path_factory.mktemp("model")
    write_telling_model(directory, sequences["train"][0])
    return directory


@pytest.fixture(scope="module")
def inputs(model_dir, dataset_dir):
    return TrainingInputs(model_name=str(model_dir), dataset=dataset_dir)


@pytest.fixture(scope="module")
def final(inputs, tmp_path_factory):
    """A final model that is evaluated on both strands."""
    parameters = QUICK | {"reverse_complement": "average"}
    return train_model(inputs, parameters, AUC, tmp_path_factory.mktemp("final"))


def test_final_metrics_and_predictions_average_both_strands(final, sequences):
    texts, labels = sequences["test"]
    logits = averaged_logits(final.model_path, texts)
    assert final.metrics["test"] == pytest.approx(compute_metrics("binary_classification", logits, labels), abs=1e-5)
    lines = (final.metrics_path.parent / "predictions.tsv").read_text().splitlines()
    column = lines[0].split("\t").index("probability_positive")
    written = [float(line.split("\t")[column]) for line in lines[1:]]
    assert written == pytest.approx(1 / (1 + np.exp(-logits[:, 0])), abs=1e-5)
    assert final.notes == []


def test_it_is_recorded_and_predicted_so_unless_something_else_is_asked_for(final, dataset_dir, sequences):
    record = json.loads((final.model_path / "prediction.json").read_text())
    assert (record["format"], record["reverse_complement"]) == (1, "average")

    def logits(**options):
        asked = {"model": final.model_path, "input": dataset_dir, "split": "test", **options}
        checked = PredictionOptions.checked(asked)
        predictor = Predictor(checked)
        return np.concatenate([part.logits for part in predictor.predict(open_input(checked, predictor.record))])

    texts = sequences["test"][0]
    assert logits() == pytest.approx(averaged_logits(final.model_path, texts), abs=1e-5)
    assert logits(reverse_complement="none") == pytest.approx(plain_logits(final.model_path, texts), abs=1e-5)


def test_a_model_of_augmented_training_is_predicted_on_one_strand(inputs, tmp_path):
    parameters = QUICK | {"reverse_complement": "augment"}
    final = train_on_all_rows(inputs, parameters, AUC, tmp_path, steps=4)
    record = json.loads((final.model_path / "prediction.json").read_text())
    assert record["reverse_complement"] == "none"
    assert final.metrics["details"]["reverse_complement"] == "augment"


def test_an_adopted_checkpoint_has_the_value_of_its_trial(inputs, tmp_path):
    parameters = QUICK | {"reverse_complement": "average"}
    trial = train_trial(**dict(inputs), parameters=parameters, objective=AUC, output_dir=tmp_path / "trial")
    final = adopt_checkpoint(inputs, parameters, AUC, tmp_path / "final", trial)
    assert final.result.value == pytest.approx(trial.value, abs=1e-6)
    assert final.notes == []
    assert json.loads((final.model_path / "prediction.json").read_text())["reverse_complement"] == "average"


def test_values_of_a_regression_are_averaged(write_dataset, model_dir, sequences, tmp_path):
    splits = {
        name: {"sequence": texts, "labels": [50 + 9.0 * text.count("G") for text in texts]}
        for name, (texts, _) in sequences.items()
    }
    inputs = TrainingInputs(model_name=str(model_dir), dataset=write_dataset(**splits), task_type="regression")
    parameters = QUICK | {"reverse_complement": "average", "seed": 3}
    final = train_model(inputs, parameters, Objective("eval/r2", "maximize"), tmp_path / "final")
    expected = averaged_logits(final.model_path, splits["test"]["sequence"])
    found = compute_metrics("regression", expected, np.array(splits["test"]["labels"], np.float32))
    assert final.metrics["test"] == pytest.approx(found, rel=1e-4)
    assert final.notes == []
