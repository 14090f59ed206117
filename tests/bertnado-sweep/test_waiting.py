"""Nobody waits in vain: what a worker leaves is settled whatever its end was, and a long wait is explained."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from bertnado_config import read_json
from bertnado_sweep import recorded_status, run_sweep
from bertnado_sweep.backends.local.waiting import Waiting
from bertnado_sweep.running.events import Note
from support.machines import end, hear, needs_names
from support.trainers import CurveTrainer, DetailedTrainer, FillingTrainer, LeavingTrainer, join_and_die

CONFIG = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}

GRID = CONFIG | {"method": "grid", "parameters": {"x": {"values": [1, 2, 3, 4]}}}


@pytest.fixture
def output(tmp_path):
    return tmp_path / "sweep"


def attempts(output):
    return [(trial.number, trial.attempt, trial.state) for trial in recorded_status(output).trials]


@pytest.mark.parametrize(
    ("workers", "details"), [(1, {"set": {1}}), (1, {"bytes": b"1"}), (2, {"one": {2: {3: slice(1)}}})], ids=str
)
def test_details_that_cannot_be_written_fail_their_trial_alone(output, workers, details):
    result = run_sweep(DetailedTrainer(details=details), GRID, output_dir=output, backend="local", workers=workers)
    assert [trial.state for trial in result.trials] == ["completed", "failed", "completed", "completed"]
    failed = result.trials[1]
    assert failed.error.startswith("its result cannot be recorded: ")
    assert [row["score"] for row in failed.history] == [0.25]
    assert read_json(failed.directory / "trial.json")["error"] == failed.error


def test_a_worker_that_leaves_with_exit_code_0_is_settled_and_replaced(output, tmp_path):
    trainer = LeavingTrainer(how="exit code 0", marker=str(tmp_path / "marker"))
    begin = time.monotonic()
    result = run_sweep(trainer, GRID, output_dir=output, backend="local", workers=2)
    assert [(trial.attempt, trial.state) for trial in result.trials] == [
        (1 + (x == 2), "completed") for x in range(1, 5)
    ]
    [first] = [read_json(path) for path in output.glob("*/trial.json") if read_json(path)["state"] == "interrupted"]
    assert first["error"] == "its worker process died: exit code 0"
    assert time.monotonic() - begin < 60


@pytest.mark.parametrize("workers", [1, 2])
def test_a_trials_directory_that_vanishes_is_made_again(output, tmp_path, workers):
    trainer = LeavingTrainer(how="its record is gone", marker=str(tmp_path / "marker"))
    result = run_sweep(trainer, GRID, output_dir=output, backend="local", workers=workers)
    assert [trial.state for trial in result.trials] == ["completed"] * 4
    assert sorted(read_json(path)["value"] for path in output.glob("sweep_*/trial.json")) == [1, 2, 3, 4]


def test_a_record_that_cannot_be_written_ends_the_sweep_with_the_path_while_others_wait(output, tmp_path):
    trainer = LeavingTrainer(how="its directory cannot be written", marker=str(tmp_path / "marker"))
    with pytest.raises(OSError, match="sweep_"):
        run_sweep(trainer, GRID, output_dir=output, backend="local", workers=2)


def test_a_full_disk_ends_the_sweep_of_several_workers_and_names_the_file(small_disk):
    output = small_disk / "sweep"
    with pytest.raises(OSError, match=rf"No space left on device: '{output}/"):
        run_sweep(FillingTrainer(filler=str(small_disk / "f")), GRID, output_dir=output, backend="local", workers=2)
    (small_disk / "f").unlink()
    result = run_sweep(CurveTrainer(), GRID, output_dir=output, resume=True)
    assert [trial.value for trial in result.trials] == [1, 2, 3, 4]


class TestOtherProcesses:
    """Processes that nobody but the system knows to be over."""

    def test_a_killed_process_that_nobody_reaps_is_dead(self, machine, output):
        lost = machine(config=CONFIG, backend="local", sweep_count=2, output_dir=output, pause=60)
        hear(lost, "TrialStarted")
        os.killpg(lost.pid, signal.SIGKILL)  # and not waited for: it stays a zombie
        begin = time.monotonic()
        run_sweep(CurveTrainer(), None, output_dir=output, join=True)
        assert time.monotonic() - begin < 20
        assert attempts(output) == [(0, 2, "completed"), (1, 1, "completed")]

    def test_one_of_a_scripts_own_processes_that_is_killed_is_no_worker_of_a_pool(self, output, tmp_path):
        context = multiprocessing.get_context("spawn")
        marker = str(tmp_path / "marker")
        run_sweep(CurveTrainer(), GRID, output_dir=output, backend="local", sweep_count=1)
        arguments = (output, marker)
        first = context.Process(target=join_and_die, args=arguments, kwargs={"config": GRID})
        first.start()
        first.join()
        assert first.exitcode == -signal.SIGKILL
        begin = time.monotonic()
        second = context.Process(target=join_and_die, args=arguments, kwargs={"config": GRID})
        second.start()
        second.join(60)
        assert second.exitcode == 0
        assert time.monotonic() - begin < 30
        assert [state for _, _, state in attempts(output)] == ["completed"] * 4

    def test_a_suspended_process_of_this_host_loses_its_trial_after_the_lease_and_gives_it_up(self, machine, output):
        asleep = machine(config=CONFIG, backend="local", sweep_count=2, output_dir=output, pause=3, lease=1.5)
        hear(asleep, "TrialStarted")
        os.killpg(asleep.pid, signal.SIGSTOP)
        end(machine(join=True, output_dir=output, lease=1.5))
        os.killpg(asleep.pid, signal.SIGCONT)
        end(asleep)
        assert attempts(output) == [(0, 2, "completed"), (1, 1, "completed")]

    @needs_names
    def test_a_line_says_for_whom_one_waits(self, machine, output):
        slow = machine("elsewhere", config=CONFIG, backend="local", sweep_count=1, output_dir=output, pause=4)
        hear(slow, "TrialStarted")
        told = end(machine(join=True, output_dir=output))
        end(slow)
        [line] = [line for line in told.splitlines() if "waiting" in line]
        assert line == f"Note waiting for trial 1 of process {slow.pid} on elsewhere"


FORKING = """
import multiprocessing, os, sys, threading, time
from bertnado_sweep import run_sweep
from bertnado_sweep.backends.local import leases
leases.LEASE = 0.006  # many appends, so that a fork meets one
context = multiprocessing.get_context("fork")

