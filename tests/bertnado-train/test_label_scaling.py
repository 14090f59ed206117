"""A regression trains on standardised labels; everything that is shown, and the saved model, has their unit."""

import json

import datasets
import numpy as np
import pytest
import torch
from bertnado_config import parse_sweep_config
from bertnado_metrics import Objective, compute_metrics
from bertnado_train import HuggingFaceTrainer, TrainingInputs, train_model, train_trial
from bertnado_train.training_setup import open_training_setup
from bertnado_train.trial import SilentReport, make_model
from support.custom_models import CLASSIFIER, write_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer

R2 = Objective("eval/r2", "maximize")
QUICK = {"max_steps": 30, "eval_steps": 10, "per_device_train_batch_size": 16, "learning_rate": 3e-3}
SCALE_INVARIANT = ("r2", "pearson", "spearman")
IN_UNITS = {"rmse": 1, "mae": 1, "mse": 2, "loss": 2}
"""The power of the unit that a metric has."""
SATURATING = CLASSIFIER.replace("logits=self.score(", "logits=torch.tanh(self.score(").replace(
    "attention_mask)))", "attention_mask))))"
)
WITHOUT_BIAS = CLASSIFIER.replace("config.num_labels)", "config.num_labels, bias=False)")


class Log(SilentReport):
    """Keeps what training logs."""

    def __init__(self, directory, objective):
        super().__init__(directory, objective)
        self.logged = {}

    def progress(self, step, metrics=None):
        self.logged |= {step: metrics} if metrics else {}
        return False


def gc_content(texts):
    return np.array([(text.count("G") + text.count("C")) / len(text) for text in texts])


@pytest.fixture(scope="session")
def measured(sequences):
    """The GC content by split, in units of its standard deviation."""
    train = gc_content(sequences["train"][0])
    return {name: (gc_content(texts) - train.mean()) / train.std() for name, (texts, _) in sequences.items()}


@pytest.fixture
def dataset_of(sequences, measured, tmp_path):
    """Write the sequences with labels made of what was measured."""

    def write(name, label):
        columns = {
            split: {"sequence": texts, "labels": np.asarray(label(measured[split])).tolist()}
            for split, (texts, _) in sequences.items()
        }
        made = {split: datasets.Dataset.from_dict(content) for split, content in columns.items()}
        datasets.DatasetDict(made).save_to_disk(str(tmp_path / name))
        return tmp_path / name

    return write


@pytest.fixture
def inputs_of(model_dir, dataset_of):
    """Make the inputs of a regression on labels of mean `mean` and standard deviation `deviation`."""

    def make(deviation=7.0, mean=39.6, label=None, **given):
        dataset = dataset_of(f"of_{deviation}_{mean}", label or (lambda values: mean + deviation * values))
        known = {"model_name": str(model_dir), "dataset": dataset, "task_type": "regression", "precision": "fp32"}
        return TrainingInputs(**known | given)

    return make


def train(inputs, directory, parameters=QUICK):
    fields = dict(inputs)
    named = [fields.pop(name) for name in ("model_name", "dataset", "task_type")]
    return train_trial(*named, parameters, R2, directory, **fields)


def predict(directory, texts, **options):
    """Predict with plain transformers, as a person does in a fresh process."""
    model = AutoModelForSequenceClassification.from_pretrained(directory, **options).eval()
    encoded = AutoTokenizer.from_pretrained(directory)(list(texts), padding=True, return_tensors="pt")
    with torch.no_grad():
        return model(encoded["input_ids"], attention_mask=encoded["attention_mask"]).logits.numpy()


def warnings_of(inputs):
    config = parse_sweep_config(
        {"method": "grid", "parameters": {name: {"value": value} for name, value in QUICK.items()}}
    )
    found = HuggingFaceTrainer(**dict(inputs)).check(config, R2)
    return [problem.message for problem in found if "standardise" in problem.message]


def test_labels_shifted_and_scaled_by_a_thousand_train_the_same_model(inputs_of, tmp_path):
    plain = train(inputs_of(1.0, 0.0), tmp_path / "plain")
    scaled = train(inputs_of(1000.0, 1000.0), tmp_path / "scaled")
    assert (plain.step, len(plain.history)) == (scaled.step, len(scaled.history))
    for before, after in zip(plain.history, scaled.history, strict=True):
        for name in SCALE_INVARIANT:
            assert after[f"eval/{name}"] == pytest.approx(before[f"eval/{name}"], abs=2e-3), name
        for name, power in IN_UNITS.items():
            assert after[f"eval/{name}"] == pytest.approx(before[f"eval/{name}"] * 1000**power, rel=2e-3), name


def test_raw_labels_of_mean_39_are_learnt(inputs_of, tmp_path):
    standardised = train(inputs_of(), tmp_path / "standardised")
    raw = train(inputs_of(label_scaling="none"), tmp_path / "raw")
    assert standardised.value > 0.2
    assert raw.value < 0


def test_the_checkpoint_predicts_in_label_units_with_plain_transformers(inputs_of, tmp_path, sequences, measured):
    result = train(inputs_of(), tmp_path)
    texts = sequences["validation"][0]
    again = compute_metrics("regression", predict(result.checkpoint, texts), 39.6 + 7 * measured["validation"])
    best = next(row for row in result.history if row["step"] == result.step)
    assert {name: best[f"eval/{name}"] for name in again} == pytest.approx(again, rel=1e-3)


