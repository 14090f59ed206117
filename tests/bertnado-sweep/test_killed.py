"""A sweep whose process is killed in the middle of a trial leaves everything that was finished, whole."""

import json
import os
import signal
import subprocess
import sys
import time

from bertnado_config import read_best_config

PROGRAM = """
import sys, time
from pathlib import Path
from bertnado_sweep import run_sweep

def train(parameters, report):
    report(1, parameters["x"])
    if parameters["x"] == 3:
        Path("in_trial").touch()
        time.sleep(60)
    return parameters["x"]

run_sweep(train, {"method": "grid", "metric": {"name": "score", "goal": "maximize"},
                  "parameters": {"x": {"values": [1, 2, 3, 4]}}}, output_dir="sweep")
"""


def wait_for(path, process):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, "the sweep ended before it could be killed"
        assert time.monotonic() < deadline, "the trial never came"
        time.sleep(0.02)


def test_a_kill_in_mid_trial_loses_nothing_that_was_finished(tmp_path):
    environment = os.environ | {"WANDB_MODE": "offline"}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment)
    wait_for(tmp_path / "in_trial", process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    sweep = tmp_path / "sweep"
    records = sorted(
        (json.loads(path.read_text()) for path in sweep.glob("sweep_*/trial.json")), key=lambda record: record["number"]
    )
    assert [(record["state"], record["value"]) for record in records] == [
        ("completed", 1),
        ("completed", 2),
        ("running", None),
    ]
    assert read_best_config(sweep / "best_sweep_config.json").parameters == {"x": 2}
    assert json.loads((sweep / "sweep.json").read_text())["budget"] == 4
    assert not list(sweep.rglob("*.tmp"))


def test_the_journal_of_a_killed_sweep_still_says_all_that_trial_json_says(tmp_path):
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    environment = os.environ | {"WANDB_MODE": "disabled"}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment)
    wait_for(tmp_path / "in_trial", process)
    process.kill()
    process.wait()
    sweep = tmp_path / "sweep"
    storage = JournalStorage(JournalFileBackend(str(sweep / "journal.log")))
    [summary] = optuna.get_all_study_summaries(storage)
    assert summary.study_name == json.loads((sweep / "sweep.json").read_text())["sweep_id"]
    trials = optuna.load_study(study_name=summary.study_name, storage=storage).trials
    assert [(trial.state.name, trial.value, trial.intermediate_values) for trial in trials] == [
        ("COMPLETE", 1.0, {1: 1.0}),
        ("COMPLETE", 2.0, {1: 2.0}),
        ("RUNNING", None, {1: 3.0}),
    ]
    written = [
        json.loads((sweep / trial.user_attrs["trial"]["directory"] / "trial.json").read_text()) for trial in trials
    ]
    assert [trial.user_attrs["trial"] for trial in trials] == written
