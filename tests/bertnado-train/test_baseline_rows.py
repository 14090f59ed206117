"""The rows of a dataset as baselines take them."""

import datasets
import numpy as np
import pytest
from bertnado_config import TrainingInputs
from bertnado_metrics import get_task
from bertnado_metrics.baselines import compute_baselines
from bertnado_train.baseline_rows import baseline_rows
from bertnado_train.prepared_dataset import open_dataset
from bertnado_train.training_setup import read_dataset
from support import tokenizers
from transformers import AutoTokenizer


def rows_of(directory, model_dir, **options):
    read = read_dataset(TrainingInputs(model_name=str(model_dir), dataset=directory, **options))
    return baseline_rows(read.dataset, read.tokenizer)


@pytest.fixture
def tokenised(sequences, model_dir, write_dataset):
    """Write the dataset as token ids alone, each made by a function of its tokens."""
    tokenizer = AutoTokenizer.from_pretrained(model_dir)

    def write(change=lambda ids: ids, **further):
        columns = {
            name: {"input_ids": [change(ids) for ids in tokenizer(texts)["input_ids"]], "labels": labels.tolist()}
            for name, (texts, labels) in sequences.items()
        }
        for column, made in further.items():
            for name, (texts, _) in sequences.items():
                columns[name][column] = made(texts)
        return write_dataset(**columns)

    return write


def test_sequences_tokens_and_labels_are_those_of_the_dataset(sequences, dataset_dir, model_dir):
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    for name, rows in rows_of(dataset_dir, model_dir).items():
        texts, labels = sequences[name]
        ids = tokenizer(texts)["input_ids"]
        assert rows.sequences == texts
        assert rows.labels.tolist() == labels.tolist()
        assert rows.tokens.tolist() == [number for row in ids for number in row]
        assert np.diff(rows.starts).tolist() == [len(row) for row in ids]


def test_the_letters_of_token_ids_are_read_if_the_tokenizer_keeps_them(sequences, tokenised, model_dir):
    found = rows_of(tokenised(), model_dir)
    assert {name: rows.sequences for name, rows in found.items()} == {
        name: texts for name, (texts, _) in sequences.items()
    }


def test_letters_that_an_unknown_token_stands_for_are_not_made_up(tokenised, model_dir):
    unknown = AutoTokenizer.from_pretrained(model_dir).unk_token_id
    found = rows_of(tokenised(lambda ids: [*ids[:3], unknown, *ids[4:]]), model_dir)
    assert [rows.sequences for rows in found.values()] == [None, None, None]
    numbers = compute_baselines("binary_classification", found.pop("train"), found, 1)
    assert [baseline.name for baseline in numbers.baselines] == ["constant", "tokens"]


def test_padding_is_not_counted(tokenised, model_dir):
    padded = rows_of(tokenised(lambda ids: ids + [0] * (200 - len(ids))), model_dir)
    assert max(np.diff(padded["train"].starts)) < 200
    assert not (padded["train"].tokens == 0).any()


@pytest.mark.parametrize("stored", ["sequence", "input_ids"])
def test_overlapping_kmers_are_one_sequence(write_dataset, stored):
    tokenizer, texts = tokenizers.kmers(3), ["ACGTT", "ACGTA"]
    kmers = [" ".join(text[i : i + 3] for i in range(3)) for text in texts]
    columns = {stored: kmers if stored == "sequence" else tokenizer(kmers)["input_ids"], "labels": [0, 1]}
    path = write_dataset(train=columns, validation=columns)
    dataset = open_dataset(path, get_task("binary_classification"), lambda: tokenizer, 0)
    assert baseline_rows(dataset, tokenizer)["train"].sequences == texts


def test_the_sequences_of_a_pair_are_apart(write_dataset, model_dir):
    columns = {"sequence": ["ACGT", "AACC"], "sequence2": ["TT", "GG"], "labels": [0, 1]}
    found = rows_of(write_dataset(train=columns, validation=columns), model_dir)
    assert found["train"].sequences == ["ACGT TT", "AACC GG"]


def test_of_many_rows_the_same_are_drawn_for_sequences_tokens_and_labels(tmp_path, model_dir):
    texts = ["ACGT" if row % 3 else "TT" for row in range(20_050)]
    labels = [int(row % 3 == 0) for row in range(20_050)]
    train = datasets.Dataset.from_dict({"sequence": texts, "labels": labels})
    datasets.DatasetDict(train=train, validation=train.select(range(10))).save_to_disk(str(tmp_path / "many"))
    rows = rows_of(tmp_path / "many", model_dir)["train"]
    assert (len(rows), rows.drawn_from) == (20_000, 20_050)
    assert [text == "TT" for text in rows.sequences] == (rows.labels == 1).tolist()
    assert len(rows.starts) == 20_001