def train(parameters, report):
    for step in range(40):
        children = [context.Process(target=time.sleep, args=(600,), daemon=True) for _ in range(2)]
        for child in children:
            child.start()
        report(step, parameters["x"])
        for child in children:
            child.kill()
            child.join()
    return parameters["x"]

run_sweep(train, {config!r}, output_dir=sys.argv[1], backend="local", sweep_count=2)
"""


def test_a_child_that_is_forked_does_not_hold_the_locks(output):
    program = FORKING.format(config=CONFIG)
    done = subprocess.run([sys.executable, "-c", program, str(output)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [state for _, _, state in attempts(output)] == ["completed"] * 2


def test_a_helper_that_outlives_its_sweep_does_not_count_as_at_work(output):
    children = []

    def train(parameters, report):
        pid = os.fork()
        if pid == 0:
            time.sleep(600)
            os._exit(0)
        children.append(pid)
        return parameters["x"]

    try:
        run_sweep(train, GRID, output_dir=output, backend="local", sweep_count=2)
        (output / "journal.log").unlink()
        trained = []
        result = run_sweep(
            lambda parameters, report: trained.append(1) or parameters["x"],
            None,
            output_dir=output,
            resume=True,
            sweep_count=3,
        )
        assert len(trained) == 1
        assert [trial.value for trial in result.trials] == [1, 2, 3]
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def test_a_process_that_sleeps_with_a_lock_is_said_to_be_waited_for(output, monkeypatch, caplog):
    from bertnado_sweep.records import locks
    from bertnado_sweep.records.presence import beginning

    monkeypatch.setattr(locks, "SAY_AFTER", 0.2)
    output.mkdir()
    with beginning(output):
        other = threading.Thread(target=lambda: beginning(output).__enter__(), daemon=True)
        other.start()
        other.join(1.0)
        assert other.is_alive()
    other.join(10)
    assert f"waiting for a process that holds the lock of {output / '.beginners.lock'}" in caplog.text


def test_a_trial_that_takes_every_process_with_it_has_failed_in_the_end(machine, output):
    options = {"output_dir": output, "poison": 0.5}
    config = CONFIG | {"method": "grid", "parameters": {"x": {"values": [1, 0.5, 2]}}}
    first = machine(config=config, backend="local", **options)
    first.wait(60)
    deaths = 1
    while machine(join=True, **options).wait(60) != 0:
        deaths += 1
        assert deaths < 10
    assert deaths == 5
    trials = recorded_status(output).trials
    assert [(trial.attempt, trial.state) for trial in trials] == [(1, "completed"), (5, "failed"), (1, "completed")]
    assert trials[1].error.endswith("before the trial ended, 5 times")


class TestTheLine:
    """What is said of a wait."""

    def test_it_is_said_once_for_each_thing_after_a_while(self, monkeypatch):
        said = []
        waiting = Waiting(said.append)
        waiting.goes_on(lambda: ["a"])
        assert said == []
        monkeypatch.setattr("bertnado_sweep.backends.local.waiting.SAY_AFTER", 0.0)
        waiting.goes_on(lambda: ["b", "a"])
        waiting.goes_on(lambda: ["a", "c"])
        assert said == ["waiting for a", "waiting for b", "waiting for c"]
        waiting.is_over()
        waiting.goes_on(lambda: ["a"])
        assert said[-1] == "waiting for a"

    def test_workers_of_one_pool_do_not_speak_of_each_other(self, output, monkeypatch):
        heard = []
        run_sweep(CurveTrainer(pause=0.3), GRID, output_dir=output, backend="local", workers=3, observer=heard.append)
        assert [event.text for event in heard if isinstance(event, Note)] == []
