"""A sweep as it stands, here or at W&B, and its best trial exported once more."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bertnado_config import SweepConfigError, read_best_config
from bertnado_sweep import NoEligibleTrialError, TooManyFailuresError, recorded_status, run_sweep, service_status
from bertnado_sweep.status import trial_seconds
from bertnado_sweep.testing.wandb_server import ENTITY
from support.trainers import CurveTrainer

GRID = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 3, 2]}},
}


def test_a_recorded_sweep_lists_its_trials_and_the_best(tmp_path):
    result = run_sweep(CurveTrainer(), GRID, output_dir=tmp_path / "sweep", backend="local")
    status = recorded_status(tmp_path / "sweep")
    assert status.trials == result.trials
    assert (status.best, status.sweep_id, status.objective) == (result.best, result.sweep_id, result.objective)


def test_the_best_is_exported_again_from_what_is_recorded(tmp_path):
    result = run_sweep(CurveTrainer(), GRID, output_dir=tmp_path / "sweep", backend="local")
    before = result.best_config_path.read_text()
    result.best_config_path.unlink()
    assert recorded_status(tmp_path / "sweep").export(tmp_path / "sweep") == result.best_config_path
    assert result.best_config_path.read_text() == before


def test_it_says_how_many_trials_count_of_how_many(tmp_path):
    run_sweep(CurveTrainer(), GRID, output_dir=tmp_path / "sweep", backend="local", sweep_count=2)
    status = recorded_status(tmp_path / "sweep")
    assert (status.finished, status.budget) == (2, 2)


def test_the_best_trial_comes_first_and_those_without_a_value_last(tmp_path):
    def train(parameters, report):
        if parameters["x"] == 2:
            raise ValueError("no")
        return float(parameters["x"])

    grid = GRID | {"parameters": {"x": {"values": [1, 2, 4, 3]}}}
    for goal, expected in {"maximize": [4, 3, 1, 2], "minimize": [1, 3, 4, 2]}.items():
        run_sweep(train, grid, output_dir=tmp_path / goal, backend="local", metric_goal=goal)
        status = recorded_status(tmp_path / goal)
        assert [trial.parameters["x"] for trial in status.ordered("value")] == expected
        assert [trial.parameters["x"] for trial in status.ordered("number")] == [1, 2, 4, 3]


def test_what_all_trials_share_is_constant(tmp_path):
    nested = {"parameters": {"warm": {"value": True}, "cold": {"values": [1, 2]}}}
    grid = GRID | {"parameters": {"x": {"value": 1}, "inner": nested}}
    run_sweep(CurveTrainer(), grid, output_dir=tmp_path / "sweep", backend="local")
    assert recorded_status(tmp_path / "sweep").constant_parameters == {"inner.warm": True, "x": 1}
    run_sweep(CurveTrainer(), grid, output_dir=tmp_path / "one", backend="local", sweep_count=1)
    assert recorded_status(tmp_path / "one").constant_parameters == {}


def test_a_trial_is_told_with_its_directory_and_its_duration(tmp_path):
    result = run_sweep(CurveTrainer(), GRID, output_dir=tmp_path / "sweep", backend="local")
    status = recorded_status(tmp_path / "sweep")
    assert [status.place_of(trial) for trial in status.trials] == [trial.directory.name for trial in result.trials]
    began = {"started": "2026-11-23T18:30:00.000+00:00"}
    first = status.trials[0]
    assert trial_seconds(replace(first, **began, ended="2026-11-23T18:32:05.500+00:00")) == 125.5
    assert trial_seconds(replace(first, **began, ended=None, state="interrupted")) is None
    assert trial_seconds(replace(first, **began, ended=None, state="running")) > 0
    assert trial_seconds(replace(first, started="yesterday")) is None


def test_a_sweep_at_wandb_is_read_from_its_runs(server, tmp_path):
    arguments = {"output_dir": tmp_path / "sweep", "backend": "wandb", "project_name": "dna"}
    result = run_sweep(CurveTrainer(), GRID, **arguments)
    server.add_run(result.sweep_id, "crashed", state="crashed", config={"x": 9}, summary={"score": 9})
    stray = {"bertnado": {"state": "stopped"}}
    server.add_run(result.sweep_id, "stray", state="finished", config=stray, summary={"score": 9})
    status = service_status(f"{ENTITY}/dna/{result.sweep_id}")
    assert status.trials[-1].error == "the run finished without the parameters of the sweep"
    assert [(trial.state, trial.value) for trial in status.trials] == [
        ("completed", 1),
        ("completed", 3),
        ("completed", 2),
        ("interrupted", 9),
        ("failed", 9),
    ]
    assert status.best.parameters == {"x": 3}
    assert read_best_config(status.export(tmp_path / "elsewhere")).parameters == {"x": 3}


PARENT = """
import sys
sys.path.insert(0, {tests!r})
from bertnado_sweep import run_sweep
from bertnado_sweep.running.events import TrialEnded
from support.trainers import CurveTrainer
import os, signal
def die(event):
    if isinstance(event, TrialEnded) and event.trial.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
