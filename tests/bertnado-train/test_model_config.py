"""Fields of the model's configuration as parameters: `model_config.NAME`."""

import json

import pytest
import torch
from bertnado_config import parse_sweep_config
from bertnado_metrics import Objective
from bertnado_train import HuggingFaceTrainer, TrainingInputs, train_model, train_trial
from bertnado_train.model_config import convert_field, dropout_fields, settable_fields
from bertnado_train.training_setup import open_training_setup
from bertnado_train.trial import make_model
from support.dna_models import STAND_INS
from transformers import AutoConfig, AutoModelForSequenceClassification

AUC = Objective("eval/roc_auc", "maximize")
QUICK = {"max_steps": 2, "eval_steps": 1, "per_device_train_batch_size": 8}


@pytest.fixture(scope="module")
def trainer(model_dir, dataset_dir):
    return HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir)


@pytest.fixture(scope="module")
def pooled(model_dir, dataset_dir):
    return HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir, head="pooled")


def problems_of(trainer, severity="error", **parameters):
    declared = {name: value if isinstance(value, dict) else {"value": value} for name, value in parameters.items()}
    config = parse_sweep_config({"method": "random", "parameters": {"max_steps": {"value": 4}, **declared}})
    return [str(problem) for problem in trainer.check(config, AUC) if problem.severity == severity]


def dropouts_of(model):
    return {name: part.p for name, part in model.named_modules() if isinstance(part, torch.nn.Dropout)}


def test_a_field_is_set_before_the_model_is_built(trainer):
    setup = trainer.setup
    usual = dropouts_of(make_model(setup, {}, 0))
    changed = make_model(setup, {"model_config.hidden_dropout_prob": "3e-1"}, 0)

    found = dropouts_of(changed)

    assert set(usual.values()) == {0.05}
    assert found["bert.encoder.layer.0.output.dropout"] == found["bert.embeddings.dropout"] == 0.3
    assert found["bert.encoder.layer.0.attention.self.dropout"] == 0.05
    assert setup.model.config.hidden_dropout_prob == 0.05


def test_the_weights_are_those_without_it(trainer):
    usual, changed = (make_model(trainer.setup, given, 7) for given in ({}, {"model_config.hidden_dropout_prob": 0.3}))
    for name, weight in usual.state_dict().items():
        assert torch.equal(weight, changed.state_dict()[name])


def test_with_a_pooled_head_it_is_a_field_of_the_model_below_or_the_dropout_of_the_head(pooled):
    given = {"model_config": {"hidden_dropout_prob": 0.3, "head_dropout": 0}}
    model = make_model(pooled.setup, given, 0)

    found = dropouts_of(model)

    assert found["backbone.encoder.layer.1.output.dropout"] == 0.3
    assert found["dropout"] == 0
    assert model.config.backbone["hidden_dropout_prob"] == 0.3


@pytest.mark.parametrize("head", ["auto", "pooled"])
def test_the_saved_model_has_it_and_predicts_the_same(model_dir, dataset_dir, tmp_path, head):
    inputs = TrainingInputs(model_name=str(model_dir), dataset=dataset_dir, head=head)
    final = train_model(inputs, QUICK | {"model_config": {"hidden_dropout_prob": 0.25}}, AUC, tmp_path)

    saved = json.loads((final.model_path / "config.json").read_text())

    assert (saved if head == "auto" else saved["backbone"])["hidden_dropout_prob"] == 0.25
    assert final.notes == ([] if head == "auto" else list(final.notes))
    assert final.metrics["details"]["model_config"] == {"hidden_dropout_prob": 0.25}
    plain = AutoModelForSequenceClassification.from_pretrained(final.model_path, trust_remote_code=True)
    assert 0.25 in dropouts_of(plain).values()


def test_a_model_with_adapters_has_it(trainer):
    model = make_model(trainer.setup, {"lora_r": 2, "model_config.hidden_dropout_prob": 0.3}, 0)
    assert dropouts_of(model)["bert.encoder.layer.0.output.dropout"] == 0.3


def test_a_trial_trains_with_it(model_dir, dataset_dir, tmp_path):
    """More dropout, another model after the same steps."""
    given = (str(model_dir), dataset_dir, "binary_classification")
    losses = []
    for number, dropout in enumerate((0.05, 0.05, 0.5)):
        parameters = QUICK | {"model_config.hidden_dropout_prob": dropout, "learning_rate": 1e-2}
        losses.append(train_trial(*given, parameters, AUC, tmp_path / str(number)).history[-1]["eval/loss"])
    usual = train_trial(*given, QUICK | {"learning_rate": 1e-2}, AUC, tmp_path / "usual").history[-1]["eval/loss"]

    assert losses[0] == losses[1] == usual
    assert losses[2] != usual


def test_a_sweep_of_fields_has_no_problems(trainer, pooled):
    nested = {"parameters": {"hidden_dropout_prob": {"min": 0.0, "max": 0.3}, "classifier_dropout": {"value": None}}}
    assert problems_of(trainer, model_config=nested) == []
    assert problems_of(pooled, **{"model_config.head_dropout": {"values": [0, 0.5]}}) == []


