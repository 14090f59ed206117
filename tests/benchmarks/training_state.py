"""What the training states of a trial cost: seconds to write and to read one, its size, and their share of a trial.

    uv run python tests/benchmarks/training_state.py [--layers 4 12] [--width 256 768] [--every 30] [--minutes 2]

Trains one trial of each model, a BERT of so many layers of such a width, for so many minutes. Its state is written
at the interval, which is lengthened as in a sweep, so that the states take at most 2 % of the time, and is then read as
the next attempt reads it. With the default interval of ten minutes the share is the seconds of a state over 600.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ |= {"WANDB_MODE": "disabled", "HF_HUB_OFFLINE": "1"}

TOKENS, ROWS, VOCABULARY = 128, {"train": 20_000, "validation": 64}, 600
"""Tokens and numbers of the rows."""


def write_material(directory, layers, width):
    """Write a BERT and a dataset of token ids."""
    import datasets
    import numpy as np
    from transformers import BertConfig, BertModel, set_seed

    set_seed(1)
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "intermediate_size": 4 * width}
    config = BertConfig(vocab_size=VOCABULARY, num_attention_heads=width // 64, **sizes)
    BertModel(config).save_pretrained(directory / "model")
    rng = np.random.default_rng(1)
    splits = {
        name: datasets.Dataset.from_dict(
            {
                "input_ids": rng.integers(5, VOCABULARY, (rows, TOKENS)),
                "attention_mask": np.ones((rows, TOKENS), dtype=np.int64),
                "labels": rng.integers(0, 2, rows),
            }
        )
        for name, rows in ROWS.items()
    }
    datasets.DatasetDict(splits).save_to_disk(directory / "dataset")


def make_report(directory, every, seconds):
    """Make the report of a trial that writes states at an interval and ends after so many seconds."""
    from bertnado_metrics import Objective
    from bertnado_sweep.records.trial import Trial
    from bertnado_sweep.running.tracker import Tracker
    from bertnado_sweep.running.trial_run import TrialReport

    state = directory / "training_state"
    trial = Trial(0, "benchmark-0", "running", {}, directory, "2026-01-01T00:00:00+00:00", training_state=state)
    deadline = time.monotonic() + seconds
    report = TrialReport(
        trial,
        Objective("eval/loss", "minimize"),
        Tracker(None),
        observer=lambda event: None,
        is_stopped=lambda: time.monotonic() > deadline,
    )
    report.keep_states(every, lambda: False)
    return report


def measure(layers, width, every, minutes):
    """Train one trial; what its states cost comes back."""
    from bertnado_train import HuggingFaceTrainer
    from bertnado_train.state_file import read_state_file

    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        write_material(root, layers, width)
        trainer = HuggingFaceTrainer(model_name=str(root / "model"), dataset=root / "dataset")
        session = trainer.open()
        directory = root / "trial"
        directory.mkdir()
        report = make_report(directory, every, 60 * minutes)
        taken, states = [], report.training_states
        note = states.written
        states.written = lambda step, seconds: (taken.append(seconds), note(step, seconds))
        timings = session.run({"per_device_train_batch_size": 16, "eval_steps": 500}, report).timings
        begin = time.perf_counter()
        read_state_file(states.path)
        read = time.perf_counter() - begin
        total = sum(timings.values())
        weights = sum(weight.numel() for weight in trainer.setup.model.weights.values()) * 4
        return {
            "model": f"{layers} layers, {width} wide",
            "weights MB": weights / 1e6,
            "state MB": states.path.stat().st_size / 1e6,
            "states": len(taken),
            "s to write": statistics.median(taken),
            "s to read": read,
            "s of the trial": total,
            "share %": 100 * timings["states"] / total,
            "share of 10 min %": 100 * statistics.median(taken) / 600,
        }


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, nargs="+", default=[4, 12])
    parser.add_argument("--width", type=int, nargs="+", default=[256, 768])
    parser.add_argument("--every", type=float, default=30)
    parser.add_argument("--minutes", type=float, default=2)
    given = parser.parse_args()
    for number, (layers, width) in enumerate(zip(given.layers, given.width, strict=True)):
        found = measure(layers, width, given.every, given.minutes)
        if number == 0:
            print(f"| {' | '.join(found)} |\n|{'---|' * len(found)}")
        cells = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in found.values()]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
