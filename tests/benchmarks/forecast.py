"""The forecast of a sweep against the time that it takes.

    uv run python tests/benchmarks/forecast.py [--cases quickstart mixed evaluations] [--repeat 3] [--workers 1]

Each case is run as a person runs it, with the dry run before its first trial. Printed are the seconds of the dry run,
the forecast and the truth of the whole sweep, from the first trial's start to the last one's end, their ratio, the same
for the median trial, and the load of the machine before and after. On a quiet machine the ratio of a sweep is to lie
between 0.75 and 1.25.

- quickstart: the dataset, the model and the sweep file of `bertnado quickstart`
- mixed: rows of 20 to 500 tokens, and batches of 8 to 32 of them, grouped by length or not
- evaluations: 600 validation rows, evaluated every fourth step
"""

import argparse
import json
import os
import statistics
import tempfile
from datetime import datetime
from pathlib import Path

os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "TRANSFORMERS_VERBOSITY": "error"}
os.environ |= {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

ROWS = {"train": 1200, "validation": 300}
RATE = {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-3}
MIXED = {
    "method": "random",
    "metric": {"name": "eval/roc_auc", "goal": "maximize"},
    "parameters": {
        "learning_rate": RATE,
        "per_device_train_batch_size": {"values": [8, 16, 32]},
        "epochs": {"values": [1, 2]},
        "group_by_length": {"values": [True, False]},
    },
}
EVALUATIONS = {
    "method": "random",
    "metric": {"name": "eval/roc_auc", "goal": "maximize"},
    "parameters": {
        "learning_rate": RATE,
        "per_device_train_batch_size": {"values": [16, 32]},
        "max_steps": {"values": [40, 80]},
        "eval_steps": {"value": 4},
    },
}


def write_quickstart(place):
    from importlib.resources import files

    from bertnado_train.simulated import write_dataset, write_model

    write_model(place / "model", write_dataset(place / "dataset"))
    return json.loads(files("bertnado").joinpath("quickstart.json").read_text("utf-8"))


def write_mixed(place):
    """Write sequences of very different length, and a model that takes them."""
    import datasets
    import numpy as np
    from bertnado_train.simulated import write_dataset, write_model
    from transformers import BertConfig, BertForMaskedLM

    write_model(place / "model", write_dataset(place / "dataset"))
    config = BertConfig.from_pretrained(place / "model")
    config.max_position_embeddings, config.num_hidden_layers = 512, 4
    config.hidden_size, config.intermediate_size, config.num_attention_heads = 128, 512, 4
    BertForMaskedLM(config).save_pretrained(place / "model")
    chance = np.random.default_rng(0)
    splits = datasets.DatasetDict()
    for name, rows in ROWS.items():
        lengths = np.exp(chance.uniform(np.log(60), np.log(1400), rows)).astype(int)
        texts = ["".join(chance.choice(list("ACGT"), length)) for length in lengths]
        splits[name] = datasets.Dataset.from_dict({"sequence": texts, "labels": chance.integers(0, 2, rows).tolist()})
    splits.save_to_disk(str(place / "rows"))
    (place / "dataset").rename(place / "simulated")
    (place / "rows").rename(place / "dataset")
    return MIXED


def write_evaluations(place):
    write_quickstart(place)
    return EVALUATIONS


CASES = {"quickstart": write_quickstart, "mixed": write_mixed, "evaluations": write_evaluations}


def seconds_between(began, ended):
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()


def measure(case, trials, workers):
    """Run a sweep; its forecast and the truth come back."""
    from bertnado import api

    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "sweep.json").write_text(json.dumps(CASES[case](place)))
        arguments = {"model_name": str(place / "model"), "sweep_count": trials, "backend": "local", "workers": workers}
        api.run_sweep(
            place / "sweep.json", place / "sweep", place / "dataset", max_length=512, too_long="truncate", **arguments
        )
        forecast = json.loads((place / "sweep" / "sweep.json").read_text())["forecast"]
        records = [json.loads(path.read_text()) for path in (place / "sweep").glob("sweep_*/trial.json")]
    each = [seconds_between(record["started"], record["ended"]) for record in records]
    whole = seconds_between(min(record["started"] for record in records), max(record["ended"] for record in records))
    return forecast, whole, statistics.median(each)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--trials", type=int, default=5)
    options = parser.parse_args()
    columns = "workers  dry run s  sweep: forecast  truth  ratio  median trial: forecast  truth  load before, after"
    print(f"{'case':12} {columns}", flush=True)
    for case in options.cases:
        for _ in range(options.repeat):
            before = os.getloadavg()[0]
            forecast, whole, median = measure(case, options.trials, options.workers)
            print(
                f"{case:12} {options.workers:7} {forecast['took']:10.1f} {forecast['sweep']:16.1f} {whole:6.1f} "
                f"{forecast['sweep'] / whole:6.2f} {forecast['median_trial']:23.1f} {median:6.1f} "
                f"{before:6.1f} {os.getloadavg()[0]:6.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
