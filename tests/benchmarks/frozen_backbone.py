"""What a trial with a frozen backbone costs, without and with cached features.

    uv run python tests/benchmarks/frozen_backbone.py [--rows 512] [--steps 64] [--layers 4] [--width 256]

Trains trials of one BERT with random weights on random token ids, one after the other: of the whole model, with a
frozen backbone and no cache, with an empty cache, and with the features of that trial. Prints a table.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

VOCABULARY, POSITIONS, SEED = 609, 512, 42
SHORTEST, LONGEST = 71, 119  # 300 to 500 base pairs in GROVER's tokens
LIMIT = "BERTNADO_FEATURES_GB"


def write_material(directory, given):
    """Write `dataset` and `model`."""
    import datasets
    import numpy as np
    from transformers import BertConfig, BertForSequenceClassification, set_seed

    rng = np.random.default_rng(SEED)

    def rows(count):
        tokens = [rng.integers(5, VOCABULARY, rng.integers(SHORTEST, LONGEST + 1)).tolist() for _ in range(count)]
        return datasets.Dataset.from_dict({"input_ids": tokens, "labels": rng.integers(0, 2, count).tolist()})

    splits = {"train": rows(given.rows), "validation": rows(given.rows // 2)}
    datasets.DatasetDict(splits).save_to_disk(str(directory / "dataset"))
    set_seed(SEED)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=given.width,
        num_hidden_layers=given.layers,
        num_attention_heads=given.width // 64,
        intermediate_size=4 * given.width,
        max_position_embeddings=POSITIONS,
        pad_token_id=0,
    )
    BertForSequenceClassification(config).save_pretrained(directory / "model")


def main():
    """Train the trials and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"rows": 512, "steps": 64, "layers": 4, "width": 256}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        os.environ["BERTNADO_CACHE"] = str(Path(root) / "cache")
        measure(Path(root), given)


def measure(root, given):
    """Train the trials below `root`."""
    from bertnado_config import TrainingInputs
    from bertnado_metrics import Objective
    from bertnado_train.training_setup import open_training_setup
    from bertnado_train.trial import SilentReport, run_trial

    write_material(root, given)
    setup = open_training_setup(TrainingInputs(model_name=str(root / "model"), dataset=root / "dataset"))
    shared = {"max_steps": given.steps, "eval_steps": given.steps // 8, "per_device_train_batch_size": 16}
    report = SilentReport(root, Objective("eval/roc_auc", "maximize"))
    trials = {
        "all weights": ("none", "0"),
        "frozen, no cache": ("backbone", "0"),
        "frozen, computing the cache": ("backbone", "20"),
        "frozen, cached": ("backbone", "20"),
    }
    print("| | s a trial | prepare | train | evaluate | eval/loss |\n|---|---|---|---|---|---|")
    for name, (freeze, limit) in trials.items():
        os.environ[LIMIT] = limit
        begin = time.perf_counter()
        result, _ = run_trial(setup, shared | {"freeze": freeze}, report, root / name)
        seconds = time.perf_counter() - begin
        spent = " | ".join(f"{result.timings[part]:.2f}" for part in ("prepare", "train", "evaluate"))
        print(f"| {name} | {seconds:.2f} | {spent} | {result.history[-1]['eval/loss']:.6f} |", flush=True)
    print(f"features: {result.details['features']['bytes'] / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
