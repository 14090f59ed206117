"""What a trial costs, beside what it would cost without BertNado.

    uv run python tests/benchmarks/trial_cost.py --preset cpu [--out OUT.json] [--trials 2]
    uv run python tests/benchmarks/trial_cost.py --preset cpu --profile TRACE.json

Every system trains the same trials of the same sweep file, on the same rows from the same weights, each in a process
of its own, one system after the other:

- `stock`: a careful script with the Trainer's defaults: rows padded as they are stored, fp32, checkpoints with the
  optimiser's state (`save_total_limit=2`), the model read for every trial, evaluation at the training batch size;
- `bertnado`: one trial at a time; `grouped`: with `group_by_length`; `parallel`: several trials at once;
- `floor`: a bare PyTorch loop on the same cut batches, without Trainer, tracker or record; `floor grouped` likewise.

`--profile` trains one BertNado trial under PyTorch's profiler; https://ui.perfetto.dev opens the trace.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
os.environ |= {"TOKENIZERS_PARALLELISM": "false", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

VOCABULARY, POSITIONS, SEED = 609, 512, 42  # GROVER's: https://huggingface.co/PoetschLab/GROVER
BASES_PER_TOKEN = 4.2
ENRICHED = 0.3


@dataclass(frozen=True)
class Preset:
    """A model, a sweep and its data."""

    layers: int
    width: int
    heads: int
    rows: tuple  # of train, of validation
    tokens: dict  # by line: the shortest and the longest row
    sweep: dict
    parallel: dict  # how run_sweep is told to train several trials at once
    trials: int  # of each system in each round
    stock_trials: int
    rounds: tuple  # by line: how often all systems have their turn


def documented_sweep():
    """The sweep file that the README names, without early termination, so that all systems do the same work."""
    document = json.loads((Path(__file__).parents[2] / "configs" / "sweep_config.json").read_text())
    return {name: value for name, value in document.items() if name != "early_terminate"}


def presets():
    base_pairs = tuple(round(bases / BASES_PER_TOKEN) for bases in (300, 500))
    quick = {
        "method": "random",
        "metric": {"name": "eval/roc_auc", "goal": "maximize"},
        "parameters": {
            "learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-3},
            "per_device_train_batch_size": {"value": 16},
            "epochs": {"value": 1},
            "eval_steps": {"value": 2},
        },
    }
    return {
        "cpu": Preset(
            layers=4,
            width=256,
            heads=4,
            rows=(256, 128),
            tokens={"median 95 tokens": base_pairs, "50 to 250 tokens": (50, 250)},
            sweep=quick,
            parallel={"workers": 2},
            trials=2,
            stock_trials=1,  # all trials are of one size, and it is the slow one
            rounds=(2, 1),
        ),
        "gpu": Preset(
            layers=12,
            width=768,
            heads=12,
            rows=(4000, 1000),
            tokens={"median 95 tokens": base_pairs},
            sweep=documented_sweep(),
            parallel={"trials_per_gpu": 4},
            trials=4,
            stock_trials=4,
            rounds=(1,),
        ),
    }


# --- the data and the weights -------------------------------------------------------------------------------------


def write_inputs(preset, line, directory):
    """Write the model, and the dataset with its rows padded to the model's positions."""
    import datasets
    import numpy as np
    from transformers import BertConfig, BertModel, set_seed

    set_seed(SEED)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=preset.width,
        num_hidden_layers=preset.layers,
        num_attention_heads=preset.heads,
        intermediate_size=4 * preset.width,
        max_position_embeddings=POSITIONS,
    )
    BertModel(config).save_pretrained(directory / "model")
    rng, (low, high) = np.random.default_rng(SEED), preset.tokens[line]
    splits = datasets.DatasetDict()
    for name, rows in zip(("train", "validation"), preset.rows, strict=True):
        tokens = np.zeros((rows, POSITIONS), dtype=np.int64)
        mask = np.zeros((rows, POSITIONS), dtype=np.int64)
        labels = rng.integers(0, 2, rows)
        for row, length in enumerate(rng.integers(low, high + 1, rows)):
            tokens[row, :length] = rng.integers(5, VOCABULARY, length)
            mask[row, :length] = 1
            if labels[row]:  # what there is to learn: some tokens are more frequent
                is_enriched = np.flatnonzero(rng.random(length) < ENRICHED)
                tokens[row, is_enriched] = rng.integers(5, 35, len(is_enriched))
        columns = {"input_ids": list(tokens), "attention_mask": list(mask), "labels": labels}
        splits[name] = datasets.Dataset.from_dict(columns)
    splits.save_to_disk(str(directory / "dataset"))


