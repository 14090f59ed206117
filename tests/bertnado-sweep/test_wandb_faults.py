"""What a person sees when W&B fails, and that no finished trial is lost."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bertnado_config import read_best_config
from bertnado_sweep import ServiceError, run_sweep
from bertnado_sweep.backends.wandb import backend as wandb_backend
from bertnado_sweep.running.events import Note, TrialEvaluated
from support.trainers import CurveTrainer

GRID = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 2, 3]}},
}


@pytest.fixture
def sweep(server, tmp_path):
    """`run_sweep` at W&B; `during` is called once, in the second trial."""

    def run(during=lambda: None, **arguments):
        todo = [during]

        def listen(event):
            if isinstance(event, TrialEvaluated) and event.number == 1 and todo:
                todo.pop()()
            if isinstance(event, Note):
                run.notes.append(event.text)

        places = {"output_dir": tmp_path / "sweep", "backend": "wandb", "project_name": "dna"}
        trainer = CurveTrainer(pause=0.3)
        return run_sweep(trainer, GRID, observer=listen, **(places | arguments))

    run.notes = []
    return run


def recorded_states(tmp_path):
    return [json.loads(path.read_text())["state"] for path in sorted((tmp_path / "sweep").glob("sweep_*/trial.json"))]


def test_a_slow_service_is_waited_for_and_makes_one_sweep(sweep, server, monkeypatch):
    import wandb

    monkeypatch.setattr(wandb.Api, "_HTTP_TIMEOUT", 1)  # after so long, 19 s usually, the client would ask again
    server.fail("UpsertSweep", seconds=3)
    assert len(sweep(sweep_count=1).trials) == 1
    assert server.requests.count("UpsertSweep") == 1
    assert len(server.sweeps) == 1


def test_a_sweep_that_wandb_refuses_is_an_error_with_its_reason_and_leaves_nothing(sweep, server, tmp_path):
    server.fail("UpsertSweep", errors="the project is full")
    with pytest.raises(ServiceError, match=r"W&B did not create the sweep: .*the project is full"):
        sweep()
    assert server.sweeps == {}
    assert not (tmp_path / "sweep" / "sweep.json").exists()


def test_answers_of_500_are_tried_again_with_nothing_lost(sweep, server):
    result = sweep(lambda: server.fail("", status=500, times=2))
    assert [(trial.state, trial.value) for trial in result.trials] == [("completed", x) for x in (1, 2, 3)]
    assert [run.state for run in server.runs.values()] == ["finished"] * 3
    assert [[row["score"] for row in run.history if "score" in row] for run in server.runs.values()] == [
        [x, x / 2] for x in (1, 2, 3)
    ]


def test_dropped_connections_are_made_again_with_nothing_lost(sweep, server):
    result = sweep(lambda: server.fail("", drop=True, times=2))
    assert [trial.value for trial in result.trials] == [1, 2, 3]
    assert [run.summary["score"] for run in server.runs.values()] == [1, 2, 3]


@pytest.mark.slow
def test_a_service_that_is_slow_throughout_costs_time_alone(sweep, server):
    server.fail("", seconds=0.2)
    assert [trial.value for trial in sweep(sweep_count=2).trials] == [1, 2]


def test_a_run_whose_stream_is_refused_counts_by_what_is_recorded_here(sweep, server):
    result = sweep(lambda: server.fail("file_stream", status=400))
    assert [(trial.state, trial.value) for trial in result.trials] == [("completed", x) for x in (1, 2, 3)]
    assert result.best.value == 3
    assert [run.state for run in server.runs.values()] == ["finished", "running", "running"]


def test_a_sweep_that_is_cancelled_ends_with_what_was_finished(sweep, server, tmp_path):
    result = sweep(lambda: server.cancel("sweep001"))
    assert [(trial.state, trial.value) for trial in result.trials] == [("completed", 1), ("interrupted", None)]
    assert recorded_states(tmp_path) == ["completed", "interrupted"]
    assert sweep.notes[0] == "W&B ended the sweep after 1 of 3 trials; there it is CANCELED"
    assert read_best_config(result.best_config_path).parameters == {"x": 1}


def test_an_agent_that_is_told_to_exit_ends_the_sweep_with_what_it_has(sweep, server):
    result = sweep(lambda: server.exit_agents("sweep001"))
    assert [trial.state for trial in result.trials] == ["completed", "stopped"]
    assert sweep.notes[0] == "W&B ended the sweep after 2 of 3 trials; there it is RUNNING"


@pytest.mark.slow
def test_a_sweep_that_is_deleted_lets_the_running_trial_finish(sweep, server):
    result = sweep(lambda: server.delete("sweep001"))
    assert [(trial.state, trial.value) for trial in result.trials] == [("completed", 1), ("completed", 2)]
    assert sweep.notes[0].startswith("W&B ended the sweep after 2 of 3 trials; there it is deleted")


@pytest.mark.slow
def test_a_service_that_goes_away_for_good_costs_no_trial_and_ends_the_sweep(sweep, server, tmp_path, monkeypatch):
    monkeypatch.setattr(wandb_backend, "PATIENCE", 3)
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "3")
    monkeypatch.setenv("WANDB__GRAPHQL_RETRY_MAX", "1")
    with pytest.raises(ServiceError, match="has not answered for 3 s, so the sweep ends; what was trained is in"):
        sweep(server.stop)
    assert recorded_states(tmp_path) == ["completed", "completed"]
    assert read_best_config(tmp_path / "sweep" / "best_sweep_config.json").parameters == {"x": 2}


PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from bertnado_sweep import run_sweep
from support.trainers import CurveTrainer
from wandb.agents.pyagent import Agent
Agent.HEARTBEAT_SLEEP_SECONDS = 0.2
run_sweep(CurveTrainer((1.0,) * 100, pause=0.2), {config!r}, output_dir={output!r}, backend="wandb", project_name="dna")
"""


