"""`freeze` says which part of a model is not trained."""

import pytest
import torch
from bertnado_config import parse_sweep_config
from bertnado_metrics import Objective
from bertnado_train import HuggingFaceTrainer, TrainingInputs, override_parameters, train_model, train_trial
from bertnado_train.frozen_parts import TrainedParts, freeze_parts
from bertnado_train.parameters.namespaces import trial_settings
from bertnado_train.training_setup import open_training_setup
from bertnado_train.trial import make_model
from safetensors.torch import load_file
from support.custom_models import CLASSIFIER, write_model
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, PreTrainedConfig, PreTrainedModel

AUC = Objective("eval/roc_auc", "maximize")
QUICK = {"max_steps": 2, "eval_steps": 1, "learning_rate": 0.01, "per_device_train_batch_size": 8}


@pytest.fixture
def bert():
    """A BERT of three layers, ready to be frozen."""
    sizes = {"hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 8}
    return BertForSequenceClassification(BertConfig(vocab_size=9, **sizes, num_labels=1))


@pytest.mark.parametrize(
    ("value", "trained", "frozen"),
    [
        ("none", ("bert", "classifier"), ()),
        ("embeddings", ("bert.encoder", "bert.pooler", "classifier"), ("bert.embeddings",)),
        (
            1,
            ("bert.encoder.layer.1", "bert.encoder.layer.2", "bert.pooler", "classifier"),
            ("bert.embeddings", "bert.encoder.layer.0"),
        ),
        (3, ("bert.pooler", "classifier"), ("bert.embeddings", "bert.encoder")),
        ("backbone", ("bert.pooler", "classifier"), ("bert.embeddings", "bert.encoder")),
    ],
)
def test_what_is_frozen_is_not_trained_and_is_named(bert, value, trained, frozen):
    freeze_parts(bert, value)

    found = TrainedParts.of(bert)

    assert (found.trained, found.frozen) == (trained, frozen)
    assert found.weights == sum(weight.numel() for weight in bert.parameters())
    assert found.trained_weights == sum(weight.numel() for weight in bert.parameters() if weight.requires_grad)


@pytest.mark.parametrize("value", ["embeddings", 2, "backbone"])
def test_frozen_modules_stay_in_evaluation_mode(bert, value):
    freeze_parts(bert, value)

    bert.train()

    frozen = {"embeddings": 0, 2: 2, "backbone": 3}[value]
    assert [layer.attention.self.dropout.training for layer in bert.bert.encoder.layer] == [False] * frozen + [True] * (
        3 - frozen
    )
    assert not bert.bert.embeddings.dropout.training
    assert bert.bert.pooler.training
    assert bert.dropout.training
    assert not any(module.training for module in bert.eval().modules())


class Normalising(PreTrainedModel):
    """A model with batch normalisation below its head."""

    config_class = PreTrainedConfig
    base_model_prefix = "below"

    def __init__(self, config):
        super().__init__(config)
        self.below = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 4), nn.BatchNorm1d(4))
        self.score = nn.Linear(4, 1)

    def forward(self, input_ids):
        return self.score(self.below[2](self.below[1](self.below[0](input_ids)).mean(1)))


def test_frozen_batch_normalisation_keeps_its_statistics():
    model = Normalising(PreTrainedConfig())
    freeze_parts(model, "backbone")
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}

    model.train()(torch.arange(8).view(2, 4))

    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        *((value, value) for value in ("none", "embeddings", "backbone", 2)),
        (None, "none"),
        (0, "embeddings"),
        ("2", 2),
        (2.0, 2),
    ],
)
def test_a_value_is_a_choice_or_a_number_of_layers(given, meant):
    assert trial_settings({"freeze": given}).freeze == meant


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "embedding",
            "unknown value 'embedding'; did you mean 'embeddings'? (none, embeddings, backbone), or a",
        ),
        ("encoder", "unknown value 'encoder'; did you mean 'backbone'? (none, embeddings, backbone), or a"),
        (True, "unknown value True; did you mean 'backbone'? (none, embeddings, backbone), or a number of layers"),
        (1.5, "unknown value 1.5; choose from none, embeddings, backbone, or a number of layers"),
        (-1, "the number of layers must be at least 0, got -1"),
    ],
)
def test_another_value_is_refused_with_the_choices(given, message):
    with pytest.raises(ValueError, match=r"^freeze: ") as error:
        trial_settings({"freeze": given})
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["freeze_layers", "freeze_backbone", "num_frozen_layers", "freze"])
def test_other_names_for_it_are_answered_with_its_own(name):
    with pytest.raises(ValueError, match="did you mean 'freeze'"):
        trial_settings({name: 1})


def test_one_value_replaces_the_other():
    assert override_parameters({"freeze": 2, "seed": 1}, {"freeze": "none"}) == {"freeze": "none", "seed": 1}


def test_noise_on_frozen_embeddings_is_refused():
    with pytest.raises(ValueError, match="neftune_noise_alpha has no effect with freeze 1: the embeddings"):
        trial_settings({"freeze": 1, "neftune_noise_alpha": 5})
    assert trial_settings({"freeze": "none", "neftune_noise_alpha": 5}).freeze == "none"


