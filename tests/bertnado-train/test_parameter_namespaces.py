"""Adding names of parameters is adding a namespace to the list."""

import pytest
import torch
from bertnado_config import parse_sweep_config
from bertnado_metrics import Objective
from bertnado_train import (
    HuggingFaceTrainer,
    TrainingInputs,
    adopt_checkpoint,
    override_parameters,
    train_model,
    train_trial,
)
from bertnado_train.parameters import namespaces
from bertnado_train.parameters.namespace import ParameterNamespace
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

AUC = Objective("eval/roc_auc", "maximize")
QUICK = {"max_steps": 2, "eval_steps": 1, "learning_rate": 0.01}


class Pinning(ParameterNamespace):
    """`pinned.layers` and `pinned.embeddings`, which keep parts of a model as they are."""

    names = ("pinned.layers", "pinned.embeddings")

    def knows(self, name):
        return name in self.names

    def holds_parameters(self, name):
        return name == "pinned"

    def convert(self, name, value):
        if name == "pinned.layers" and not 0 <= int(value) <= 12:
            raise ValueError(f"must be from 0 to 12, got {value!r}")
        return int(value)

    def apply(self, values, settings):
        prefixes = [f"bert.encoder.layer.{layer}." for layer in range(values.get("pinned.layers", 0))]
        if values.get("pinned.embeddings"):
            prefixes.append("bert.embeddings.")

        def pin(model):
            for name, weight in model.named_parameters():
                weight.requires_grad = not name.startswith(tuple(prefixes))
            return model

        settings.model_changes.append(pin)


@pytest.fixture(autouse=True)
def pinning(monkeypatch):
    monkeypatch.setattr(namespaces, "NAMESPACES", (*namespaces.NAMESPACES, Pinning()))


@pytest.fixture
def problems(model_dir, dataset_dir):
    trainer = HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir)

    def check(parameters):
        content = {"method": "random", "parameters": {"epochs": {"value": 9}, **parameters}}
        return [str(problem) for problem in trainer.check(parse_sweep_config(content), AUC)]

    return check


def test_its_names_are_checked_beside_those_of_training_arguments(problems):
    assert problems({"pinned": {"parameters": {"layers": {"values": [0, 1]}, "embeddings": {"value": True}}}}) == []
    assert problems({"pinned": {"value": {"layers": "1"}}, "weight_decay": {"value": 0.1}}) == []
    assert problems({"pinned": {"parameters": {"layers": {"values": [1, 99]}}}}) == [
        "parameters.pinned.parameters.layers: must be from 0 to 12, got 99"
    ]


def test_a_name_that_resembles_one_is_suggested(problems):
    assert problems({"pinned.layer": {"value": 1}, "wieght_decay": {"value": 0.1}}) == [
        "parameters.pinned.layer: unknown parameter 'pinned.layer'; did you mean 'pinned.layers'?",
        "parameters.wieght_decay: unknown parameter 'wieght_decay'; did you mean 'weight_decay'?",
    ]


def test_two_spellings_of_one_parameter_contradict_each_other(problems):
    assert problems({"pinned": {"value": {"layers": 1}}, "pinned.layers": {"value": 2}}) == [
        "parameters.pinned.layers: parameters.pinned sets 'pinned.layers' as well; keep one of them"
    ]
    assert override_parameters({"pinned": {"layers": 1}}, {"pinned.layers": 2}) == {"pinned": {}, "pinned.layers": 2}


@pytest.mark.parametrize(
    ("parameters", "frozen"),
    [({}, set()), ({"pinned": {"layers": "1"}}, {"layer.0"}), ({"pinned.embeddings": 1}, {"embeddings"})],
)
def test_its_values_are_converted_and_change_what_is_trained(model_dir, dataset_dir, tmp_path, parameters, frozen):
    result = train_trial(str(model_dir), dataset_dir, "binary_classification", QUICK | parameters, AUC, tmp_path)
    before = load_file(model_dir / "model.safetensors")
    after = before | load_file(result.checkpoint / ("trained_weights.safetensors" if frozen else "model.safetensors"))
    parts = {"embeddings": "bert.embeddings.", "layer.0": "bert.encoder.layer.0.", "layer.1": "bert.encoder.layer.1."}
    unchanged = {
        part
        for part, prefix in parts.items()
        if all(torch.equal(before[name], after[name]) for name in before if name.startswith(prefix))
    }
    assert unchanged == frozen


def test_the_checkpoint_of_a_model_that_is_trained_in_part_is_completed(model_dir, dataset_dir, tmp_path):
    inputs = TrainingInputs(model_name=str(model_dir), dataset=dataset_dir)
    parameters = QUICK | {"pinned.layers": 1, "pinned.embeddings": 1}
    trial = train_trial(str(model_dir), dataset_dir, "binary_classification", parameters, AUC, tmp_path / "trial")
    final = train_model(inputs, parameters, AUC, tmp_path / "final")
    written = load_file(trial.checkpoint / "trained_weights.safetensors")
    assert not any(name.startswith(("bert.embeddings.", "bert.encoder.layer.0.")) for name in written)
    assert sum(weight.numel() for weight in written.values()) == trial.details["trained_parameters"]["trained"]
    with pytest.raises(OSError, match=r"no file named model.safetensors"):
        AutoModelForSequenceClassification.from_pretrained(trial.checkpoint)

    adopted = adopt_checkpoint(inputs, parameters, AUC, tmp_path / "adopted", trial)

    expected, found = (load_file(made.model_path / "model.safetensors") for made in (final, adopted))
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