def test_ctrl_c_ends_the_trial_at_its_next_step_records_it_and_goes_on_up(server, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB__FILE_STREAM_TRANSMIT_INTERVAL", "1")
    tests = str(Path(__file__).parents[1])
    program = PROGRAM.format(tests=tests, config=GRID, output=str(tmp_path / "sweep"))
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    try:
        while not any(run.history for run in server.runs.values()):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert said.strip().splitlines()[-1] == "bertnado_sweep.running.stop_request.Interrupted: 2"
    assert recorded_states(tmp_path) == ["interrupted"]
    (run,) = server.runs.values()
    assert (run.state, run.exitcode) == ("preempted", 1)


WORKERS = """
import sys
sys.path.insert(0, {tests!r})
from bertnado_sweep import run_sweep
from support.trainers import CurveTrainer
if __name__ == "__main__":
    trainer = CurveTrainer((1.0,) * 100, pause=0.2)
    run_sweep(trainer, {config!r}, output_dir={output!r}, backend="wandb", project_name="dna", workers=2)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_parent_and_record_their_trials(server, tmp_path, how):
    script = tmp_path / "sweep.py"
    script.write_text(WORKERS.format(tests=str(Path(__file__).parents[1]), config=GRID, output=str(tmp_path / "sweep")))
    process = subprocess.Popen([sys.executable, script], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: recorded_states(tmp_path) == ["running", "running"], process)
        process.send_signal(how)
        process.wait(timeout=60)
        wait_until(lambda: recorded_states(tmp_path) == ["interrupted", "interrupted"])
    finally:
        process.kill()
    assert process.returncode in (1, -how)
    wait_until(lambda: [run.exitcode for run in server.runs.values()] == [1, 1])


def wait_until(holds, process=None):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, holds
        assert process is None or process.poll() is None
        time.sleep(0.05)


def test_a_trial_whose_run_cannot_be_started_is_tracked_offline_and_counts(sweep, server, monkeypatch):
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "2")
    server.fail("UpsertBucket", seconds=6, times=1)
    result = sweep(sweep_count=1)
    assert [(trial.state, trial.value) for trial in result.trials] == [("completed", 1)]
    assert sweep.notes[0].startswith("tracked offline: W&B could not start the run: ")
