"""A small model and small datasets on disk, made once."""

import json

import datasets
import numpy as np
import pytest
from bertnado_train.simulated import simulate_sequences, write_model

SPLITS = {"train": 96, "validation": 56, "test": 56}


def save(directory, splits, **columns_of):
    """Write a DatasetDict; `splits` maps a split's name to its columns."""
    made = {name: datasets.Dataset.from_dict(columns) for name, columns in splits.items()}
    datasets.DatasetDict(made).save_to_disk(str(directory))
    return directory


@pytest.fixture(autouse=True)
def caches(tmp_path_factory, monkeypatch):
    """Keep the rows of datasets out of the home directory."""
    monkeypatch.delenv("BERTNADO_CACHE", raising=False)
    cache = tmp_path_factory.getbasetemp() / "datasets-cache"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)


@pytest.fixture(scope="session")
def sequences():
    """Simulated DNA by split: (sequences, labels)."""
    rng = np.random.default_rng(0)
    return {name: simulate_sequences(rows, rng) for name, rows in SPLITS.items()}


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory, sequences):
    """A BERT of 2 layers with its tokenizer."""
    directory = tmp_path_factory.mktemp("model")
    write_model(directory, sequences["train"][0], seed=1)
    return directory


@pytest.fixture(scope="session")
def dataset_dir(tmp_path_factory, sequences):
    """A dataset of sequences with binary labels."""
    columns = {name: {"sequence": texts, "labels": labels.tolist()} for name, (texts, labels) in sequences.items()}
    return save(tmp_path_factory.mktemp("data") / "dataset", columns)


@pytest.fixture
def write_dataset(tmp_path):
    """Write a dataset of one's own: columns by split."""

    def write(files=None, **splits):
        directory = save(tmp_path / "dataset", splits)
        for name, content in (files or {}).items():
            (directory / name).write_text(json.dumps(content))
        return directory

    return write
