"""Adapters (LoRA): what is trained, what is written, and what others read of it."""

import json
import shutil
from dataclasses import replace

import datasets
import numpy as np
import pytest
import torch
from bertnado_config import InvalidInputError, parse_sweep_config
from bertnado_metrics import Objective
from bertnado_train import HuggingFaceTrainer, TrainingInputs, adopt_checkpoint, load_model, train_model, train_trial
from bertnado_train.first_steps import step_problems
from bertnado_train.simulated import write_model as write_bert
from bertnado_train.training_setup import open_training_setup
from bertnado_train.trial import make_model
from peft import PeftModel
from safetensors.torch import load_file, save_file
from support.custom_models import CLASSIFIER, write_model, write_tokenizer
from support.dna_models import STAND_INS
from transformers import AutoConfig, AutoModelForSequenceClassification, GPT2Config, GPT2ForSequenceClassification

AUC, RMSE = Objective("eval/roc_auc", "maximize"), Objective("eval/rmse", "minimize")
QUICK = {"max_steps": 4, "eval_steps": 2, "learning_rate": 1e-2}
LORA = {**QUICK, "lora_r": 4}
ALL_OPTIONS = {"use_dora": True, "use_rslora": True, "lora_dropout": 0.1, "lora_target_modules": "all-linear"}
QUERY = "encoder.layer.0.attention.self.query"


def weights_of(directory):
    return load_file(directory / "model.safetensors")


def plain(directory, **options):
    return AutoModelForSequenceClassification.from_pretrained(directory, **options).eval()


def logits(model, **inputs):
    ids = torch.tensor([[5, 6, 7, 8, 9, 5, 5, 6]])
    with torch.no_grad():
        return model(input_ids=ids, **inputs)[0]


def write_gpt2(directory):
    write_tokenizer(directory)
    config = GPT2Config(vocab_size=10, n_embd=16, n_layer=2, n_head=2, n_positions=192, pad_token_id=0)
    GPT2ForSequenceClassification(config).save_pretrained(directory)


@pytest.fixture(scope="module")
def short_dataset(tmp_path_factory, sequences):
    """Sequences that every stand-in takes."""
    columns = {
        name: datasets.Dataset.from_dict({"sequence": [text[:96] for text in texts], "labels": labels.tolist()})
        for name, (texts, labels) in sequences.items()
    }
    directory = tmp_path_factory.mktemp("short") / "dataset"
    datasets.DatasetDict(columns).save_to_disk(str(directory))
    return directory


@pytest.fixture(scope="module")
def inputs(model_dir, dataset_dir):
    return TrainingInputs(model_name=str(model_dir), dataset=dataset_dir, precision="fp32")


@pytest.fixture(scope="module")
def setup(inputs):
    return open_training_setup(inputs)


@pytest.fixture(scope="module")
def final(inputs, tmp_path_factory):
    """A final model of which adapters were trained."""
    return train_model(inputs, LORA, AUC, tmp_path_factory.mktemp("final"))


@pytest.fixture(scope="module")
def trial(inputs, tmp_path_factory):
    """A trial of adapters with the same parameters."""
    given = (inputs.model_name, inputs.dataset, "binary_classification", LORA, AUC, tmp_path_factory.mktemp("trial"))
    return train_trial(*given, precision="fp32")


# What is trained


def test_adapters_and_the_head_are_trained_and_nothing_else(setup):
    model = make_model(setup, LORA, 0)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    ends = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
    adapters = {
        f"bert.encoder.layer.{layer}.{end}.lora_{part}.default.weight"
        for layer in range(2)
        for end in ends
        for part in "AB"
    }
    head = {f"{module}.{part}" for module in ("classifier", "bert.pooler.dense") for part in ("weight", "bias")}
    assert trained == adapters | head
    assert all(weight.dtype is torch.float32 for weight in model.parameters())


def test_a_rank_of_0_or_none_trains_the_whole_model(setup):
    for parameters in (QUICK, {**QUICK, "lora_r": 0, "lora_alpha": 16, "use_dora": True}):
        model = make_model(setup, parameters, 0)
        assert all(weight.requires_grad for weight in model.parameters())
        assert not any("lora" in name for name in model.state_dict())


def test_the_seed_determines_the_adapters(setup):
    first, same, other = (make_model(setup, LORA, seed).state_dict() for seed in (1, 1, 2))
    name = f"bert.{QUERY}.lora_A.default.weight"
    assert torch.equal(first[name], same[name])
    assert not torch.equal(first[name], other[name])


