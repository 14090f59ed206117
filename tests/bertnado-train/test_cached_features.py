"""With a frozen backbone, what its head reads is computed once for each row, and the numbers stay the same."""

import json
import logging

import datasets
import numpy as np
import pytest
import torch
from bertnado_config import TrainingInputs
from bertnado_metrics import Objective
from bertnado_train import load_model, train_model
from bertnado_train.backbone_fingerprint import backbone_fingerprint
from bertnado_train.final_model import train_on_all_rows
from bertnado_train.trained_checkpoint import restore_trained
from bertnado_train.training_setup import open_training_setup
from bertnado_train.trial import SilentReport, make_model, run_trial
from support.custom_models import CLASSIFIER, HEAD, write_model
from support.dna_models import STAND_INS
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    EsmConfig,
    EsmForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    set_seed,
)

AUC = Objective("eval/roc_auc", "maximize")
TRIAL = {
    "freeze": "backbone",
    "max_steps": 6,
    "eval_steps": 3,
    "per_device_train_batch_size": 8,
    "learning_rate": 1e-2,
    "group_by_length": True,
}
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
COMMON = {"vocab_size": 12, "max_position_embeddings": 40, "num_labels": 1, "pad_token_id": 0, "initializer_range": 0.3}
NATIVE = {
    "bert": lambda: BertForSequenceClassification(BertConfig(**SIZES, **COMMON)),
    "esm": lambda: EsmForSequenceClassification(EsmConfig(**SIZES, **COMMON, mask_token_id=3)),
    "roberta": lambda: RobertaForSequenceClassification(RobertaConfig(**SIZES, **COMMON)),
    "llama": lambda: LlamaForSequenceClassification(LlamaConfig(**SIZES, **COMMON, num_key_value_heads=2)),
    "gpt2": lambda: GPT2ForSequenceClassification(
        GPT2Config(vocab_size=12, n_embd=16, n_layer=2, n_head=2, n_positions=40, num_labels=1, pad_token_id=0)
    ),
}
NORMALISING = CLASSIFIER.replace("mix=nn.Linear(config.width, config.width)", "mix=Mix(config.width)").replace(
    "class SmallForSequenceClassification",
    """class Mix(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear, self.norm, self.dropout = nn.Linear(width, width), nn.BatchNorm1d(width), nn.Dropout(0.2)
    def forward(self, hidden):
        return self.dropout(self.norm(self.linear(hidden).transpose(1, 2)).transpose(1, 2))

class SmallForSequenceClassification""",
)
ONE_BACKBONE = (
    HEAD
    + """
class Below(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.mix = nn.Linear(config.width, config.width)
    def forward(self, tokens):
        return torch.relu(self.mix(self.embedding(tokens)))

class SmallForSequenceClassification(PreTrainedModel):
    config_class = SmallConfig
    base_model_prefix = "small"
    def __init__(self, config):
        super().__init__(config)
        self.small = Below(config)
        self.dropout = nn.Dropout(0.2)
        self.score = nn.Linear(config.width, config.num_labels)
        self.post_init()
    def forward(self, input_ids=None, attention_mask=None, labels=None, **rest):
        hidden = self.small(input_ids)
        return SequenceClassifierOutput(logits=LOGITS)
"""
)
MASKED_MEAN = "self.score(self.dropout(masked_mean(hidden, attention_mask)))"
ALL_TOKENS = "masked_mean(torch.tanh(self.score(self.dropout(hidden))), attention_mask)"
TWICE = "self.score(masked_mean(hidden + self.small(input_ids), attention_mask))"