def trial_parameters(preset, count, **more):
    """The parameters that BertNado gives to the first trials of the sweep."""
    from bertnado_config import parse_sweep_config
    from bertnado_sweep.search.propose import propose

    config = parse_sweep_config(preset.sweep)
    return [propose(config, "maximize", (), number, SEED) | more for number in range(count)]


# --- the systems --------------------------------------------------------------------------------------------------


@dataclass
class Measured:
    """What one trial took, in seconds, and came to."""

    train: float
    evaluate: float
    first_step: float
    steps: int
    value: float
    loss: float


def run_stock(preset, directory, count):
    import numpy as np
    import torch
    from bertnado_metrics import compute_metrics
    from bertnado_train.training_arguments import convert_arguments
    from datasets import load_from_disk
    from transformers import AutoModelForSequenceClassification, Trainer, TrainerCallback, TrainingArguments, set_seed

    splits = load_from_disk(str(directory / "dataset"))
    splits = splits.map(lambda row: {"labels": [float(row["labels"])]}, load_from_cache_file=False)
    splits.set_format("torch")

    class Clock(TrainerCallback):
        def __init__(self):
            self.first, self.train, self.evaluate, self.losses = None, 0.0, 0.0, []

        def on_step_begin(self, *_, **__):
            self.began = time.perf_counter()
            self.first = self.first or self.began

        def on_step_end(self, *_, **__):
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.train += time.perf_counter() - self.began

        def on_evaluate(self, *_, metrics, **__):
            self.evaluate += metrics["eval_runtime"]

    def metrics_of(prediction):
        labels = prediction.label_ids.astype(np.int64).reshape(-1)
        return compute_metrics("binary_classification", prediction.predictions, labels)

    measured, cycles = [], []
    for number, parameters in enumerate(trial_parameters(preset, count)):
        begin = time.perf_counter()
        set_seed(SEED)
        model = AutoModelForSequenceClassification.from_pretrained(
            directory / "model", num_labels=1, problem_type="multi_label_classification"
        )
        given = convert_arguments({k: v for k, v in parameters.items() if k != "save_steps"})
        given.setdefault("per_device_eval_batch_size", given["per_device_train_batch_size"])
        arguments = TrainingArguments(
            output_dir=str(directory / f"stock{number}"),
            eval_strategy="steps",
            save_strategy="steps",
            save_steps=given["eval_steps"],
            save_total_limit=2,
            load_best_model_at_end=True,
            metric_for_best_model="roc_auc",
            report_to="none",
            disable_tqdm=True,
            seed=SEED,
            **given,
        )
        clock = Clock()
        trainer = Trainer(
            model,
            arguments,
            train_dataset=splits["train"],
            eval_dataset=splits["validation"],
            compute_metrics=metrics_of,
            callbacks=[clock],
        )
        trainer.train()
        rows = [row for row in trainer.state.log_history if "eval_roc_auc" in row]
        best = max(rows, key=lambda row: row["eval_roc_auc"])
        cycles.append(time.perf_counter() - begin)
        measured.append(
            Measured(
                clock.train,
                clock.evaluate,
                clock.first - begin,
                trainer.state.global_step,
                best["eval_roc_auc"],
                best["eval_loss"],
            )
        )
    return measured, cycles