def test_the_record_has_the_effective_settings_and_the_number_of_trained_parameters(final, trial):
    recorded = json.loads(final.metrics_path.read_text())["details"]
    assert recorded["adapter"]["lora_r"] == 4
    assert recorded["adapter"]["lora_alpha"] == 8  # twice the rank
    assert len(recorded["adapter"]["lora_target_modules"]) == 8
    head, adapters = 64 * 64 + 64 + 64 + 1, 8 * 4 * (64 + 64)
    assert recorded["trained_parameters"]["trained"] == head + adapters
    whole = sum(weight.numel() for weight in weights_of(final.model_path).values())
    assert recorded["trained_parameters"]["all"] == whole + adapters
    assert trial.details["adapter"] == recorded["adapter"]


@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing_changes_nothing(inputs, final, tmp_path, reentrant):
    saving = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": reentrant}}
    found = train_model(inputs, {**LORA, **saving}, AUC, tmp_path)
    expected, actual = weights_of(final.model_path), weights_of(found.model_path)
    assert all(torch.allclose(actual[name], expected[name], atol=1e-5) for name in expected)


# What is written


def test_the_checkpoint_of_a_trial_holds_what_is_trained(trial, model_dir):
    written = load_file(trial.checkpoint / "adapter_model.safetensors")
    assert sum(weight.numel() for weight in written.values()) == trial.details["trained_parameters"]["trained"]
    assert f"base_model.model.bert.{QUERY}.lora_A.weight" in written
    assert {"base_model.model.classifier.weight", "base_model.model.bert.pooler.dense.bias"} <= written.keys()
    config = json.loads((trial.checkpoint / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(model_dir)
    assert config["modules_to_save"] == ["classifier", "bert.pooler"]
    assert not (trial.checkpoint / "model.safetensors").exists()
    assert (trial.checkpoint / "tokenizer.json").is_file()


def test_the_checkpoint_of_a_trial_is_not_taken_for_a_whole_model(trial, inputs):
    with pytest.raises(OSError, match=r"no file named model.safetensors"):
        plain(trial.checkpoint)
    with pytest.raises(InvalidInputError, match=r"holds what a trial trained of a model.*full-train --from-sweep"):
        load_model(trial.checkpoint)
    with pytest.raises(InvalidInputError, match=r"holds what a trial trained of a model"):
        open_training_setup(inputs.model_copy(update={"model_name": str(trial.checkpoint)}))


def test_an_adapter_is_not_a_model_to_train(inputs, final):
    adapter = final.model_path / "adapter"
    with pytest.raises(InvalidInputError, match=r"has an adapter \(adapter_config.json\).*merge it into its base"):
        open_training_setup(inputs.model_copy(update={"model_name": str(adapter)}))


def test_the_final_model_is_a_plain_one_with_its_adapter_beside_it(final, model_dir):
    files = {file.name for file in final.model_path.iterdir()}
    assert "adapter_config.json" not in files
    assert {"adapter_config.json", "adapter_model.safetensors"} < {
        file.name for file in (final.model_path / "adapter").iterdir()
    }
    merged, base = plain(final.model_path), weights_of(model_dir)
    assert not hasattr(merged, "peft_config")
    assert not torch.equal(merged.state_dict()[f"bert.{QUERY}.weight"], base[f"bert.{QUERY}.weight"])
    untouched = "bert.encoder.layer.0.output.dense.weight"
    assert torch.equal(merged.state_dict()[untouched], base[untouched])
    assert merged.config.num_labels == 1
    assert "peft" not in (final.model_path / "config.json").read_text()


MODELS = {
    "grover": ALL_OPTIONS,
    "nt_v1": {},
    "nt_v2": ALL_OPTIONS,
    "dnabert2": {},
    "generator": {"use_rslora": True, "lora_alpha": 3},
    "caduceus": {"use_dora": True},
    "gpt2": {"lora_dropout": 0.2},
}
"""Architectures, each with some options: BERT, ESM and its code, fused projections, Llama, shared weights, Conv1D."""


@pytest.mark.parametrize("name", MODELS)
def test_the_merged_model_and_base_with_adapter_give_the_same_logits(tmp_path, short_dataset, name):
    directory = tmp_path / "model"
    directory.mkdir()
    write_gpt2(directory) if name == "gpt2" else STAND_INS[name].write(directory)
    trust = name != "gpt2" and STAND_INS[name].needs_trust
    inputs = TrainingInputs(model_name=str(directory), dataset=short_dataset, trust_remote_code=trust)

    found = train_model(inputs, {**LORA, **MODELS[name]}, AUC, tmp_path / "final")  # reads it with plain transformers

    assert found.notes == []
    merged = plain(found.model_path, trust_remote_code=trust)
    config = AutoConfig.from_pretrained(found.model_path / "adapter", trust_remote_code=trust)
    given = {"config": config, "trust_remote_code": trust, "ignore_mismatched_sizes": True}
    base = plain(directory, **given)
    assert {*base.state_dict()} == {*merged.state_dict()}
    adapted = PeftModel.from_pretrained(base, found.model_path / "adapter").eval()
    assert torch.allclose(logits(adapted), logits(merged), atol=1e-5)
    assert not torch.allclose(logits(plain(directory, **given)), logits(merged))


def test_a_pooled_head_is_trained_with_adapters_below_it(inputs, tmp_path):
    pooled = inputs.model_copy(update={"head": "pooled"})
    found = train_model(pooled, LORA, AUC, tmp_path)
    written = load_file(found.model_path / "adapter" / "adapter_model.safetensors")
    others = {name for name in written if ".lora_" not in name}
    assert others == {"base_model.model.classifier.weight", "base_model.model.classifier.bias"}
    assert f"base_model.model.backbone.{QUERY}.lora_B.weight" in written
    plain(found.model_path, trust_remote_code=True)


def test_a_regression_predicts_in_label_units_merged_or_with_the_adapter(model_dir, write_dataset, sequences, tmp_path):
    columns = {
        name: {"sequence": texts, "labels": [1000 + 900 * text.count("G") / len(text) for text in texts]}
        for name, (texts, _) in sequences.items()
    }
    inputs = TrainingInputs(model_name=str(model_dir), dataset=write_dataset(**columns), task_type="regression")
    found = train_model(inputs, LORA, RMSE, tmp_path / "final")
    merged = plain(found.model_path)
    base = plain(model_dir, config=AutoConfig.from_pretrained(found.model_path / "adapter"))
    adapted = PeftModel.from_pretrained(base, found.model_path / "adapter").eval()
    assert 1000 < float(logits(merged)) < 1900
    assert float(logits(adapted)) == pytest.approx(float(logits(merged)), rel=1e-5)
    trial = train_trial(str(model_dir), inputs.dataset, "regression", LORA, RMSE, tmp_path / "trial")
    adopted = adopt_checkpoint(inputs, LORA, RMSE, tmp_path / "adopted", trial)
    assert adopted.result.value == pytest.approx(trial.value, rel=1e-4)


# The kept checkpoint of a trial


def test_a_kept_checkpoint_is_completed_to_the_model_that_training_anew_gives(inputs, trial, final, tmp_path):
    adopted = adopt_checkpoint(inputs, LORA, AUC, tmp_path, trial)
    expected, found = weights_of(final.model_path), weights_of(adopted.model_path)
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert {file.name for file in adopted.model_path.iterdir()} == {file.name for file in final.model_path.iterdir()}
    assert adopted.result.value == pytest.approx(trial.value)


def test_a_checkpoint_of_another_model_is_refused(inputs, trial, tmp_path, sequences):
    write_bert(tmp_path / "other", sequences["train"][0], seed=2)
    other = inputs.model_copy(update={"model_name": str(tmp_path / "other")})
    with pytest.raises(InvalidInputError, match=r"holds what was trained of .*, and model_name has other weights"):
        adopt_checkpoint(other, LORA, AUC, tmp_path / "adopted", trial)


def test_a_checkpoint_of_other_parameters_is_refused(inputs, trial, tmp_path):
    with pytest.raises(InvalidInputError, match=r"holds other weights than its parameters train"):
        adopt_checkpoint(inputs, {**LORA, "lora_r": 8}, AUC, tmp_path / "adopted", trial)


def test_a_damaged_checkpoint_is_said(inputs, trial, tmp_path):
    copied = shutil.copytree(trial.checkpoint, tmp_path / "copied")
    (copied / "adapter_model.safetensors").write_bytes(b"torn")
    with pytest.raises(InvalidInputError, match=r"copied is damaged"):
        adopt_checkpoint(inputs, LORA, AUC, tmp_path / "adopted", replace(trial, checkpoint=copied))


# Before the start


@pytest.fixture
def check(inputs):
    """Check a sweep: its plan, and every error and warning."""

    def run(task_inputs=inputs, **parameters):
        declared = {name: value if isinstance(value, dict) else {"value": value} for name, value in parameters.items()}
        trainer = HuggingFaceTrainer(**dict(task_inputs))
        content = {
            "method": "random",
            "parameters": {"max_steps": {"value": 4}, "eval_steps": {"value": 2}, **declared},
        }
        plan, found = trainer.plan(parse_sweep_config(content), AUC)
        return trainer, plan, [str(problem) for problem in found]

    return run


def test_the_plan_has_the_range_of_trained_parameters_and_the_largest_checkpoint(check, model_dir):
    both, plan, found = check(lora_r={"values": [0, 4, 16]}, lora_alpha=16)
    adapters, head = 8 * 4 * (64 + 64), 64 * 64 + 64 + 64 + 1
    assert found == []
    assert plan.trained[0] == head + adapters
    assert plan.trained[1] == plan.parameters - 4 * adapters
    assert both.checkpoint_bytes == 4 * plan.trained[1]
    lora, plan, _ = check(lora_r=4)
    assert lora.checkpoint_bytes == plan.checkpoint_bytes == 4 * (head + adapters)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"lora_alpha": 16},
            "parameters: lora_r, the rank of adapters, must be set beside lora_alpha; add it, or remove lora_alpha",
        ),
        (
            {"use_dora": True, "lora_dropout": 0.1},
            (
                "parameters: lora_r, the rank of adapters, must be set beside lora_dropout, use_dora; "
                "add it, or remove lora_dropout, use_dora"
            ),
        ),
        (
            {"lora_r": {"values": [4, -1]}},
            "parameters.lora_r: must be at least 1, or 0 to train the whole model, got -1",
        ),
        ({"lora_r": "many"}, "parameters.lora_r: must be an integer, got 'many'"),
        ({"lora_r": 4, "lora_alpha": 0}, "parameters.lora_alpha: must be above 0, got 0"),
        ({"lora_r": 4, "lora_dropout": 1}, "parameters.lora_dropout: must be at least 0 and below 1, got 1"),
        (
            {"lora_r": 4, "lora_target_modules": {"values": [["query", 3]]}},
            "parameters.lora_target_modules: must be auto, all-linear or a list of names of modules, got ['query', 3]",
        ),
        (
            {"lora_r": 4, "lora_target_modules": {"values": ["auto", ["query", "vlaue"]]}},
            (
                "parameters: lora_target_modules: this model has no module 'vlaue'; did you mean 'value'? "
                "(dense, key, query, value)"
            ),
        ),
        ({"lora_rank": 4}, "parameters.lora_rank: unknown parameter 'lora_rank'; did you mean 'lora_r'?"),
        ({"rank": 4}, "parameters.rank: unknown parameter 'rank'; did you mean 'lora_r'?"),
        ({"lora_aplha": 4}, "parameters.lora_aplha: unknown parameter 'lora_aplha'; did you mean 'lora_alpha'?"),
        (
            {"lora_r": 4, "modules_to_save": ["classifier"]},
            (
                "parameters.modules_to_save: 'modules_to_save' is not a parameter of a trial: "
                "the head of the model is always trained whole and saved; remove it"
            ),
        ),
    ],
    ids=str,
)
def test_wrong_parameters_are_named_with_the_cure(check, parameters, message):
    assert message in check(**parameters)[2]