def test_the_loss_that_training_logs_is_in_label_units(inputs_of, tmp_path):
    fields = dict(inputs_of(1000.0, 1000.0))
    report = Log(tmp_path, R2)
    named = [fields.pop(name) for name in ("model_name", "dataset", "task_type")]
    train_trial(*named, QUICK | {"logging_steps": 10}, R2, tmp_path, report=report, **fields)
    assert len(report.logged) == 3
    assert all(1e5 < metrics["train/loss"] < 4e6 for metrics in report.logged.values())


def test_the_final_model_is_read_back_and_tested_in_label_units(inputs_of, tmp_path, sequences, measured):
    final = train_model(inputs_of(), QUICK, R2, tmp_path / "out")
    again = compute_metrics("regression", predict(final.model_path, sequences["test"][0]), 39.6 + 7 * measured["test"])
    assert list(final.notes) == []
    assert final.metrics["test"] == pytest.approx(again, rel=1e-3)
    recorded = json.loads(final.metrics_path.read_text())["details"]["label_scale"]
    assert recorded == {"mean": pytest.approx([39.6]), "standard_deviation": pytest.approx([7.0])}


def test_each_target_has_its_own_mean_and_standard_deviation(inputs_of, tmp_path, sequences, measured):
    def targets(values):
        return np.stack([39.6 + 7 * values, 0.001 * values, np.full(len(values), 5.0)], axis=1)

    final = train_model(inputs_of(label=targets), QUICK, R2, tmp_path / "out")
    predicted = predict(final.model_path, sequences["test"][0])
    assert final.metrics["test"] == pytest.approx(
        compute_metrics("regression", predicted, targets(measured["test"])), rel=1e-2
    )
    deviations = final.metrics["details"]["label_scale"]["standard_deviation"]
    assert deviations == pytest.approx([7.0, 0.001, 1.0], rel=1e-4)
    assert predicted[:, 1].std() < 0.01


def test_the_head_of_a_saved_model_goes_on_from_its_predictions(inputs_of, tmp_path, sequences):
    first = train(inputs_of(), tmp_path / "first")
    setup = open_training_setup(inputs_of(20.0, -5.0, model_name=str(first.checkpoint)))
    model = make_model(setup, {}, 0).eval()
    (row,) = [setup.validation.__getitems__([0])]
    standardised = setup.batch_format.predict(model, row).numpy()
    expected = predict(first.checkpoint, [sequences["validation"][0][0]])
    assert setup.label_scale.restore(standardised) == pytest.approx(expected, rel=1e-4)


def test_a_pooled_head_and_a_head_with_code_of_its_own_are_read_back(inputs_of, tmp_path, sequences, measured):
    write_model(tmp_path / "own", CLASSIFIER)
    for name, given in {
        "pooled": {"head": "pooled"},
        "own": {"model_name": str(tmp_path / "own"), "trust_remote_code": True},
    }.items():
        final = train_model(inputs_of(**given), QUICK, R2, tmp_path / "out" / name)
        predicted = predict(final.model_path, sequences["test"][0], trust_remote_code=True)
        again = compute_metrics("regression", predicted, 39.6 + 7 * measured["test"])
        assert final.metrics["test"] == pytest.approx(again, rel=1e-3)
        assert "label_scale" in final.metrics["details"]


@pytest.mark.parametrize("code", [SATURATING, WITHOUT_BIAS], ids=["saturating", "without a bias"])
def test_a_head_without_such_a_layer_trains_on_the_labels_as_they_are_and_a_line_says_so(inputs_of, tmp_path, code):
    write_model(tmp_path / "own", code)
    inputs = inputs_of(model_name=str(tmp_path / "own"), trust_remote_code=True)
    (warning,) = warnings_of(inputs)
    assert "labels that are not standardised; use {head} pooled" in warning
    assert open_training_setup(inputs).label_scale is None
    assert "label_scale" not in train(inputs, tmp_path / "trial").details


def test_switched_off_is_recorded_and_says_nothing(inputs_of, tmp_path):
    inputs = inputs_of(label_scaling="none")
    assert warnings_of(inputs) == []
    details = train(inputs, tmp_path, QUICK | {"max_steps": 1}).details
    assert (details["label_scaling"], "label_scale" in details) == ("none", False)


def test_an_unknown_scaling_is_an_error_with_the_choices(inputs_of):
    config = parse_sweep_config({"method": "grid", "parameters": {"max_steps": {"value": 1}}})
    inputs = inputs_of()
    (problem,) = HuggingFaceTrainer(**dict(inputs) | {"label_scaling": "standardise"}).check(config, R2)
    assert str(problem) == "unknown label_scaling 'standardise'; choose from standardize, none"


def test_classes_are_not_scaled(model_dir, dataset_dir):
    inputs = TrainingInputs(model_name=str(model_dir), dataset=dataset_dir)
    assert open_training_setup(inputs).label_scale is None


def test_half_precision_loses_no_more_than_it_does_of_standardised_labels(inputs_of, tmp_path):
    exact = train(inputs_of(0.7, 100.0), tmp_path / "exact")
    rounded = train_model(
        inputs_of(0.7, 100.0, precision="bf16"), QUICK, R2, tmp_path / "rounded"
    )  # bf16 has steps of 0.5 at 100
    assert rounded.result.value == pytest.approx(exact.value, abs=0.1)
    assert rounded.metrics["test"]["r2"] > 0
