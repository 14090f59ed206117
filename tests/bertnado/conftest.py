"""A small model, a small dataset and a small sweep file, made once."""

import json

import datasets
import datasets.config
import numpy as np
import pytest
from bertnado_train.simulated import simulate_sequences, write_model

ROWS = {"train": 160, "validation": 60, "test": 60}
SWEEP = {
    "name": "small",
    "method": "random",
    "metric": {"name": "eval/roc_auc", "goal": "maximize"},
    "parameters": {
        "learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2},
        "per_device_train_batch_size": {"values": [16, 32]},
        "max_steps": {"value": 6},
        "eval_steps": {"value": 2},
        "training_args": {"parameters": {"max_grad_norm": {"values": [0.5, 2.0]}}},
    },
}


@pytest.fixture(autouse=True)
def surroundings(tmp_path_factory, monkeypatch):
    """Nothing of the home directory, and no account."""
    cache = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    for name, value in {
        "HF_DATASETS_CACHE": cache,
        "WANDB_CACHE_DIR": cache,
        "WANDB_CONFIG_DIR": cache,
        "WANDB_DATA_DIR": cache,
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("NETRC", str(cache / "netrc"))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_DIR", "WANDB_PROJECT", "WANDB_SWEEP_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def material(tmp_path_factory):
    """A directory with `dataset`, `model` and `sweep.json`."""
    root = tmp_path_factory.mktemp("material")
    rng = np.random.default_rng(0)
    splits = datasets.DatasetDict()
    for name, rows in ROWS.items():
        sequences, labels = simulate_sequences(rows, rng)
        splits[name] = datasets.Dataset.from_dict({"sequence": sequences, "labels": labels.tolist()})
    splits.save_to_disk(str(root / "dataset"))
    write_model(root / "model", splits["train"]["sequence"][:])
    (root / "sweep.json").write_text(json.dumps(SWEEP))
    return root


@pytest.fixture(scope="session")
def swept(material, tmp_path_factory):
    """A finished sweep of three trials: (its output directory, what the API returned)."""
    from bertnado import api

    output = tmp_path_factory.mktemp("swept") / "sweep"
    found = api.run_sweep(
        config_path=material / "sweep.json",
        output_dir=output,
        dataset=material / "dataset",
        project_name="tests",
        task_type="binary_classification",
        model_name=str(material / "model"),
        sweep_count=3,
        metric_name="eval/roc_auc",
        metric_goal="maximize",
        seed=7,
    )
    return output, found