def run_bertnado(preset, directory, count, **options):
    from bertnado import api

    grouped = options.pop("grouped", False)
    sweep = json.loads(json.dumps(preset.sweep))
    if grouped:
        sweep["parameters"]["group_by_length"] = {"value": True}
    (directory / "sweep.json").write_text(json.dumps(sweep))
    output = directory / "sweep"
    api.run_sweep(
        directory / "sweep.json",
        output,
        directory / "dataset",
        model_name=str(directory / "model"),
        sweep_count=count,
        backend="local",
        seed=SEED,
        dry_run=False,
        **options,
    )
    end = time.time()
    records = [json.loads(path.read_text()) for path in output.glob("sweep_*/trial.json")]
    records.sort(key=lambda record: record["number"])
    starts = [datetime.fromisoformat(record["started"]).timestamp() for record in records]
    if options:  # side by side: what each costs is its share of the whole
        cycles = [(end - min(starts)) / count] * count
    else:
        cycles = [after - before for before, after in zip(starts, [*starts[1:], end], strict=True)]
    return [measured_of(record) for record in records], cycles


def measured_of(record):
    best = next(row for row in record["history"] if row["step"] == record["step"])
    timings = record["timings"]
    return Measured(
        timings["train"],
        timings["evaluate"],
        timings["prepare"],
        record["history"][-1]["step"],
        best["eval/roc_auc"],
        best["eval/loss"],
    )


