"""Jobs that are started together with the same command: one begins the sweep, and the others join it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bertnado_config import InvalidInputError
from bertnado_sweep import recorded_status, run_sweep
from bertnado_sweep.running.events import SweepStarted
from support.trainers import CurveTrainer

GRID = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [0, 1, 2, 3, 4, 5]}},
}

PROGRAM = """
import json, sys, time
from pathlib import Path
from bertnado_config import InvalidInputError, Problem
from bertnado_sweep import run_sweep
from support.trainers import CurveTrainer

class CheckedTrainer(CurveTrainer):
    '''Checks until a file is there; the file says what is wrong.'''
    def check(self, config, objective):
        Path("checking").touch()
        while not Path("checked").exists():
            time.sleep(0.01)
        problem = Path("checked").read_text()
        return [Problem("", problem)] if problem else []

if __name__ == "__main__":
    try:
        result = run_sweep(
            CheckedTrainer(pause=0.1), json.loads(sys.argv[1]), output_dir="sweep", join_or_begin=True, observer=print
        )
    except InvalidInputError as error:
        sys.exit(str(error))
"""


@pytest.fixture
def start(tmp_path):
    """Start a job of the sweep in `tmp_path / "sweep"`."""
    processes = []
    (tmp_path / "job.py").write_text(PROGRAM)

    def run(config=GRID):
        path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        process = subprocess.Popen(
            [sys.executable, "job.py", json.dumps(config)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def wait_for(path):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_whichever_comes_first_begins_it_and_all_run_its_trials_once(start, tmp_path):
    jobs = [start() for _ in range(3)]
    wait_for(tmp_path / "checking")
    (tmp_path / "checked").write_text("")
    said = [job.communicate(timeout=60)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0, 0]
    assert sorted("resumed: " in text for text in said) == [False, True, True]
    trials = recorded_status(tmp_path / "sweep").trials
    assert [(trial.number, trial.state) for trial in trials] == [(number, "completed") for number in range(6)]


def test_a_mistake_ends_them_all(start, tmp_path):
    jobs = [start() for _ in range(3)]
    wait_for(tmp_path / "checking")
    (tmp_path / "checked").write_text("the dataset has no labels")
    assert [job.communicate(timeout=60)[1].strip() for job in jobs] == ["the dataset has no labels"] * 3
    assert not (tmp_path / "sweep" / "sweep.json").exists()


def test_if_the_first_one_is_killed_the_next_one_begins_it(start, tmp_path):
    first = start()
    wait_for(tmp_path / "checking")
    second = start()
    first.send_signal(signal.SIGKILL)
    first.wait()
    (tmp_path / "checked").write_text("")
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert len(recorded_status(tmp_path / "sweep").trials) == 6


def sweep(output, config=GRID, **options):
    return run_sweep(CurveTrainer(), config, output_dir=output, join_or_begin=True, **options)


def test_the_same_command_again_runs_the_trials_that_are_left(tmp_path):
    sweep(tmp_path, sweep_count=2)
    events = []
    result = sweep(tmp_path, sweep_count=5, observer=events.append)
    assert [event.finished for event in events if isinstance(event, SweepStarted)] == [2]
    assert (result.finished, result.budget) == (5, 5)


def test_another_sweep_file_is_refused(tmp_path):
    sweep(tmp_path, sweep_count=2)
    with pytest.raises(InvalidInputError, match=r"was started with other settings: parameters\.x\.values was"):
        sweep(tmp_path, {**GRID, "parameters": {"x": {"values": [1, 2, 3]}}})


def test_it_means_the_local_backend(server, tmp_path):
    sweep(tmp_path, sweep_count=1)
    assert server.sweeps == {}
    with pytest.raises(InvalidInputError, match="join_or_begin requires backend local or auto"):
        sweep(tmp_path / "other", backend="wandb")
