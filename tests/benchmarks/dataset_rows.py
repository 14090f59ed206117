"""What opening a dataset costs, by its number of rows: the first time, and in each further process.

    uv run python tests/benchmarks/dataset_rows.py [--rows 50000 200000 1000000] [--kinds ids sequences] [--place DIR]

Each dataset has so many training rows, and a tenth as many for validation. Rows of `ids` have a median of 102 tokens,
each six letters, and are stored padded to 512, with mask and token types; those of `sequences` have 300 to 700 letters,
which become byte pairs. They take up to 3.4 GB in `--place`, a temporary directory by default, and are removed again.

Every line is a new process that imports BertNado and then measures one thing:

- opening: `open_dataset` and the search for rows of one split in another, for the first time (nothing is cached)
- again: the same in a further process
- worker: `open_dataset` alone, as each worker calls it
- check: the whole `bertnado check`, for a file of one parameter, with everything cached

Printed are the seconds, also of CPU time, and the most memory above that of the process that had imported everything:
*resident* as the system counts it, with the files that are mapped, and *own*, without those, which other processes
share, and which the system takes away where memory is short.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTH, MEDIAN, CHUNK = 512, 102, 5000
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY = len(SPECIAL) + 4**6

CHILD = """
import json, os, sys, threading, time
from pathlib import Path
from bertnado_metrics import get_task
from bertnado_train import HuggingFaceTrainer
from bertnado_train.prepared_dataset import open_dataset
from bertnado_train.pretrained import load_tokenizer
from bertnado_train.split_overlap import overlap_problems
import bertnado.cli, datasets, transformers

def status():
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {name: int(lines[name].split()[0]) / 1024 for name in ("VmHWM", "VmRSS", "RssAnon")}

def watch():
    while True:
        highest[0] = max(highest[0], status()["RssAnon"])
        time.sleep(0.005)

part, dataset, model, sweep = sys.argv[1:]
tokenizer = load_tokenizer(model, trust_remote_code=False)
task = get_task("binary_classification")
Path("/proc/self/clear_refs").write_text("5")  # the highest memory is counted from here
before, highest = status(), [0.0]
threading.Thread(target=watch, daemon=True).start()
begin, begun = time.perf_counter(), time.process_time()
if part == "check":
    bertnado.cli.main(["check", "--config-path", sweep, "--dataset", dataset, "--model-name", model, "--task-type",
        "binary_classification", "--output-dir", os.path.join(os.path.dirname(sweep), "output")], standalone_mode=False)
else:
    opened = open_dataset(dataset, task, lambda: tokenizer, tokenizer.pad_token_id)
    if part != "worker":
        overlap_problems(opened, tokenizer)
seconds, after = time.perf_counter() - begin, status()
print("\\n" + json.dumps({"seconds": seconds, "cpu": time.process_time() - begun,
    "resident": after["VmHWM"] - before["VmRSS"], "own": max(highest[0], after["RssAnon"]) - before["RssAnon"]}))
