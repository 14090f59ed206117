"""What `bertnado check` says of some stand-ins: `record_models.py` writes it into `docs/models.md`."""

from pathlib import Path

import datasets
import numpy as np
from bertnado_train.simulated import simulate_sequences
from mistakes import run
from support.dna_models import STAND_INS
from support.dna_models.writing import write_json

DOCUMENT = Path(__file__).parents[2] / "docs" / "models.md"
HEADING = "## What `bertnado check` shows\n"
SHOWN = ("grover", "dnabert2", "nt_v2", "hyenadna", "caduceus")
ROWS = {"train": 96, "validation": 60, "test": 60}
SWEEP = {
    "method": "random",
    "parameters": {
        "learning_rate": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-3},
        "per_device_train_batch_size": {"values": [8, 16]},
        "epochs": {"value": 3},
    },
}
INTRODUCTION = """
The stand-ins of five models with a dataset of 216 simulated sequences, as the commands show them
(`uv run python tests/bertnado/record_models.py` writes this section anew).
"""


def set_up(scene):
    """Write the dataset, the sweep file and the models that are shown."""
    rng = np.random.default_rng(0)
    splits = datasets.DatasetDict()
    for name, rows in ROWS.items():
        sequences, labels = simulate_sequences(rows, rng)
        splits[name] = datasets.Dataset.from_dict({"sequence": sequences, "labels": labels.tolist()})
    splits.save_to_disk(str(scene / "dataset"))
    write_json(scene / "sweep.json", SWEEP)
    for name in SHOWN:
        (scene / name).mkdir()
        STAND_INS[name].write(scene / name)


def section(name, scene):
    """Check a stand-in, and return its section of the document."""
    trust = " --trust-remote-code" if STAND_INS[name].needs_trust else ""
    places = "--config-path sweep.json --dataset dataset --output-dir out"
    command = f"bertnado check {places} --model-name {name} --backend local --precision fp32{trust}"
    answer = run(command, scene)
    assert answer.crash is None, answer
    assert answer.code == 0, answer
    shown = [command.replace(" --model-name", " \\\n  --model-name"), answer.before.rstrip()]
    lines = "\n\n".join(shown).splitlines()
    code = "\n".join(f"    {line}".rstrip() for line in lines)
    return f"### {STAND_INS[name].model}\n\n{code}\n"


def document(sections):
    """Return the document with new sections."""
    written, _, _ = DOCUMENT.read_text().partition(HEADING)
    return "\n".join([written + HEADING + INTRODUCTION, *sections])
