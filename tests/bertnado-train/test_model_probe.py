"""Which batches a model takes is found by running it."""

import json
import pickle

import numpy as np
import pytest
import torch
from bertnado_metrics import Objective
from bertnado_train import HuggingFaceTrainer, TrainingInputs, train_model
from bertnado_train.encoded_split import EncodedSplit
from bertnado_train.model_probe import probe_model
from bertnado_train.padding import choose_padding
from bertnado_train.training_setup import open_training_setup
from support import tokenizers
from support.custom_models import CLASSIFIER, write_model, write_tokenizer
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BigBirdConfig,
    BigBirdForSequenceClassification,
    EsmConfig,
    EsmForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    set_seed,
)

AUC = Objective("eval/roc_auc", "maximize")
QUICK = {"max_steps": 4, "eval_steps": 2, "per_device_train_batch_size": 6, "learning_rate": 1e-2}

MASK_IGNORED = CLASSIFIER.replace("masked_mean(hidden, attention_mask)", "hidden.mean(1)")
NO_MASK = MASK_IGNORED.replace("attention_mask=None, labels=None, **rest", "labels=None")
MASK_SWALLOWED = MASK_IGNORED.replace("attention_mask=None, labels=None, **rest", "labels=None, **rest")
FIRST_TOKEN = NO_MASK.replace("hidden.mean(1)", "hidden[:, 0]")
"""Padding on the left changes its results, and on the right it does not."""
MULTIPLES_OF_4 = CLASSIFIER.replace("        hidden =", "        assert input_ids.shape[1] % 4 == 0\n        hidden =")
ONE_LENGTH = CLASSIFIER.replace("        hidden =", "        assert input_ids.shape[1] == 12\n        hidden =")
NONSENSE = CLASSIFIER.replace("        hidden =", "        input_ids.nonsense()\n        hidden =")
BATCH_NORM = CLASSIFIER.replace(
    "        self.score =", "        self.norm = nn.BatchNorm1d(config.width)\n        self.score ="
).replace("masked_mean(hidden, attention_mask)", "self.norm(masked_mean(hidden, attention_mask))", 1)
TWO_LOGITS = CLASSIFIER.replace("config.num_labels", "2")
TUPLE = CLASSIFIER.replace("SequenceClassifierOutput(logits=self.score", "(self.score").replace(
    "attention_mask)))", "attention_mask)),)"
)
NAN = CLASSIFIER.replace("self.score(masked", "float('nan') * self.score(masked")


LETTERS = (
    tokenizers.LETTERS_CODE
    + """
    def save_vocabulary(self, save_directory, filename_prefix=None):
        raise NotImplementedError("the vocabulary is in the code")
"""
)


def split_of(rows, widths=None):
    """A split of rows of token ids; `widths` are those with which they are stored."""
    lengths = [len(row) for row in rows]
    tokens = np.concatenate(rows).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    labels = np.zeros(len(rows), np.float32)
    return EncodedSplit(tokens, np.ones(len(tokens), np.uint8), starts, labels, widths)


ROWS = [[2, *([5, 6, 7, 8] * 20)[:length], 3] for length in (7, 12, 23, 40)]


@pytest.fixture
def probe(tmp_path):
    """Write a model of a kind, and probe it."""

    def run(code, rows=ROWS, side="right", widths=None):
        model = write_model(tmp_path / "model", code, {"num_labels": 1})
        return probe_model(model, [split_of(rows, widths)], pad_token_id=0, side=side, logits=1)

    return run