"""


def token_columns(rng, rows):
    """Columns as a tokenizer with `padding="max_length"` makes them."""
    import numpy as np

    lengths = np.clip(np.round(MEDIAN * np.exp(rng.normal(0, 0.4, rows))), 20, WIDTH).astype(int)
    mask = (np.arange(WIDTH) < lengths[:, None]).astype(np.int8)
    ids = rng.integers(len(SPECIAL), VOCABULARY, (rows, WIDTH), dtype=np.int32) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(mask)}


def sequence_columns(rng, rows):
    """DNA of 300 to 700 letters."""
    import numpy as np

    letters = np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, (rows, 700))]
    ends = rng.integers(300, 701, rows)
    return {"sequence": [row[:end].tobytes().decode() for row, end in zip(letters, ends, strict=True)]}


def write_split(directory, rows, kind, rng):
    """Write a split chunk by chunk, as `save_to_disk` would."""
    import datasets
    import pyarrow as pa

    made = {"ids": token_columns, "sequences": sequence_columns}[kind]
    values = {"input_ids": "int32", "attention_mask": "int8", "token_type_ids": "int8"}
    shape = {name: datasets.List(datasets.Value(dtype)) for name, dtype in values.items()}
    columns = shape if kind == "ids" else {"sequence": datasets.Value("string")}
    features = datasets.Features({**columns, "labels": datasets.Value("int64")})
    writer = None
    names = []
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        part = made(rng, count) | {"labels": rng.integers(0, 2, count)}
        if start % (40 * CHUNK) == 0:
            if writer:
                writer.close()
            names.append(f"data-{len(names):05d}.arrow")
            writer = pa.ipc.new_stream(str(directory / names[-1]), features.arrow_schema)
        arrays = [as_arrow(part[field.name], field.type) for field in features.arrow_schema]
        writer.write_table(pa.table(arrays, schema=features.arrow_schema), max_chunksize=1000)
    writer.close()
    return names, features


def as_arrow(values, kind):
    import numpy as np
    import pyarrow as pa

    if not pa.types.is_list(kind):
        return pa.array(values, kind)
    offsets = np.arange(0, values.size + 1, WIDTH, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.ravel())).cast(kind)


def write_dataset(directory, rows, kind):
    """Write a `DatasetDict` without holding it in memory."""
    import datasets
    import numpy as np

    rng = np.random.default_rng(0)
    for name, count in {"train": rows, "validation": rows // 10}.items():
        (directory / name).mkdir(parents=True)
        files, features = write_split(directory / name, count, kind, rng)
        datasets.DatasetInfo(features=features).write_to_directory(str(directory / name))
        state = {"_data_files": [{"filename": file} for file in files], "_fingerprint": f"{kind}{rows}{name}"}
        state |= {"_format_columns": None, "_format_kwargs": {}, "_format_type": None, "_output_all_columns": False}
        (directory / name / "state.json").write_text(json.dumps(state | {"_split": None}))
    (directory / "dataset_dict.json").write_text('{"splits": ["train", "validation"]}')


def write_model(directory, kind):
    """Write a tiny model that takes these rows: of 6-mers for token ids, of byte pairs for sequences."""
    import itertools

    import numpy as np
    from bertnado_train.simulated import simulate_sequences, write_model
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

    write_model(directory, simulate_sequences(2000, np.random.default_rng(0))[0])
    if kind == "ids":
        words = [*SPECIAL, *map("".join, itertools.product("ACGT", repeat=6))]
        backend = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
        backend.pre_tokenizer = pre_tokenizers.Split(Regex(".{6}"), "isolated")
        named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        PreTrainedTokenizerFast(tokenizer_object=backend, **named).save_pretrained(directory)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=16,
        max_position_embeddings=WIDTH,
    )
    BertForMaskedLM(config).save_pretrained(directory)


def size_of(directory):
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def measure(place, kind, rows):
    dataset, model, cache = place / "dataset", place / "model", place / "cache"
    for directory in (dataset, cache):
        shutil.rmtree(directory, ignore_errors=True)
    write_dataset(dataset, rows, kind)
    sweep = place / "sweep.json"
    parameters = {"learning_rate": {"min": 1e-5, "max": 1e-4}, "eval_steps": {"value": 1000}}
    sweep.write_text(json.dumps({"method": "random", "parameters": parameters}))
    print(f"{kind}, {rows:,} rows: {size_of(dataset) / 1e9:.2f} GB on disk", flush=True)
    for part in ("opening", "again", "worker", "check"):
        child = [sys.executable, "-c", CHILD, part, dataset, model, sweep]
        surroundings = os.environ | {"HF_DATASETS_CACHE": str(cache), "BERTNADO_CACHE": str(cache)}
        done = subprocess.run([*map(str, child)], capture_output=True, text=True, env=surroundings)
        if done.returncode:
            print(f"  {part:8} failed ({done.returncode}): {done.stderr.strip().splitlines()[-1:]}", flush=True)
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        spent = "{seconds:7.2f} s, {cpu:6.2f} s of CPU".format(**found)
        print(f"  {part:8} {spent}, resident {found['resident']:5.0f} MiB, own {found['own']:5.0f} MiB", flush=True)
    print(
        f"  cache {size_of(cache) / 1e6:.0f} MB; processors {os.cpu_count()}, load {os.getloadavg()[0]:.1f}", flush=True
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="*", type=int, default=[50_000, 200_000, 1_000_000])
    parser.add_argument("--kinds", nargs="*", default=["ids", "sequences"])
    parser.add_argument("--place", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.place) as directory:
        place = Path(directory)
        for kind in options.kinds:
            write_model(place / "model", kind)
            for rows in options.rows:
                measure(place, kind, rows)


if __name__ == "__main__":
    main()
