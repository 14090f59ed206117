"""What people keep in an output directory besides, under names that resemble those of a sweep's own files."""

import hashlib
import json
from uuid import uuid4


def tree(directory):
    """Every file and directory below, with what is in it."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "directory"
        for path in directory.rglob("*")
    }


def fill(output):
    """Write a person's files of every likely name; what was written comes back."""
    foreign = {"sweep_id": "other", "number": 0, "id": "other-0", "state": "running", "parameters": {}, "started": ""}
    files = {
        "sweep_config.json": "{}",
        "sweep_configs/a.yaml": "method: grid",
        "sweep_results_2025/model/weights.bin": "w",
        "sweep_2/sweep.json": json.dumps({"sweep_id": "other"}),
        "sweep_2/sweep_2025-01-01_00-00-00/trial.json": "{}",
        "sweep_2025-01-01_00-00-00/notes.txt": "mine",
        "sweep_2025-01-01_00-00-01/trial.json": json.dumps(foreign | {"directory": "sweep_2025-01-01_00-00-01"}),
        "sweep_2025-01-01_00-00-02/trial.json": "not json",
        "sweep_2025-01-01_00-00-03_backup/trial.json": json.dumps({"state": "completed"}),
        ".notes.tmp": "mine",
        ".trial.json.mine.tmp": "mine",
        f".trial.json.{uuid4().hex}.tmp": "not where BertNado writes it",
        "notebooks/.ipynb.tmp": "mine",
        "wandb/.mine.tmp": "mine",
        f"results/.sweep.json.{uuid4().hex}.tmp": "not where BertNado writes it",
        "logs/mine.log": "mine",
        "model/config.json": "{}",
        "journal.log.bak": "mine",
        "best_sweep_config.json.bak": "{}",
        "trial.json": "{}",
        "checkpoint/weights.bin": "w",
    }
    for name, text in files.items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_text(text)
    (output / "sweep_empty").mkdir()
    (output / "elsewhere").symlink_to(output / "model")
    now = tree(output)
    return {name: now[name] for name in (*files, "sweep_empty", "elsewhere")}