def test_lists_of_modules_are_swept_like_any_value(check):
    chosen = {"values": [["query", "value"], "auto"]}
    _, plan, found = check(lora_r=2, lora_target_modules=chosen)
    assert found == []
    assert plan.trained[0] < plan.trained[1]


def test_a_model_without_stored_weights_gets_no_adapters(check, inputs, model_dir, tmp_path):
    for file in model_dir.iterdir():
        if file.name != "model.safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    scratch = inputs.model_copy(update={"model_name": str(tmp_path), "allow_new_weights": True})
    message = "parameters: lora_r must be 0 for a model without stored weights, which is trained from scratch"
    assert message in check(scratch, lora_r=4)[2]


BYPASSING = CLASSIFIER.replace(
    'self.small["mix"](self.small["embedding"](input_ids))',
    'nn.functional.linear(self.small["embedding"](input_ids), self.small["mix"].weight)',
)


def test_code_that_uses_a_weight_past_its_module_is_found_before_the_start(tmp_path, short_dataset):
    write_model(tmp_path / "model", BYPASSING)
    inputs = TrainingInputs(model_name=str(tmp_path / "model"), dataset=short_dataset, trust_remote_code=True)
    trainer = HuggingFaceTrainer(**dict(inputs))
    parameters = {**LORA, "lora_target_modules": ["mix"]}
    (found,) = step_problems(trainer, [parameters], AUC)
    assert found.message.startswith("a first training step fails with lora_r 4, lora_target_modules ('mix',): ")
    assert "its adapters have another effect than merged ones" in found.message


def test_a_weight_that_is_new_is_trained_as_the_head_is(inputs, model_dir, tmp_path):
    new = "bert.encoder.layer.1.attention.self.query"
    stored = weights_of(model_dir)
    for file in model_dir.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    kept = {name: weight for name, weight in stored.items() if not name.startswith(new)}
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    setup = open_training_setup(inputs.model_copy(update={"model_name": str(tmp_path)}))
    model = make_model(setup, LORA, 0)
    assert model.get_parameter(f"{new}.weight").requires_grad
    assert f"{new.replace('query', 'key')}.lora_A.default.weight" in model.state_dict()
    assert np.isin("bert.encoder.layer.1.attention.self.query", model.peft_config["default"].modules_to_save)
