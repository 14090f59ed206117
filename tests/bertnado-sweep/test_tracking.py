"""Each trial is a run of W&B's own client, offline, that `wandb sync` can upload. Nothing of it harms a trial."""

import logging
import math
import subprocess
import sys

import pytest
from bertnado_config import TrialResult
from bertnado_sweep import run_sweep
from bertnado_sweep.running.tracker import Tracker

pytestmark = pytest.mark.usefixtures("tracked")

CONFIG = {
    "name": "promoters",
    "method": "grid",
    "metric": {"name": "eval/roc_auc", "goal": "maximize"},
    "parameters": {"rate": {"values": [0.1, 0.2]}, "optimizer": {"parameters": {"beta": {"value": 0.9}}}},
}


class Trainer:
    """Its last evaluation is worse than its best."""

    def check(self, config, objective):
        return []

    def open(self):
        return self

    def run(self, parameters, report):
        report.started(20, {"arguments": {"learning_rate": parameters["rate"]}, "dataset": "abc"})
        for step, value in [(10, 0.9), (20, 0.6)]:
            report.progress(step, {"train/loss": 1 / step})
            report(step, value * parameters["rate"], {"eval/roc_auc": value * parameters["rate"], "eval/loss": 0.5})
        report.progress(20, {"train/runtime": 3.0})
        return TrialResult(0.9 * parameters["rate"], step=10)


def test_a_run_holds_parameters_details_evaluations_and_the_best_value(tmp_path, read_runs):
    result = run_sweep(Trainer(), CONFIG, output_dir=tmp_path, project_name="dna", group="binary_classification")
    runs = read_runs(tmp_path)
    assert set(runs) == {trial.id for trial in result.trials} == {f"{result.sweep_id}-{n}" for n in (0, 1)}
    trial, run = result.trials[0], runs[result.trials[0].id]
    assert (run.run.project, run.run.run_group, run.run.job_type) == ("dna", "binary_classification", "sweep")
    assert run.run.display_name == f"promoters-{trial.id}"
    assert run.config == {
        "rate": 0.1,
        "optimizer": {"beta": 0.9},
        "bertnado": {
            "sweep_id": result.sweep_id,
            "trial": 0,
            "directory": trial.directory.name,
            "state": "completed",
            "arguments": {"learning_rate": 0.1},
            "dataset": "abc",
        },
    }
    assert run.history == [
        {"step": 10, "train/loss": 0.1, "eval/roc_auc": pytest.approx(0.09), "eval/loss": 0.5},
        {"step": 20, "train/loss": 0.05, "eval/roc_auc": pytest.approx(0.06), "eval/loss": 0.5, "train/runtime": 3.0},
    ]
    assert run.summary["eval/roc_auc"] == trial.value == pytest.approx(0.09)
    assert run.exit_code == 0


def test_a_failed_trial_ends_its_run_as_failed_and_a_stopped_one_as_finished(tmp_path, read_runs):
    def train(parameters, report):
        if parameters["rate"] == 0.1:
            raise RuntimeError("boom")
        return TrialResult(0.5, stopped=True)

    result = run_sweep(train, CONFIG, output_dir=tmp_path)
    assert [trial.state for trial in result.trials] == ["failed", "stopped"]
    runs = read_runs(tmp_path)
    assert [runs[trial.id].exit_code for trial in result.trials] == [1, 0]


def test_values_that_are_no_numbers_are_tracked_and_are_no_summary(tmp_path, read_runs):
    def train(parameters, report):
        report(1, math.nan)
        return 0.7

    result = run_sweep(train, CONFIG, output_dir=tmp_path)
    assert [run.summary["eval/roc_auc"] for run in read_runs(tmp_path).values()] == [0.7, 0.7]
    assert result.trials[0].history == ({"step": 1, "eval/roc_auc": None},)


def test_a_step_that_goes_back_loses_no_evaluation(tmp_path, read_runs, capfd):
    tracker = Tracker.start(online=False, directory=tmp_path, project="dna", job_type="sweep", config={})
    tracker.log({"a": 1}, step=5)
    tracker.log({"b": 2}, step=3)
    tracker.finish({})
    [run] = read_runs(tmp_path).values()
    assert run.history == [{"step": 5, "a": 1, "b": 2}]
    assert capfd.readouterr() == ("", "")


def test_wandb_dir_says_where_the_files_go(tmp_path, read_runs, monkeypatch):
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "elsewhere"))
    run_sweep(Trainer(), CONFIG, output_dir=tmp_path / "sweep")
    assert len(read_runs(tmp_path / "elsewhere")) == 2
    assert not (tmp_path / "sweep" / "wandb").exists()


def test_disabled_means_no_tracking(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    run_sweep(Trainer(), CONFIG, output_dir=tmp_path)
    assert not (tmp_path / "wandb").exists()


def test_a_client_that_cannot_start_costs_a_warning_and_no_trial(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "file"))
    result = run_sweep(Trainer(), CONFIG, output_dir=tmp_path / "sweep")
    assert [trial.state for trial in result.trials] == ["completed", "completed"]
    assert "this trial is not tracked" in caplog.text


def test_what_the_client_cannot_take_ends_tracking_and_not_the_trial(tmp_path, caplog):
    tracker = Tracker.start(online=False, directory=tmp_path, project="dna", job_type="full_train", config={})
    with caplog.at_level(logging.WARNING):
        tracker.log({1: 0.5}, step=1)
        tracker.log({"eval/loss": 0.5}, step=2)
        tracker.finish({"eval/loss": 0.5})
    assert caplog.text.count("tracking stopped") == 1


def test_tracking_prints_nothing_and_leaves_the_environment_and_the_callers_run_alone(tmp_path):
    program = """
import os, sys, wandb
from pathlib import Path
from bertnado_sweep import run_sweep
before = dict(os.environ)
own = wandb.init(mode="offline", dir=sys.argv[1], settings=wandb.Settings(silent=True))
run_sweep(lambda parameters, report: 0.5 if report(1, 0.5) else 0.6,
          {"method": "grid", "metric": {"name": "score", "goal": "maximize"}, "parameters": {"x": {"values": [1, 2]}}},
          output_dir=Path(sys.argv[1]) / "sweep")
assert wandb.run is own
own.finish()
changed = {name for name in {**before, **os.environ} if before.get(name) != os.environ.get(name)}
assert not {name for name in changed if name != "WANDB_SERVICE"}, changed
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
