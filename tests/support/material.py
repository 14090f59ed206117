"""A small dataset, a small model and a small sweep file on disk."""

import json

import datasets
import numpy as np
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


def write_material(root):
    """Write `dataset`, `model` and `sweep.json` into `root`."""
    rng = np.random.default_rng(0)
    splits = datasets.DatasetDict()
    for name, rows in ROWS.items():
        sequences, labels = simulate_sequences(rows, rng)
        splits[name] = datasets.Dataset.from_dict({"sequence": sequences, "labels": labels.tolist()})
    splits.save_to_disk(str(root / "dataset"))
    write_model(root / "model", splits["train"]["sequence"][:])
    (root / "sweep.json").write_text(json.dumps(SWEEP))