class TestWidths:
    @pytest.mark.parametrize("code", [CLASSIFIER, TUPLE])
    @pytest.mark.parametrize("side", ["left", "right"])
    def test_rows_are_padded_to_the_longest_where_that_changes_nothing(self, probe, code, side):
        found = probe(code, side=side)
        assert (found.format.widths, found.format.side, found.notes) == ("longest", side, ())

    @pytest.mark.parametrize(("code", "inputs"), [(MASK_IGNORED, ("attention_mask",)), (NO_MASK, ())])
    def test_rows_are_computed_with_their_own_width_where_padding_changes_them(self, probe, code, inputs):
        found = probe(code)
        assert (found.format.widths, found.format.inputs) == ("own", inputs)
        assert "rows of a batch are computed by length" in found.notes[0]

    def test_a_mask_that_is_taken_and_not_used_is_found_out(self, probe):
        assert probe(MASK_SWALLOWED).format.widths == "own"

    def test_padding_as_it_is_stored_stays_where_it_changes_results(self, probe):
        found = probe(MASK_IGNORED, widths=np.full(len(ROWS), 48))
        assert found.format.widths == "stored"
        assert "used as they are stored, with their padding" in found.notes[0]

    def test_the_other_side_is_taken_where_padding_there_changes_nothing(self, probe):
        found = probe(FIRST_TOKEN, side="left")
        assert (found.format.widths, found.format.side) == ("longest", "right")
        assert "batches are padded on the right" in found.notes[0]

    @pytest.mark.parametrize("lengths", [(7, 12, 23), (8, 12, 23), (16, 17, 18)])
    def test_widths_that_must_be_multiples_are_found(self, probe, lengths):
        found = probe(MULTIPLES_OF_4, [[5] * length for length in lengths])
        assert found.format.multiple == 4
        assert found.notes == ("it takes lengths that are multiples of 4; rows are padded to them",)

    def test_logits_of_rows_together_are_those_of_rows_alone(self, probe, tmp_path):
        form = probe(MASK_IGNORED).format
        model = write_model(tmp_path / "again", MASK_IGNORED, {"num_labels": 1}).eval()
        together = form.logits(model, {k: v for k, v in form(split_of(ROWS)).items() if k != "labels"})
        alone = [model(input_ids=torch.tensor([row])).logits for row in ROWS]
        torch.testing.assert_close(together, torch.cat(alone))

    def test_rows_of_the_one_length_that_a_model_takes_are_taken(self, probe):
        assert probe(ONE_LENGTH, [[5] * 12] * 3).format.multiple == 1


class TestWhatCannotBeTrained:
    @pytest.mark.parametrize(
        ("code", "message"),
        [
            (TWO_LOGITS, "its head gives 2 logits whatever num_labels says, and this task needs 1"),
            (NAN, "it gives NaN or infinite logits before any training"),
            (NONSENSE, "has no attribute 'nonsense'"),
        ],
    )
    def test_it_is_said_with_its_reason(self, probe, code, message):
        assert message in probe(code).problems[0]

    @pytest.mark.parametrize(
        ("make", "positions"),
        [
            (
                lambda: EsmForSequenceClassification(
                    EsmConfig(
                        vocab_size=12, pad_token_id=0, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=16, max_position_embeddings=20, num_labels=1, mask_token_id=4,
                    )
                ),
                19,
            ),
            (
                lambda: GPT2ForSequenceClassification(
                    GPT2Config(
                        vocab_size=12, n_embd=16, n_layer=1, n_head=2, n_positions=20, pad_token_id=0, num_labels=1
                    )
                ),
                20,
            ),
        ],
    )  # fmt: skip
    def test_the_longest_row_that_fits_is_found_by_trying(self, make, positions):
        found = probe_model(make(), [split_of(ROWS)], pad_token_id=0, side="right", logits=1)
        assert found.longest == positions


def test_a_state_that_a_batch_leaves_behind_is_that_of_every_trial_and_of_the_saved_model(tmp_path, dataset_dir):
    set_seed(0)
    write_tokenizer(tmp_path / "model")
    BigBirdForSequenceClassification(
        BigBirdConfig(
            vocab_size=12, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
            max_position_embeddings=256, block_size=16, num_random_blocks=1, pad_token_id=0,
        )
    ).save_pretrained(tmp_path / "model")  # fmt: skip
    inputs = TrainingInputs(model_name=str(tmp_path / "model"), dataset=dataset_dir)
    setup = open_training_setup(inputs)
    assert setup.probe.config == {"attention_type": "original_full"}
    final = train_model(inputs, QUICK, AUC, tmp_path / "final")
    assert json.loads((final.model_path / "config.json").read_text())["attention_type"] == "original_full"
    assert not final.notes


class TestFinalModels:
    @pytest.fixture
    def final(self, tmp_path, dataset_dir):
        def train(code, **tokenizer):
            write_model(tmp_path / "model", code)
            write_tokenizer(tmp_path / "model", **tokenizer)
            trusted = TrainingInputs(model_name=str(tmp_path / "model"), dataset=dataset_dir, trust_remote_code=True)
            return train_model(trusted, QUICK, AUC, tmp_path / "final")

        return train

    def test_without_padding_the_tokenizer_that_is_saved_cannot_pad(self, final):
        trained = final(MASK_IGNORED)
        assert AutoTokenizer.from_pretrained(trained.model_path).pad_token is None
        assert "has no padding token" in trained.notes[0]

    def test_the_tokenizer_that_is_saved_pads_as_the_model_was_trained(self, final):
        trained = final(FIRST_TOKEN, side="left")
        assert AutoTokenizer.from_pretrained(trained.model_path).padding_side == "right"
        assert "pads on the right" in trained.notes[0]

    @pytest.mark.parametrize("code", [CLASSIFIER, MASK_IGNORED, FIRST_TOKEN, TUPLE])
    def test_what_is_reported_is_what_the_saved_model_gives_row_by_row(self, final, code, sequences):
        trained = final(code)
        model = AutoModelForSequenceClassification.from_pretrained(trained.model_path, trust_remote_code=True).eval()
        tokenizer = AutoTokenizer.from_pretrained(trained.model_path)
        texts, labels = sequences["validation"]
        with torch.no_grad():
            outputs = [model(**inputs_for(code, tokenizer(text, return_tensors="pt"))) for text in texts]
        logits = torch.cat([output[0] if isinstance(output, tuple) else output.logits for output in outputs])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], torch.tensor(labels).float())
        assert trained.metrics["validation"]["loss"] == pytest.approx(float(loss), abs=1e-5)