run_sweep(CurveTrainer(), {config!r}, output_dir={output!r}, backend="wandb", project_name="dna", observer=die)
"""


@pytest.mark.slow
def test_a_sweep_whose_parent_died_can_be_finished_by_hand(server, tmp_path):
    program = PARENT.format(tests=str(Path(__file__).parents[1]), config=GRID, output=str(tmp_path / "sweep"))
    died = subprocess.run([sys.executable, "-c", program], env=os.environ, check=False, timeout=120)
    assert died.returncode == -9
    status = recorded_status(tmp_path / "sweep")
    assert status.best.value == 3
    (tmp_path / "sweep" / "best_sweep_config.json").unlink()
    assert read_best_config(status.export(tmp_path / "sweep")).parameters == {"x": 3}
    assert service_status(f"{ENTITY}/dna/{status.sweep_id}").best.value == 3


def test_a_sweep_in_which_nothing_counts_cannot_be_exported(tmp_path):
    with pytest.raises(TooManyFailuresError):
        run_sweep(lambda parameters, report: None, GRID, output_dir=tmp_path / "sweep", backend="local")
    status = recorded_status(tmp_path / "sweep")
    assert [trial.state for trial in status.trials] == ["failed"] * 3
    with pytest.raises(NoEligibleTrialError):
        status.export(tmp_path / "sweep")


def test_a_broken_record_of_a_trial_is_named_with_the_place_and_the_journal_has_the_trial(tmp_path):
    result = run_sweep(CurveTrainer(), GRID, output_dir=tmp_path / "sweep", backend="local")
    (result.best.directory / "trial.json").write_text('{"number": ')
    status = recorded_status(tmp_path / "sweep")
    assert status.trials == result.trials
    [warning] = status.warnings
    assert warning.startswith(f"{result.best.directory / 'trial.json'} is damaged and left out: line 1, column 12")


def test_a_directory_without_a_sweep_is_said_with_the_one_below_it(tmp_path):
    (tmp_path / "out" / "sweep").mkdir(parents=True)
    (tmp_path / "out" / "sweep" / "sweep.json").write_text(json.dumps({"sweep_id": "abc"}))
    with pytest.raises(SweepConfigError, match=r"out does not contain a sweep; did you mean .*out/sweep\?"):
        recorded_status(tmp_path / "out")


def test_wandb_without_a_key_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(SweepConfigError, match="no W&B API key is configured"):
        service_status("a/b/c")


def test_wandb_sync_uploads_a_finished_local_sweep_with_config_history_and_summary(server, tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_DIR")
    config = GRID | {"name": "promoters"}
    arguments = {"output_dir": tmp_path / "sweep", "backend": "local", "project_name": "dna", "group": "task"}
    result = run_sweep(CurveTrainer((0.5, 1.0, 0.1)), config, **arguments)
    assert server.runs == {}
    runs = sorted((tmp_path / "sweep" / "wandb").glob("offline-run-*"))
    command = [str(Path(sys.executable).parent / "wandb"), "sync", *map(str, runs)]
    synced = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert synced.returncode == 0, synced.stderr
    for trial in result.trials:
        run = server.runs[ENTITY, "dna", trial.id]
        assert (run.state, run.group, run.job_type) == ("finished", "task", "sweep")
        assert run.display_name == f"promoters-{trial.id}"
        assert {key: run.config[key] for key in trial.parameters} == trial.parameters
        assert run.config["bertnado"]["arguments"] == {"learning_rate": trial.parameters["x"]}
        assert [row["score"] for row in run.history if "score" in row] == [row["score"] for row in trial.history]
        assert run.summary["score"] == trial.value
