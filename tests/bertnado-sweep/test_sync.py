"""Offline runs are uploaded one after the other, and one that cannot be uploaded does not keep the others back."""

import subprocess
import sys

import pytest
from bertnado_config import InvalidInputError
from bertnado_sweep import confirm_sweep, run_sweep, sync_runs
from bertnado_sweep.records.presence import Presence
from bertnado_sweep.running.offline_runs import offline_runs
from support.trainers import CurveTrainer

CONFIG = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}
HEADER = 7
"""Bytes that the client writes before anything of a run."""


def sweep(output, **options):
    import wandb

    arguments = {"backend": "local", "sweep_count": 2} | options
    result = run_sweep(CurveTrainer(), CONFIG, output_dir=output, **arguments)
    wandb.teardown()  # the client's process has written everything when it has ended
    return result


def cut(run, size):
    run.file.write_bytes(run.file.read_bytes()[:size])


@pytest.fixture
def output(server, tmp_path, monkeypatch):
    """An output directory whose runs are tracked in it."""
    monkeypatch.delenv("WANDB_DIR")
    return tmp_path / "out"


def test_every_run_is_uploaded_once(server, output):
    result = sweep(output)
    assert [(run.outcome, run.trial.id) for run in sync_runs(output)] == [
        ("uploaded", trial.id) for trial in result.trials
    ]
    assert [run.summary["score"] for run in server.runs.values()] == [trial.value for trial in result.trials]
    assert [run.outcome for run in sync_runs(output)] == ["uploaded before"] * 2
    assert len(server.runs) == 2


def test_the_runs_of_a_confirmation_are_uploaded_with_those_of_its_sweep(server, output):
    import wandb

    sweep(output)
    confirm_sweep(CurveTrainer(), output, top=1, seeds=2)
    wandb.teardown()
    assert [run.outcome for run in sync_runs(output)] == ["uploaded"] * 4
    assert sorted(run.job_type for run in server.runs.values()) == ["confirm", "confirm", "sweep", "sweep"]
    assert [run.outcome for run in sync_runs(output)] == ["uploaded before"] * 4


def test_runs_whose_process_was_killed_do_not_keep_the_others_back(server, output):
    sweep(output, sweep_count=3)
    unbegun, killed, whole = offline_runs(output)
    cut(unbegun, HEADER)
    cut(killed, killed.file.stat().st_size // 2)
    assert [(run.id, run.outcome) for run in sync_runs(output)] == [
        (unbegun.id, "empty"),
        (killed.id, "incomplete"),
        (whole.id, "uploaded"),
    ]
    assert {name: run.state for (_, _, name), run in server.runs.items()} == {killed.id: "failed", whole.id: "finished"}


KILLED = """
import os, signal, sys
from bertnado_sweep import run_sweep

def die(parameters, report):
    os.kill(os.getpid(), signal.SIGKILL)

config = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}
run_sweep(die, config, output_dir=sys.argv[1], backend="local", sweep_count=2)
"""


@pytest.mark.parametrize("size", [0, HEADER, 100])
def test_a_run_that_had_not_begun_when_it_was_killed_is_removed_when_its_sweep_continues(server, output, size):
    subprocess.run([sys.executable, "-c", KILLED, str(output)], check=False)
    (unbegun,) = offline_runs(output)
    cut(unbegun, size)
    result = sweep(output, resume=True)
    assert [run.id for run in offline_runs(output)] == [trial.id for trial in result.trials]
    if size == HEADER:
        command = [sys.executable, "-m", "wandb", "sync", *map(str, output.glob("wandb/offline-run-*"))]
        subprocess.run(command, check=True, capture_output=True)
        assert sorted(name for _, _, name in server.runs) == sorted(trial.id for trial in result.trials)


def test_the_run_of_a_finished_trial_is_never_removed(server, output):
    """W&B's client may write it only after the sweep has ended."""
    sweep(output, sweep_count=1)
    (finished,) = offline_runs(output)
    cut(finished, HEADER)
    sweep(output, resume=True)
    assert finished.directory.is_dir()


def test_runs_of_others_in_a_shared_directory_are_left_alone(server, output, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    theirs = tmp_path / "wandb" / "offline-run-20261126_040812-other-1"
    theirs.mkdir(parents=True)
    (theirs / "run-other-1.wandb").write_bytes(b"")
    result = sweep(output, sweep_count=1)
    sweep(output, sweep_count=1, resume=True)
    assert theirs.is_dir()
    assert [run.id for run in sync_runs(output)] == [trial.id for trial in result.trials]


def test_a_trial_that_runs_is_left_for_later(server, output):
    result = sweep(output, sweep_count=1)
    record = result.best.directory / "trial.json"
    record.write_text(record.read_text().replace('"completed"', '"running"'))
    (output / "journal.log").unlink()
    worker = Presence(output)
    worker.come()
    assert [run.outcome for run in sync_runs(output)] == ["running"]
    worker.leave()
    assert [run.outcome for run in sync_runs(output)] == ["uploaded"]


def test_a_server_that_refuses_a_run_is_quoted_and_the_run_can_be_uploaded_later(server, output):
    sweep(output, sweep_count=1)
    fault = server.fail("UpsertBucket", errors="the project is full")
    (refused,) = sync_runs(output)
    assert refused.outcome == "failed"
    assert "the project is full" in refused.reason
    fault.times = 0
    assert [run.outcome for run in sync_runs(output)] == ["uploaded"]


def test_variables_that_are_about_training_do_not_matter(server, output, monkeypatch):
    sweep(output, sweep_count=1)
    for name, value in {"WANDB_MODE": "offline", "WANDB_SWEEP_ID": "older", "WANDB_RUN_ID": "run1"}.items():
        monkeypatch.setenv(name, value)
    (run,) = sync_runs(output)
    assert run.outcome == "uploaded"
    assert [name for _, _, name in server.runs] == [run.id]


def test_a_directory_without_offline_runs_is_an_error(server, tmp_path):
    with pytest.raises(InvalidInputError, match="must contain runs that were tracked offline"):
        list(sync_runs(tmp_path))
    assert list(tmp_path.glob("*.lock")) == []


def test_without_a_key_the_error_says_how_to_log_in(output, monkeypatch, tmp_path):
    sweep(output, sweep_count=1)
    monkeypatch.delenv("WANDB_API_KEY")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(InvalidInputError, match=r"no W&B API key is configured for .*wandb login"):
        list(sync_runs(output))


def test_the_runs_of_a_final_training_are_uploaded_too(server, tmp_path, monkeypatch):
    import wandb
    from bertnado_metrics import Objective
    from bertnado_sweep.single_run import single_run

    monkeypatch.delenv("WANDB_DIR")
    monkeypatch.setenv("WANDB_MODE", "offline")
    with single_run(directory=tmp_path, objective=Objective("score", "maximize"), parameters={}) as report:
        report(1, 0.5)
    wandb.teardown()
    (run,) = sync_runs(tmp_path)
    assert (run.trial, run.outcome) == (None, "uploaded")