def inputs_for(code, tokens):
    names = ["input_ids", "attention_mask"] if "attention_mask=None" in code else ["input_ids"]
    return {name: tokens[name] for name in names}


def test_a_tokenizer_whose_code_cannot_save_it_loses_nothing(tmp_path, dataset_dir):
    write_model(tmp_path / "model")
    (tmp_path / "model" / "letters.py").write_text(LETTERS)
    config = {"tokenizer_class": "Letters", "auto_map": {"AutoTokenizer": ["letters.Letters", None]}}
    (tmp_path / "model" / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "model" / "tokenizer.json").unlink()
    inputs = TrainingInputs(model_name=str(tmp_path / "model"), dataset=dataset_dir, trust_remote_code=True)
    final = train_model(inputs, QUICK, AUC, tmp_path / "final")
    assert final.notes[0].startswith("the tokenizer cannot be saved: the vocabulary is in the code; ")
    assert final.metrics_path.is_file()


def test_rows_that_were_tokenised_beforehand_need_no_tokenizer(tmp_path, write_dataset):
    write_model(tmp_path / "model", tokenizer=False)
    columns = {"input_ids": [[2, 5, 6, 3], [2, 7, 8, 8, 3]] * 8, "labels": [0, 1] * 8}
    inputs = TrainingInputs(
        model_name=str(tmp_path / "model"),
        dataset=write_dataset(train=columns, validation=columns),
        trust_remote_code=True,
    )
    final = train_model(inputs, QUICK, AUC, tmp_path / "final")
    assert "no tokenizer" in final.notes[0]
    assert json.loads(final.metrics_path.read_text())["notes"] == list(final.notes)


def test_the_token_for_padding_is_the_tokenizers_and_goes_into_a_configuration_without_one(tmp_path, dataset_dir):
    order = ("[UNK]", "[CLS]", "[SEP]", "[MASK]", "[PAD]")
    assert set(order) == set(tokenizers.SPECIAL)
    write_model(tmp_path / "model", tokenizer=False)
    write_tokenizer(tmp_path / "model", order=order)
    setup = open_training_setup(
        TrainingInputs(model_name=str(tmp_path / "model"), dataset=dataset_dir, trust_remote_code=True)
    )
    assert setup.batch_format.pad_token_id == 4
    assert setup.model.copy(0).config.pad_token_id == 4


def test_what_was_found_out_is_handed_to_workers(tmp_path, dataset_dir, monkeypatch):
    write_model(tmp_path / "model", MASK_IGNORED)
    trainer = HuggingFaceTrainer(model_name=str(tmp_path / "model"), dataset=dataset_dir, trust_remote_code=True)
    trainer.open()
    worker = pickle.loads(pickle.dumps(trainer))
    monkeypatch.setattr("bertnado_train.training_setup.probe_model", None)
    assert worker.open().setup.batch_format.widths == "own"


def test_every_row_is_evaluated_whatever_training_drops(tmp_path, model_dir, dataset_dir):
    inputs = TrainingInputs(model_name=str(model_dir), dataset=dataset_dir)
    final = train_model(inputs, {**QUICK, "dataloader_drop_last": True}, AUC, tmp_path / "final")
    assert final.result.value is not None


def test_a_last_batch_of_one_row_is_dropped_under_batch_normalisation(tmp_path, dataset_dir):
    write_model(tmp_path / "model", BATCH_NORM)
    inputs = TrainingInputs(model_name=str(tmp_path / "model"), dataset=dataset_dir, trust_remote_code=True)
    final = train_model(inputs, {"epochs": 1, "per_device_train_batch_size": 19}, AUC, tmp_path / "final")
    assert final.result.details["arguments"]["dataloader_drop_last"]


@pytest.mark.parametrize("configured", [-1, 99, None])
def test_a_token_for_padding_that_is_not_in_the_vocabulary_is_replaced(configured):
    config = GPT2Config(vocab_size=12, pad_token_id=configured, eos_token_id=3)
    padding = choose_padding(config, None)
    assert (padding.declared, padding.token_id, config.pad_token_id) == (None, 3, 3)