LISTED = "(attention_probs_dropout_prob, classifier_dropout, hidden_dropout_prob)"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "hidden_dropout",
            0.1,
            "unknown field 'hidden_dropout' of the configuration of a bert model; did you mean 'hidden_dropout_prob'? "
            + LISTED,
        ),
        ("dropout", 0.1, f"unknown field 'dropout' of the configuration of a bert model; choose from {LISTED[1:-1]}"),
        ("hidden_dropout_prob", "much", "must be a number, got 'much'"),
        ("hidden_dropout_prob", [0.1], "must be a number, a string, true, false or null, got [0.1]"),
        ("hidden_dropout_prob", None, "must be a number, got None"),
        ("num_labels", 3, "the task and the labels determine it; remove it"),
        ("pad_token_id", 1, "the model's tokenizer determines it; remove it"),
        ("hidden_dropout_prob", 1.5, "must be at least 0 and at most 1, got 1.5"),
        (
            "hidden_size",
            128,
            "the model cannot be used with 128: bert.embeddings.word_embeddings.weight is stored with shape (160, 64)",
        ),
        (
            "num_hidden_layers",
            1,
            "the model cannot be used with 1: 16 stored weights would be left out, among them bert.encoder.",
        ),
        (
            "num_hidden_layers",
            3,
            "the model cannot be used with 3: 16 weights would be random that are not stored, among them bert.encoder.",
        ),
        ("hidden_act", "gello", "the model cannot be used with 'gello': "),
    ],
)
def test_a_mistake_is_said_with_its_place(trainer, name, value, expected):
    (error,) = problems_of(trainer, **{f"model_config.{name}": {"values": [value]}})
    assert error.startswith(f"parameters.model_config.{name}: {expected}")


def test_a_field_that_changes_what_was_pretrained_is_a_warning(trainer):
    (warning,) = problems_of(trainer, "warning", epochs=5, **{"model_config.num_attention_heads": {"values": [2, 4]}})
    assert warning == (
        "parameters.model_config.num_attention_heads: the stored weights belong to 2; with 4, the model gives other "
        "results before any training"
    )


def test_a_field_without_its_prefix_is_named_with_it(trainer):
    given = {
        "dropout": 0.1,
        "layer_norm_eps": 1e-6,
        "training_args": {"value": {"dropout": 1}},
    }
    of_dropout = (
        "dropout belongs to the configuration of the model; write model_config.attention_probs_dropout_prob or "
        "model_config.classifier_dropout or model_config.hidden_dropout_prob"
    )
    of_field = "it is a field of the model's configuration; write model_config"

    assert problems_of(trainer, **given) == [
        f"parameters.dropout: 'dropout' is not a parameter of a trial: {of_dropout}",
        f"parameters.layer_norm_eps: 'layer_norm_eps' is not a parameter of a trial: {of_field}.layer_norm_eps",
        f"parameters.training_args: 'training_args.dropout' is not a parameter of a trial: {of_dropout}",
    ]


def test_the_object_itself_is_explained(trainer):
    (error,) = problems_of(trainer, model_config=3)
    assert error.endswith(
        "it takes an object of fields; write model_config.NAME with a name from the model's config.json"
    )


@pytest.mark.parametrize(
    ("kind", "name", "given", "expected"),
    [
        ("bert", "hidden_dropout_prob", 0, 0.0),
        ("bert", "classifier_dropout", "0.2", 0.2),
        ("bert", "classifier_dropout", None, None),
        ("bert", "num_attention_heads", 4.0, 4),
        ("esm", "token_dropout", "false", False),
        ("esm", "hidden_dropout_prob", 1, 1.0),
        ("llama", "attention_dropout", "1e-1", 0.1),
        ("modernbert", "classifier_pooling", "mean", "mean"),
        ("gpt2", "resid_pdrop", 0, 0.0),
    ],
)
def test_a_value_gets_the_type_of_its_field(kind, name, given, expected):
    converted = convert_field(AutoConfig.for_model(kind), name, given)
    assert (converted, type(converted)) == (expected, type(expected))


def test_fields_without_a_declared_type_have_that_of_their_value(tmp_path):
    stand_in = STAND_INS["hyenadna"]
    stand_in.write(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path, trust_remote_code=True)
    (name, *_) = dropout_fields(config)

    assert type(settable_fields(config)[name]) is float
    assert convert_field(config, name, "1e-1") == 0.1
    with pytest.raises(ValueError, match="must be a number, got 'none'"):
        convert_field(config, name, "none")


def test_code_of_its_own_keeps_its_kernels_off(dataset_dir, tmp_path):
    """DNABERT-2 selects a Triton kernel that cannot be compiled if attention has no dropout."""
    directory = tmp_path / "model"
    directory.mkdir()
    STAND_INS["dnabert2"].write(directory)
    for head in ("auto", "pooled"):
        inputs = TrainingInputs(model_name=str(directory), dataset=dataset_dir, trust_remote_code=True, head=head)
        setup = open_training_setup(inputs)
        given = {"model_config.attention_probs_dropout_prob": 0, "model_config.hidden_dropout_prob": 0.2}
        model = make_model(setup, given, 0)
        config = model.config if head == "auto" else model.backbone.config
        assert (config.attention_probs_dropout_prob, config.hidden_dropout_prob) == (1e-6, 0.2)


def test_a_model_without_stored_weights_may_be_built_in_another_size(model_dir, dataset_dir, tmp_path):
    AutoConfig.from_pretrained(model_dir).save_pretrained(tmp_path)
    for file in model_dir.glob("*token*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    trainer = HuggingFaceTrainer(model_name=str(tmp_path), dataset=dataset_dir, allow_new_weights=True)

    assert problems_of(trainer, **{"model_config.num_hidden_layers": {"values": [1, 2, 3]}}) == []
    assert make_model(trainer.setup, {"model_config.hidden_size": 32}, 0).bert.pooler.dense.in_features == 32