@pytest.mark.parametrize("is_reentrant", [False, True])
def test_gradient_checkpointing_trains_the_layers_that_are_not_frozen(bert, is_reentrant):
    freeze_parts(bert, 1)
    bert.gradient_checkpointing_enable({"use_reentrant": is_reentrant})

    bert.train()(torch.arange(8).view(2, 4)).logits.sum().backward()

    assert [layer.output.dense.weight.grad is None for layer in bert.bert.encoder.layer] == [True, False, False]


@pytest.mark.parametrize(("value", "frozen"), [("none", set()), ("embeddings", {"embeddings"}), (1, {"embeddings", 0})])
def test_the_final_model_has_the_frozen_weights_as_they_were(model_dir, dataset_dir, tmp_path, value, frozen):
    inputs = TrainingInputs(model_name=str(model_dir), dataset=dataset_dir)

    final = train_model(inputs, QUICK | {"freeze": value}, AUC, tmp_path)

    before, after = load_file(model_dir / "model.safetensors"), load_file(final.model_path / "model.safetensors")
    parts = {"embeddings": "bert.embeddings.", 0: "bert.encoder.layer.0.", 1: "bert.encoder.layer.1."}
    unchanged = {
        part
        for part, prefix in parts.items()
        if all(torch.equal(before[name], after[name]) for name in before if name.startswith(prefix))
    }
    assert unchanged == frozen
    assert ("freeze" in final.result.details) == bool(frozen)


def test_the_record_of_a_trial_names_what_it_trained(model_dir, dataset_dir, tmp_path):
    given = QUICK | {"freeze": 2}

    result = train_trial(str(model_dir), dataset_dir, "binary_classification", given, AUC, tmp_path)

    assert result.details["freeze"] == {
        "trained": ("bert.pooler", "classifier"),
        "frozen": ("bert.embeddings", "bert.encoder"),
        "trained_weights": 4225,
        "weights": 98049,
    }


@pytest.fixture
def check(model_dir, dataset_dir):
    """The plan of a sweep, and its problems."""

    def check(severity="error", **parameters):
        given = {name: value if isinstance(value, dict) else {"value": value} for name, value in parameters.items()}
        trainer = HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir)
        plan, problems = trainer.plan(parse_sweep_config({"method": "random", "parameters": given}), AUC)
        return plan, [str(problem) for problem in problems if problem.severity == severity]

    return check


def test_a_sweep_may_mix_all_values(check):
    plan, errors = check(freeze={"values": ["none", "embeddings", 2, "backbone"]}, max_steps=4, eval_steps=2)

    assert errors == []
    assert set(plan.parts) == {"none", "embeddings", 2, "backbone"}
    assert plan.parts["backbone"].trained == ("bert.pooler", "classifier")
    assert plan.features.startswith("first token, 0.0 MB, cached in ")


def test_more_layers_than_the_model_has_are_refused_before_the_start(check):
    _, errors = check(freeze={"values": ["none", 3]}, max_steps=4, eval_steps=2)

    assert errors == ["parameters: freeze must be at most 2, the number of the model's layers, got 3"]


def test_what_concerns_frozen_layers_alone_is_named(check):
    def warnings(**parameters):
        return [warning for warning in check("warning", **parameters)[1] if "has no effect" in warning]

    others = {"layer_lr_decay": 0.9, "gradient_checkpointing": True, "max_steps": 4, "eval_steps": 2}

    assert warnings(freeze="backbone", **others) == [
        "parameters.layer_lr_decay: has no effect: all trials freeze the backbone; remove it",
        "parameters.gradient_checkpointing: has no effect: all trials freeze the backbone; remove it",
    ]
    assert warnings(freeze={"values": ["none", "backbone"]}, **others) == []


def test_a_number_of_layers_needs_a_model_that_lists_them(tmp_path, dataset_dir):
    write_model(tmp_path / "model", CLASSIFIER)
    inputs = TrainingInputs(model_name=str(tmp_path / "model"), dataset=dataset_dir, trust_remote_code=True)
    setup = open_training_setup(inputs)

    with pytest.raises(ValueError, match="because the model does not list its layers, got 1"):
        make_model(setup, {"freeze": 1}, 0)


def test_adapters_of_a_frozen_backbone_are_a_contradiction(check):
    _, errors = check(freeze="backbone", lora_r=4, max_steps=4, eval_steps=2)

    (error,) = errors
    assert error.startswith(
        "parameters: freeze backbone leaves adapters untrained, which lora_r adds to the backbone; "
    )


def test_adapters_of_frozen_layers_are_frozen_with_them(tmp_path, dataset_dir, model_dir):
    setup = open_training_setup(TrainingInputs(model_name=str(model_dir), dataset=dataset_dir))

    model = make_model(setup, {"freeze": 1, "lora_r": 4}, 0)

    adapters = {name for name, weight in model.named_parameters() if "lora_" in name and weight.requires_grad}
    assert adapters
    assert all("layer.1." in name for name in adapters)
