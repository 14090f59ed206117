"""What the signals of a person and of a cluster do to a sweep."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bertnado_config import read_best_config, read_json

PROGRAM = """
import sys
from bertnado_sweep import Interrupted, run_sweep
from bertnado_sweep.running.events import Note, TrialEnded, TrialEvaluated
from support.trainers import CurveTrainer, DeafTrainer

def tell(event):
    if isinstance(event, TrialEvaluated | TrialEnded):
        print(type(event).__name__, flush=True)
    if isinstance(event, Note):
        print(event.text)

if __name__ == "__main__":
    config = {{"method": "grid", "metric": {{"name": "score", "goal": "maximize"}},
              "parameters": {{"x": {{"values": list(range(20))}}}}}}
    try:
        result = run_sweep({trainer}, config, output_dir={output!r}, backend="local", workers={workers}, observer=tell)
        print(result.ended_by, result.finished, result.budget)
    except Interrupted as interrupted:
        sys.exit(128 + interrupted.signum)
"""


@pytest.fixture(params=[1, 2], ids=["alone", "workers"])
def workers(request):
    return request.param


@pytest.fixture
def start(tmp_path, workers):
    """Start a sweep, and wait until it has said something so often."""
    processes = []

    def run(trainer, said, times):
        script = tmp_path / "script.py"
        script.write_text(PROGRAM.format(trainer=trainer, output=str(tmp_path / "sweep"), workers=workers))
        path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        process = subprocess.Popen(
            [sys.executable, script], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
        )
        processes.append(process)
        while times:
            line = process.stdout.readline()
            assert line, "the sweep ended before it said so"
            times -= line.strip() == said
        return process

    yield run
    for process in processes:
        process.kill()
        process.wait()


def states(tmp_path):
    return sorted(read_json(path)["state"] for path in tmp_path.glob("sweep/sweep_*/trial.json"))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_first_one_stops_running_trials_records_them_and_exits_with_its_number(start, tmp_path, workers, signum):
    process = start("CurveTrainer(pause=1.0)", "TrialEvaluated", 3 * workers)
    process.send_signal(signum)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signum
    assert f"{states(tmp_path).count('completed')} of 20 trials are finished" in said
    assert set(states(tmp_path)) == {"completed", "interrupted"}
    best = max(read_json(path)["value"] or 0 for path in tmp_path.glob("sweep/sweep_*/trial.json"))
    assert read_best_config(tmp_path / "sweep" / "best_sweep_config.json").parameters["x"] == best


@pytest.mark.parametrize(
    "workers", [1, pytest.param(2, marks=pytest.mark.slow)], indirect=True, ids=["alone", "workers"]
)
@pytest.mark.slow
def test_a_trial_that_does_not_listen_is_recorded_as_interrupted_all_the_same(start, tmp_path, workers):
    process = start("DeafTrainer()", "TrialEvaluated", workers)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert states(tmp_path) == ["interrupted"] * workers


def test_the_second_one_ends_everything_at_once(start, workers):
    process = start("DeafTrainer()", "TrialEvaluated", workers)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)  # two signals that come together may arrive as one
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 128 + signal.SIGINT


def test_the_early_warning_lets_running_trials_end_and_starts_no_others(start, tmp_path, workers):
    process = start("CurveTrainer(pause=1.0)", "TrialEvaluated", workers)
    process.send_signal(signal.SIGUSR1)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert states(tmp_path) == ["completed"] * workers
    assert f"SIGUSR1 ended the sweep after {workers} of 20 trials; --resume goes on" in said
    assert said.splitlines()[-1] == f"SIGUSR1 {workers} 20"


def test_sigusr2_interrupts_running_trials_as_a_time_limit_does(start, tmp_path, workers):
    process = start("CurveTrainer(pause=1.0)", "TrialEvaluated", 3 * workers)
    process.send_signal(signal.SIGUSR2)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    finished = states(tmp_path).count("completed")
    assert set(states(tmp_path)) == {"completed", "interrupted"}
    assert f"SIGUSR2 ended the sweep after {finished} of 20 trials; --resume goes on" in said
    assert said.splitlines()[-1] == f"SIGUSR2 {finished} 20"
