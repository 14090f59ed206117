"""Variables that are left over in a shell do not change what was asked for; variables that an agent set are obeyed."""

import os
from pathlib import Path

import pytest
from bertnado_sweep import plan_sweep, run_sweep
from bertnado_sweep.backends.wandb.environment import is_assigned_trial
from support.trainers import CurveTrainer

CONFIG = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}

LEFT_OVER = {"WANDB_SWEEP_ID": "older", "WANDB_RUN_ID": "run1", "WANDB_RESUME": "must"}
ASSIGNED = {"WANDB_SWEEP_ID": "s1", "WANDB_RUN_ID": "run1", "WANDB_SWEEP_PARAM_PATH": "wandb/config-run1.yaml"}


def set_all(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_a_local_sweep_speaks_to_nobody_and_its_runs_are_of_no_sweep(server, tmp_path, monkeypatch, read_runs):
    set_all(monkeypatch, LEFT_OVER)
    result = run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "out", backend="local", sweep_count=2)
    assert server.requests == []
    runs = read_runs(Path(os.environ["WANDB_DIR"]))
    assert {(run.run.run_id, run.run.sweep_id) for run in runs.values()} == {(trial.id, "") for trial in result.trials}
    assert {name: os.environ[name] for name in LEFT_OVER} == LEFT_OVER


def test_a_sweep_at_wandb_is_a_new_one_with_its_own_runs(server, tmp_path, monkeypatch):
    set_all(monkeypatch, LEFT_OVER)
    run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "out", backend="wandb", sweep_count=2)
    (sweep,) = server.sweeps
    assert [(run.sweep, run.state) for run in server.runs.values()] == [(sweep, "finished")] * 2
    assert {name: os.environ[name] for name in LEFT_OVER} == LEFT_OVER


def test_a_sweep_id_that_is_ignored_is_said(tmp_path, monkeypatch):
    set_all(monkeypatch, LEFT_OVER)
    plan = plan_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "out", backend="local", sweep_count=2)
    assert "".join(map(str, plan.warnings)) == (
        "WANDB_SWEEP_ID is older in the environment and is ignored, because no agent of W&B started this process; "
        "to join that sweep, add sweep_id older"
    )


def test_an_assigned_run_that_is_not_trained_is_said(tmp_path, monkeypatch):
    set_all(monkeypatch, ASSIGNED)
    plan = plan_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "out", backend="local", sweep_count=2)
    assert "".join(map(str, plan.warnings)) == (
        "run run1 of sweep s1, which an agent of W&B assigned to this process, is not trained, "
        "because backend local, resume or another sweep_id was given"
    )


@pytest.mark.parametrize("missing", ASSIGNED)
def test_only_all_of_an_agents_variables_together_assign_a_trial(monkeypatch, missing):
    set_all(monkeypatch, ASSIGNED)
    assert is_assigned_trial({})
    monkeypatch.delenv(missing)
    assert not is_assigned_trial({})


@pytest.mark.parametrize("options", [{"backend": "local"}, {"resume": True}, {"sweep_id": "laboratory/dna/s2"}])
def test_options_come_before_the_variables_of_an_agent(monkeypatch, options):
    set_all(monkeypatch, ASSIGNED)
    assert not is_assigned_trial(options)


@pytest.mark.parametrize("options", [{"backend": "auto"}, {"sweep_id": "s1"}, {"sweep_id": "laboratory/dna/s1"}])
def test_options_that_agree_with_the_agent_change_nothing(monkeypatch, options):
    set_all(monkeypatch, ASSIGNED)
    assert is_assigned_trial(options)


@pytest.mark.usefixtures("tracked")
@pytest.mark.parametrize("value", ["true", "1", "ON", "yes"])
def test_wandb_disabled_switches_tracking_off_as_in_transformers_4(tmp_path, monkeypatch, value):
    monkeypatch.setenv("WANDB_DISABLED", value)
    run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "out", backend="local", sweep_count=1)
    assert not (tmp_path / "out" / "wandb").exists()


def test_wandb_disabled_keeps_auto_off_the_network(server, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DISABLED", "true")
    plan = plan_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "out", sweep_count=1)
    assert str(plan.backend) == "local (WANDB_DISABLED is true; to use W&B, unset WANDB_DISABLED)"
    assert server.requests == []