@pytest.fixture(scope="module")
def tokens_dir(tmp_path_factory):
    """A dataset of token ids of very different lengths."""
    rng = np.random.default_rng(0)

    def rows(count):
        tokens = [rng.integers(5, 10, rng.integers(4, 33)).tolist() for _ in range(count)]
        return {"input_ids": tokens, "labels": [int(np.mean(row) > 7) for row in tokens]}

    directory = tmp_path_factory.mktemp("tokens") / "dataset"
    splits = {"train": 40, "validation": 24, "test": 16}
    made = {name: datasets.Dataset.from_dict(rows(count)) for name, count in splits.items()}
    datasets.DatasetDict(made).save_to_disk(str(directory))
    return directory


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache directory."""
    monkeypatch.setenv("BERTNADO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


def write_native(directory, name):
    set_seed(0)
    NATIVE[name]().save_pretrained(directory)


def open_model(directory, dataset, **inputs):
    return open_training_setup(TrainingInputs(model_name=str(directory), dataset=dataset, precision="fp32", **inputs))


def run(setup, directory, parameters=TRIAL, **further):
    """Train a trial; return its result and the logits of its best checkpoint on the validation rows."""
    directory.mkdir()
    result, trainer = run_trial(setup, parameters, SilentReport(directory, AUC), directory / "checkpoint", **further)
    return result, trainer.predict(setup.validation).predictions


def losses(result):
    return [row["eval/loss"] for row in result.history]


def assert_same_with_and_without(setup, directory, monkeypatch, **details):
    cached, logits = run(setup, directory / "cached")
    monkeypatch.setenv("BERTNADO_FEATURES_GB", "0")
    plain, expected = run(setup, directory / "plain")
    assert {name: cached.details["features"][name] for name in details} == details
    assert not plain.details["features"]["cached"]
    assert losses(cached) == pytest.approx(losses(plain), abs=1e-4)
    assert np.abs(logits - expected).max() < 1e-4
    assert len({round(loss, 6) for loss in losses(plain)}) > 1


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("bert", "first token"),
        ("esm", "first token"),
        ("roberta", "first token"),
        ("llama", "last token"),
        ("gpt2", "last token"),
    ],
)
def test_the_numbers_are_those_without_a_cache(name, reads, tokens_dir, tmp_path, monkeypatch):
    write_native(tmp_path / "model", name)
    setup = open_model(tmp_path / "model", tokens_dir)

    assert_same_with_and_without(setup, tmp_path, monkeypatch, cached=True, reads=reads)


def test_a_pooled_head_reads_the_mean_of_the_tokens(tokens_dir, tmp_path, monkeypatch):
    write_native(tmp_path / "model", "bert")
    setup = open_model(tmp_path / "model", tokens_dir, head="pooled")

    assert_same_with_and_without(setup, tmp_path, monkeypatch, cached=True, reads="mean of the tokens")


@pytest.mark.parametrize(
    ("returned", "reads"), [(MASKED_MEAN, "mean of the tokens"), (ALL_TOKENS, "all tokens")], ids=["mean", "all"]
)
def test_code_of_its_own_is_found_out_by_trying(returned, reads, tokens_dir, tmp_path, monkeypatch):
    write_model(tmp_path / "model", ONE_BACKBONE.replace("LOGITS", returned))
    setup = open_model(tmp_path / "model", tokens_dir, trust_remote_code=True)

    assert_same_with_and_without(setup, tmp_path, monkeypatch, cached=True, reads=reads)


def test_the_stand_in_of_dnabert_2_has_its_pooler_trained(tokens_dir, tmp_path, monkeypatch):
    STAND_INS["dnabert2"].write(tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"attention_probs_dropout_prob": 1e-6}))
    setup = open_model(tmp_path / "model", tokens_dir, trust_remote_code=True)

    assert_same_with_and_without(setup, tmp_path, monkeypatch, cached=True, reads="first token")


def test_frozen_batch_normalisation_is_as_in_an_evaluation(tokens_dir, tmp_path, monkeypatch):
    write_model(tmp_path / "model", NORMALISING)
    setup = open_model(tmp_path / "model", tokens_dir, trust_remote_code=True)

    assert_same_with_and_without(setup, tmp_path, monkeypatch, cached=True)


def test_a_model_that_cannot_be_separated_trains_without_a_cache(tokens_dir, tmp_path):
    write_model(tmp_path / "model", ONE_BACKBONE.replace("LOGITS", TWICE))
    setup = open_model(tmp_path / "model", tokens_dir, trust_remote_code=True)

    result, _ = run(setup, tmp_path / "trial")

    assert result.details["features"] == {
        "cached": False,
        "reason": "its code runs the part below the head 2 times for a batch",
    }
    assert result.value is not None


@pytest.fixture
def setup(tokens_dir, tmp_path):
    """A BERT, read once."""
    write_native(tmp_path / "model", "bert")
    return open_model(tmp_path / "model", tokens_dir)


def test_a_further_trial_computes_nothing_below_the_head(setup, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    first, _ = run(setup, tmp_path / "first")
    assert sum("computing the features" in message for message in caplog.messages) == 2
    caplog.clear()

    second, _ = run(setup, tmp_path / "second", TRIAL | {"learning_rate": 1e-3})
    again, _ = run(setup, tmp_path / "again")

    assert not any("computing the features" in message for message in caplog.messages)
    assert losses(again) == losses(first)
    assert losses(second) != losses(first)
    assert first.details["features"]["bytes"] == sum(
        file.stat().st_size for file in (tmp_path / "cache" / "features").glob("*/*.npy")
    )


def test_the_checkpoint_of_a_final_model_is_the_whole_model(setup, tmp_path):
    result, logits = run(setup, tmp_path / "trial", is_final=True)

    saved = load_model(result.checkpoint)

    assert setup.batch_format.predict(saved, setup.validation).numpy() == pytest.approx(logits, abs=1e-5)


def test_the_checkpoint_of_a_trial_is_the_head_that_it_trained(setup, tmp_path):
    result, logits = run(setup, tmp_path / "trial")
    model = make_model(setup, TRIAL, result.seed)

    restore_trained(model, setup.model, result.checkpoint)

    assert setup.batch_format.predict(model.eval(), setup.validation).numpy() == pytest.approx(logits, abs=1e-5)


@pytest.mark.parametrize("damage", ["cut", "zeros", "nothing"])
def test_a_damaged_file_is_computed_again(setup, tmp_path, cache, damage):
    first, _ = run(setup, tmp_path / "first")
    (file,) = cache.glob("*/train-*.npy")
    size = file.stat().st_size
    with file.open("r+b") as content:
        if damage == "zeros":
            content.seek(size - 40 * 16 * 4)
            content.write(bytes(40 * 16 * 4))
        else:
            content.truncate(0 if damage == "nothing" else size // 2)

    second, _ = run(setup, tmp_path / "second")

    assert losses(second) == losses(first)
    assert file.stat().st_size == size


def test_other_weights_rows_and_configurations_have_features_of_their_own(setup, tokens_dir, tmp_path, write_dataset):
    def fingerprint(setup, seed=0, **config):
        for name, value in config.items():
            setattr(setup.model.config, name, value)
        return backbone_fingerprint(make_model(setup, TRIAL, seed), setup.model)

    before = fingerprint(setup)
    assert fingerprint(setup, seed=1) == before, "a new head does not count"
    assert fingerprint(setup, hidden_dropout_prob=0.3) == before, "nor does dropout"
    assert fingerprint(setup, layer_norm_eps=1e-3) != before
    with torch.no_grad():
        setup.model.weights["bert.encoder.layer.0.output.dense.bias"][0] += 1e-3
    assert fingerprint(setup) != before


def test_a_flag_of_the_configuration_counts_whatever_its_name_is(tmp_path, tokens_dir):
    """ESM scales its embeddings with `token_dropout`, in evaluation mode as well."""
    write_native(tmp_path / "esm", "esm")
    setup = open_model(tmp_path / "esm", tokens_dir)
    made = (make_model(setup, TRIAL | {"model_config.token_dropout": value}, 0) for value in (True, False))

    assert len({backbone_fingerprint(model, setup.model) for model in made}) == 2


def test_labels_that_are_standardised_are_learnt_from_features_as_well(tmp_path, monkeypatch, write_dataset):
    rng = np.random.default_rng(0)
    tokens = {name: [rng.integers(5, 10, 12).tolist() for _ in range(24)] for name in ("train", "validation")}
    labels = {name: [100 + 9 * float(np.mean(row)) for row in rows] for name, rows in tokens.items()}
    directory = write_dataset(**{name: {"input_ids": tokens[name], "labels": labels[name]} for name in tokens})
    write_native(tmp_path / "model", "bert")
    setup = open_model(tmp_path / "model", directory, task_type="regression")
    report = SilentReport(tmp_path, Objective("eval/r2", "maximize"))

    cached, _ = run_trial(setup, TRIAL, report, tmp_path / "cached")
    monkeypatch.setenv("BERTNADO_FEATURES_GB", "0")
    plain, _ = run_trial(setup, TRIAL, report, tmp_path / "plain")

    assert cached.details["features"]["cached"]
    assert losses(cached) == pytest.approx(losses(plain), rel=1e-4)


def test_the_final_model_is_whole_and_tested(setup, tokens_dir, tmp_path):
    inputs = TrainingInputs(model_name=str(tmp_path / "model"), dataset=tokens_dir, precision="fp32")

    final = train_model(inputs, TRIAL, AUC, tmp_path / "final")
    everything = train_on_all_rows(inputs, TRIAL, AUC, tmp_path / "all", steps=4)

    for made in (final, everything):
        assert made.result.details["features"]["cached"]
        assert set(made.metrics["test"]) >= {"roc_auc", "loss"}
        assert [note for note in made.notes if "tokenizer" not in note] == []


def test_a_trial_that_is_stopped_while_features_are_computed_ends(setup, tmp_path):
    class Stopping(SilentReport):
        def progress(self, step, metrics=None):
            return True

    (tmp_path / "trial").mkdir()
    result, _ = run_trial(setup, TRIAL, Stopping(tmp_path / "trial", AUC), tmp_path / "trial" / "checkpoint")

    assert result.stopped
    assert result.details["features"] == {"cached": False, "reason": "the trial was stopped"}
    assert not list((tmp_path / "cache").rglob("*.npy"))
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_a_cache_that_cannot_be_written_is_not_needed(setup, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BERTNADO_CACHE", str(tmp_path / "file"))

    result, _ = run(setup, tmp_path / "trial")

    reason = result.details["features"]["reason"]
    assert reason.startswith(f"{tmp_path}/file/features/")
    assert reason.endswith(" cannot be written: Not a directory")


def test_a_limit_that_is_not_a_number_is_said(setup, tmp_path, monkeypatch):
    monkeypatch.setenv("BERTNADO_FEATURES_GB", "lots")

    result, _ = run(setup, tmp_path / "trial")

    reason = "BERTNADO_FEATURES_GB must be a number of gigabytes, at least 0, got 'lots'"
    assert result.details["features"] == {"cached": False, "reason": reason}


def test_the_worker_processes_of_an_evaluation_read_the_rows_that_were_asked_for(setup, tmp_path):
    parameters = TRIAL | {"dataloader_num_workers": 1, "dataloader_persistent_workers": True}
    (tmp_path / "trial").mkdir()

    _, trainer = run_trial(setup, parameters, SilentReport(tmp_path / "trial", AUC), tmp_path / "trial" / "checkpoint")

    assert len(trainer.predict(setup.dataset.splits["test"]).predictions) == 16
    assert len(trainer.predict(setup.validation).predictions) == 24