def run_floor(preset, directory, count, *, grouped=False):
    """The same trials without any framework: batches that are cut beforehand, a loop, the best weights written."""
    import numpy as np
    import torch
    from bertnado_metrics import Objective, compute_metrics
    from bertnado_train import TrainingInputs
    from bertnado_train.batch_format import BatchFormat
    from bertnado_train.training_arguments import convert_arguments
    from bertnado_train.training_setup import open_training_setup
    from safetensors.torch import save_file
    from transformers import get_scheduler

    inputs = TrainingInputs(model_name=str(directory / "model"), dataset=directory / "dataset", seed=SEED)
    setup = open_training_setup(inputs)
    train, validation = (setup.dataset.splits[name] for name in ("train", "validation"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    mixed = torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()
    collate = BatchFormat(preferred_multiple=8 if device.type == "cuda" else 1)
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits

    def epoch(rng, batch):
        order = list(range(len(train)))
        rng.shuffle(order)
        if grouped:  # sort within stretches of 50 batches, then shuffle the batches, as the Trainer's sampler does
            stretches = [order[at : at + 50 * batch] for at in range(0, len(order), 50 * batch)]
            order = [row for rows in stretches for row in sorted(rows, key=lambda row: -train.lengths[row])]
        batches = [order[at : at + batch] for at in range(0, len(order), batch)]
        rng.shuffle(batches)
        return [collate(train.__getitems__(rows)) for rows in batches]

    def forward(model, batch):
        with mixed:
            inputs = {name: batch[name].to(device) for name in ("input_ids", "attention_mask")}
            return model(**inputs).logits.float().squeeze(-1)

    measured, cycles = [], []
    for number, parameters in enumerate(trial_parameters(preset, count)):
        begin = time.perf_counter()
        given = convert_arguments(parameters)
        batch, accumulation = given["per_device_train_batch_size"], given.get("gradient_accumulation_steps", 1)
        model = setup.model.copy(SEED).to(device).train()
        optimizer = torch.optim.AdamW(model.parameters(), given["learning_rate"], weight_decay=0.0, fused=True)
        rng = random.Random(SEED)
        arguments = setup.training_arguments(parameters, Objective("eval/roc_auc", "maximize"), directory)
        batches = [group for _ in range(int(given["num_train_epochs"])) for group in epoch(rng, batch)]
        groups = [batches[at : at + accumulation] for at in range(0, len(batches), accumulation)]
        schedule = get_scheduler("linear", optimizer, 0, len(groups))
        order, rows = validation.longest_first, arguments.per_device_eval_batch_size
        evaluation = [collate(validation.__getitems__(order[at : at + rows])) for at in range(0, len(order), rows)]
        seconds = {"train": 0.0, "evaluate": 0.0}
        first, best = time.perf_counter(), (-1.0, 0.0, None)
        for step, group in enumerate(groups, start=1):
            start = time.perf_counter()
            labels = sum(len(part["labels"]) for part in group)
            for part in group:
                target = part["labels"].to(device, torch.float32)
                (loss_of(forward(model, part), target, reduction="sum") / labels).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            seconds["train"] += time.perf_counter() - start
            if step % arguments.eval_steps and step != len(groups):
                continue
            start = time.perf_counter()
            model.eval()
            with torch.no_grad():
                logits = torch.cat([forward(model, part) for part in evaluation]).cpu().numpy()
            unsorted = np.empty_like(logits)
            unsorted[order] = logits
            numbers = compute_metrics("binary_classification", unsorted[:, None], validation.labels)
            model.train()
            if numbers["roc_auc"] > best[0]:
                weights = {name: weight.to("cpu", copy=True) for name, weight in model.state_dict().items()}
                best = numbers["roc_auc"], numbers["loss"], weights
            seconds["evaluate"] += time.perf_counter() - start
        save_file(best[2], directory / f"floor{number}.safetensors")
        measured.append(Measured(seconds["train"], seconds["evaluate"], first - begin, len(groups), best[0], best[1]))
        cycles.append(time.perf_counter() - begin)
    return measured, cycles


SYSTEMS = {
    "stock": lambda preset, directory, count: run_stock(preset, directory, min(count, preset.stock_trials)),
    "bertnado": run_bertnado,
    "grouped": lambda preset, directory, count: run_bertnado(preset, directory, count, grouped=True),
    "parallel": lambda preset, directory, count: run_bertnado(preset, directory, count, **preset.parallel),
    "floor": run_floor,
    "floor grouped": lambda preset, directory, count: run_floor(preset, directory, count, grouped=True),
}


# --- measuring ----------------------------------------------------------------------------------------------------


class Watch(threading.Thread):
    """Samples what a process and its children write, hold in memory and leave in a directory."""

    def __init__(self, directory):
        super().__init__(daemon=True)
        self.directory, self.written, self.peak_disk, self.peak_memory, self.peak_gpu = directory, 0, 0, 0, 0
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.1):
            self.look()

    def look(self):
        import psutil
        import torch

        me, memory, written = psutil.Process(), 0, 0
        processes = [me]
        with suppress(psutil.Error):
            processes += me.children(recursive=True)
        for process in processes:
            with suppress(psutil.Error):
                written += process.io_counters().write_chars  # those that ended count as their parent's
                memory += process.memory_info().rss
        self.written, self.peak_memory = written, max(self.peak_memory, memory)
        self.peak_disk = max(self.peak_disk, weights_below(self.directory))
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            free, total = torch.cuda.mem_get_info()
            self.peak_gpu = max(self.peak_gpu, total - free)

    def stop(self):
        self.over.set()
        self.join()
        self.look()


def weights_below(directory):
    """Bytes of weights and optimiser states that lie below a directory, those of the model left out."""
    total = 0
    for place, _, names in os.walk(directory):  # which does not mind what is removed meanwhile
        for name in names:
            if name.endswith((".safetensors", ".pt", ".bin")) and Path(place).name != "model":
                with suppress(OSError):
                    total += (Path(place) / name).stat().st_size
    return total


def run_system(name, preset, directory, count):
    """Run one system, in this process; what comes back is plain."""
    import torch  # noqa: F401 (the watch, a thread, must not find it half imported)

    watch = Watch(directory)
    measured, cycles = SYSTEMS[name](preset, directory, count)
    watch.stop()
    return {
        "trials": [vars(trial) | {"cycle": cycle} for trial, cycle in zip(measured, cycles, strict=True)],
        "written": watch.written,
        "peak_disk": watch.peak_disk,
        "peak_memory": watch.peak_memory,
        "peak_gpu": watch.peak_gpu,
    }


def peak_flops():
    """Multiplications and additions a second of a large matrix product, as this machine really does them."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    size, kind = (8192, torch.bfloat16) if device.type == "cuda" else (2048, torch.float32)
    a, b = (torch.randn(size, size, dtype=kind, device=device) for _ in range(2))
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        (a @ b).sum().item()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def model_work(preset, directory):
    """Tokens of the splits, and model FLOPs of one pass over each: forward 2 a weight, and attention; train is thrice.

    Kaplan et al., "Scaling laws for neural language models", section 2.1 (https://arxiv.org/abs/2001.08361).
    """
    from datasets import load_from_disk

    weights = preset.layers * 12 * preset.width**2
    tokens, flops = {}, {}
    for name, split in load_from_disk(str(directory / "dataset")).items():
        lengths = split.with_format("numpy")["attention_mask"][:].sum(axis=1)
        tokens[name] = int(lengths.sum())
        flops[name] = float((2 * weights * lengths + 4 * preset.layers * preset.width * lengths**2).sum())
    return tokens, flops


def summarise(results, preset, inputs, peak, model_bytes, count):
    """One row of the table for each system."""
    tokens, flops = model_work(preset, inputs)
    evaluations = [evaluations_of(parameters, preset) for parameters in trial_parameters(preset, count)]
    epochs = [parameters["epochs"] for parameters in trial_parameters(preset, count)]
    work = statistics.mean(
        3 * flops["train"] * epoch + flops["validation"] * number
        for epoch, number in zip(epochs, evaluations, strict=True)
    )
    rows = {}
    for name, runs in results.items():
        trials = [trial for run in runs for trial in run["trials"]]
        warm = [trial for run in runs for trial in run["trials"][1:]] or trials  # the first of a process warms it up
        cycle = statistics.mean(trial["cycle"] for trial in trials)
        steps = sum(trial["steps"] for trial in trials)
        step = sum(trial["train"] for trial in trials) / steps
        epochs_done = len(trials) * statistics.mean(epochs)
        rows[name] = {
            "trials_per_hour": 3600 / cycle,
            "seconds_per_trial": cycle,
            "seconds_per_step": step,
            "real_tokens_per_second": tokens["train"] * epochs_done / steps / step,
            "share_of_peak": work / cycle / peak,
            "peak_memory_gib": max(run["peak_memory"] for run in runs) / 2**30,
            "peak_gpu_gib": max(run["peak_gpu"] for run in runs) / 2**30,
            "written_in_models": sum(run["written"] for run in runs) / len(trials) / model_bytes,
            "peak_disk_in_models": max(run["peak_disk"] for run in runs) / model_bytes,
            "fixed_seconds": None
            if name == "parallel"
            else statistics.mean(trial["cycle"] - trial["train"] - trial["evaluate"] for trial in warm),
            "first_step_seconds": statistics.mean(trial["first_step"] for trial in warm),
            "roc_auc": statistics.mean(trial["value"] for trial in trials),
            "loss": statistics.mean(trial["loss"] for trial in trials),
        }
    return rows


def evaluations_of(parameters, preset):
    from bertnado_train.training_arguments import convert_arguments

    given = convert_arguments(parameters)
    batch = given["per_device_train_batch_size"] * given.get("gradient_accumulation_steps", 1)
    steps = -(-preset.rows[0] // batch) * given["num_train_epochs"]
    return -(-steps // given["eval_steps"])


COLUMNS = {
    "trials_per_hour": ("trials/h", "{:.0f}"),
    "seconds_per_trial": ("s/trial", "{:.2f}"),
    "speed": ("x stock", "{:.1f}"),
    "seconds_per_step": ("s/step", "{:.4f}"),
    "real_tokens_per_second": ("tokens/s", "{:.0f}"),
    "share_of_peak": ("of peak", "{:.1%}"),
    "peak_memory_gib": ("RAM GiB", "{:.2f}"),
    "peak_gpu_gib": ("GPU GiB", "{:.2f}"),
    "written_in_models": ("written", "{:.2f}"),
    "peak_disk_in_models": ("disk", "{:.2f}"),
    "fixed_seconds": ("fixed s", "{:.2f}"),
    "first_step_seconds": ("first step s", "{:.2f}"),
    "roc_auc": ("roc_auc", "{:.4f}"),
    "loss": ("loss", "{:.4f}"),
}


def show(line, rows):
    """Print the table; `written` a trial and `disk` at most, in models' weights."""
    for row in rows.values():
        row["speed"] = rows["stock"]["seconds_per_trial"] / row["seconds_per_trial"] if "stock" in rows else None
    print(f"\n{line}")
    print(f"{'':14}" + "".join(f"{title:>13}" for title, _ in COLUMNS.values()))
    for name, row in rows.items():
        cells = ("-" if row[key] is None else form.format(row[key]) for key, (_, form) in COLUMNS.items())
        print(f"{name:14}" + "".join(f"{cell:>13}" for cell in cells), flush=True)


def profile(preset, line, target):
    """Write a trace of one warm BertNado trial."""
    from bertnado_metrics import Objective
    from bertnado_train import HuggingFaceTrainer
    from bertnado_train.trial import SilentReport
    from torch.profiler import profile as profiler

    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        write_inputs(preset, line, directory)
        trainer = HuggingFaceTrainer(
            model_name=str(directory / "model"), dataset=directory / "dataset", task_type="binary_classification"
        )
        session, report = trainer.open(), SilentReport(directory, Objective("eval/roc_auc", "maximize"))
        parameters = trial_parameters(preset, 1, max_steps=8)[0]
        session.run(parameters, report)
        with profiler(with_stack=False) as trace:
            session.run(parameters, report)
        trace.export_chrome_trace(str(target))
        print(trace.key_averages().table(sort_by="self_cpu_time_total", row_limit=15, max_name_column_width=40))
        print(f"written: {target}")


def main():
    """Run all systems in turn, print tables, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--trials", type=int, help="trials of each system in each round")
    parser.add_argument("--rounds", type=int, help="how often all systems have their turn")
    parser.add_argument("--system", action="append", choices=list(SYSTEMS), help="only this one; may be repeated")
    parser.add_argument("--line", help="only this line of the preset")
    parser.add_argument("--out", type=Path, help="where the numbers go, as JSON")
    parser.add_argument("--profile", type=Path, metavar="TRACE", help="write a trace of one trial instead")
    parser.add_argument("--inside", nargs=2, type=Path, help=argparse.SUPPRESS)  # directory, where the answer goes
    given = parser.parse_args()
    preset = presets()[given.preset]
    count = given.trials or preset.trials
    if given.inside:
        directory, answer = given.inside
        answer.write_text(json.dumps(run_system(given.system[0], preset, directory, count)))
        return
    lines = [given.line] if given.line else list(preset.tokens)
    if given.profile:
        profile(preset, lines[0], given.profile)
        return
    peak, tables = peak_flops(), {}
    print(f"{peak / 1e9:.0f} GFLOP/s in a large matrix product")
    for line in lines:
        rounds = given.rounds or preset.rounds[list(preset.tokens).index(line)]
        with tempfile.TemporaryDirectory() as scratch:
            inputs = Path(scratch) / "inputs"
            write_inputs(preset, line, inputs)
            model_bytes = (inputs / "model" / "model.safetensors").stat().st_size
            results = {name: [] for name in given.system or SYSTEMS}
            for number in range(rounds):
                for name, runs in results.items():
                    place = Path(scratch) / f"{name.replace(' ', '_')}_{number}"
                    runs.append(run_apart(name, given.preset, count, inputs, place))
            tables[line] = summarise(results, preset, inputs, peak, model_bytes, count)
        show(line, tables[line])
    if given.out:
        from bertnado_sweep.records.files import library_versions

        numbers = {"preset": given.preset, "peak_flops": peak, "versions": library_versions(), "lines": tables}
        given.out.write_text(json.dumps(numbers, indent=2))


def run_apart(name, preset, count, inputs, place):
    """Run one system in a process of its own."""
    place.mkdir()
    for part in ("model", "dataset"):
        (place / part).symlink_to(inputs / part)
    command = [sys.executable, __file__, "--preset", preset, "--trials", str(count), "--system", name]
    command += ["--inside", str(place), str(place / "answer.json")]
    done = subprocess.run(command, env={**os.environ, **private(place)}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr}")
    return json.loads((place / "answer.json").read_text())


def private(directory):
    """Keep caches and W&B's files in the scratch directory."""
    names = ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "HF_DATASETS_CACHE")
    return {name: str(directory / "home") for name in names} | {"WANDB_MODE": "offline"}


if __name__ == "__main__":
    main()
