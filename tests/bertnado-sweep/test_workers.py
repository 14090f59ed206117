"""How workers share a sweep's trials and a machine's GPUs."""

import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bertnado_config import SweepConfigError, read_json
from bertnado_sweep import NoEligibleTrialError, TooManyFailuresError, plan_sweep, run_sweep
from bertnado_sweep.backends.wandb.backend import shares
from bertnado_sweep.running.events import Note, TrialEnded, TrialEvaluated, TrialStarted
from bertnado_sweep.running.worker_pool import worker_environments
from support.trainers import (
    CrashingTrainer,
    CurveTrainer,
    DeviceTrainer,
    DyingOnceTrainer,
    DyingTrainer,
    UnopenableTrainer,
)

GRID = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 2, 3, 4]}},
}


@pytest.mark.parametrize(
    ("budget", "workers", "expected"), [(5, 2, [3, 2]), (6, 3, [2, 2, 2]), (2, 4, [1, 1]), (1, 1, [1])]
)
def test_trials_are_shared_evenly_and_none_is_added(budget, workers, expected):
    assert shares(budget, workers) == expected


@pytest.fixture(params=["local", "wandb"])
def backend(request):
    """Each of the backends; the W&B one talks to a server on loopback."""
    if request.param == "wandb":
        request.getfixturevalue("server")
    return request.param


def test_each_worker_is_a_process_with_a_gpu_of_its_own(backend, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    result = run_sweep(DeviceTrainer(), GRID, sweep_count=2, output_dir=tmp_path / "sweep", backend=backend)
    assert {trial.details["gpus"] for trial in result.trials} == {"3", "5"}
    assert len({trial.details["process"] for trial in result.trials}) == 2


class TestPlaces:
    """What a worker may use of the machine."""

    def test_gpus_are_dealt_out_in_turn_and_shared_in_equal_parts(self, monkeypatch):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
        found = [
            (place["CUDA_VISIBLE_DEVICES"], float(place["BERTNADO_GPU_SHARE"])) for place in worker_environments(3)
        ]
        assert found == [("3", 0.5), ("5", 1.0), ("3", 0.5)]

    def test_without_a_gpu_the_cores_are_shared(self, monkeypatch):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
        assert worker_environments(2) == [{"OMP_NUM_THREADS": "4"}] * 2
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        assert worker_environments(2) == [{"OMP_NUM_THREADS": "3"}] * 2


class TestHowManyWorkers:
    """How many workers a sweep gets."""

    @pytest.fixture
    def plan(self, tmp_path, monkeypatch):
        def make(gpus="", trainer=None, sweep_count=100, **options):
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
            many = {**GRID, "parameters": {"x": {"values": list(range(100))}}}
            given = {"output_dir": tmp_path / "sweep", "backend": "local", "sweep_count": sweep_count} | options
            return plan_sweep(trainer or DeviceTrainer(), many, **given)

        return make

    @pytest.mark.parametrize(
        ("gpus", "options", "workers"),
        [
            ("", {}, 1),
            ("", {"workers": 3}, 3),
            ("-1", {"workers": 3}, 3),
            ("NoDevFiles", {"workers": 3}, 3),
            ("0", {}, 1),
            ("0,1", {}, 2),
            ("0,1", {"trials_per_gpu": 4}, 8),
            ("0,1", {"workers": 1}, 1),
            ("0,1", {"trials_per_gpu": 4, "workers": 3}, 3),
            ("0,1,2,3", {"sweep_count": 2}, 2),
        ],
    )
    def test_it_is_as_many_as_the_gpus_take_unless_it_is_said(self, plan, gpus, options, workers):
        assert plan(gpus, **options).workers == workers

    def test_more_than_the_gpus_take_is_refused_with_the_ways_out(self, plan):
        with pytest.raises(
            SweepConfigError,
            match=r"workers must be at most 2 \(visible GPUs: 2, trials_per_gpu: 1\), got 5; "
            "lower it, or set trials_per_gpu to 3",
        ):
            plan("0,1", workers=5)

    def test_sharing_a_gpu_where_there_is_none_is_said_to_have_no_effect(self, plan):
        made = plan("", trials_per_gpu=2)
        assert made.workers == 1
        assert "trials_per_gpu has no effect without a visible GPU" in str(made.warnings[0])

    def test_a_trainer_that_cannot_be_handed_over_trains_alone_unless_workers_are_asked_for(self, plan):
        made = plan("0,1", trainer=lambda parameters, report: 1.0)
        assert made.workers == 1
        assert "one trial at a time" in str(made.warnings[0])
        with pytest.raises(SweepConfigError, match="the trainer must be picklable to train in worker processes"):
            plan("", trainer=lambda parameters, report: 1.0, workers=2)

    @pytest.mark.parametrize("options", [{"workers": 0}, {"trials_per_gpu": 0}])
    def test_none_at_all_is_refused(self, plan, options):
        with pytest.raises(SweepConfigError, match="at least 1"):
            plan(**options)


class TestLocalWorkers:
    """Processes that work on one local sweep."""

    @pytest.fixture
    def sweep(self, tmp_path):
        def run(trainer, count, workers=3, config=None, **options):
            config = config or {**GRID, "parameters": {"x": {"min": 0.0, "max": 1.0}}, "method": "random"}
            given = {"output_dir": tmp_path / "sweep", "backend": "local"} | options
            return run_sweep(trainer, config, sweep_count=count, workers=workers, **given)

        return run

    def test_the_budget_is_the_sweeps_and_nothing_is_tried_twice(self, sweep):
        result = sweep(CurveTrainer(shares=(1.0,)), 20)
        assert sorted(trial.number for trial in result.trials) == list(range(20))
        assert len({trial.parameters["x"] for trial in result.trials}) == 20
        assert {trial.state for trial in result.trials} == {"completed"}
        assert result.best.value == max(trial.value for trial in result.trials)
        assert read_json(result.best_config_path)["x"] == result.best.parameters["x"]

    def test_they_propose_what_one_alone_would(self, sweep, tmp_path):
        many = sweep(CurveTrainer(shares=(1.0,)), 8)
        one = sweep(CurveTrainer(shares=(1.0,)), 8, workers=1, output_dir=tmp_path / "alone")
        assert [trial.parameters for trial in many.trials] == [trial.parameters for trial in one.trials]

    def test_a_grid_is_spent_together(self, sweep):
        result = sweep(CurveTrainer(shares=(1.0,)), None, config=GRID)
        assert sorted(trial.parameters["x"] for trial in result.trials) == [1, 2, 3, 4]

    def test_the_model_of_a_bayes_sweep_sees_the_values_of_all(self, sweep):
        config = {**GRID, "method": "bayes", "parameters": {"x": {"min": 0.0, "max": 1.0}}}
        result = sweep(CurveTrainer(shares=(1.0,)), 24, workers=2, config=config)
        later = [trial.parameters["x"] for trial in result.trials if trial.number >= 8]
        assert statistics.median(later) > 0.7

    def test_what_happens_in_each_is_heard(self, sweep):
        heard = []
        sweep(CurveTrainer(), 4, workers=2, observer=heard.append)
        assert sorted(event.number for event in heard if isinstance(event, TrialStarted)) == [0, 1, 2, 3]
        assert sorted(event.trial.number for event in heard if isinstance(event, TrialEnded)) == [0, 1, 2, 3]
        assert sum(isinstance(event, TrialEvaluated) for event in heard) == 8

    def test_a_trial_whose_worker_died_is_tried_once_more_and_another_worker_takes_the_place(self, sweep):
        heard = []
        config = {**GRID, "parameters": {"x": {"values": list(range(6))}}}
        result = sweep(DyingTrainer(), 6, workers=2, config=config, observer=heard.append)
        failed = {trial.parameters["x"]: (trial.attempt, trial.error) for trial in result.trials if not trial.value}
        assert failed.pop(0) == (1, None)
        assert failed == {
            1: (2, "its worker process died twice: signal SIGKILL"),
            3: (2, "its worker process died twice: exit code 3; its last words: out of luck"),
        }
        assert "out of luck" in (result.trials[3].directory / "error.txt").read_text()
        assert sum(trial.state == "completed" for trial in result.trials) == 4
        ended = [event.trial for event in heard if isinstance(event, TrialEnded)]
        assert sorted((trial.parameters["x"], trial.state) for trial in ended if trial.error) == [
            (1, "failed"),
            (1, "interrupted"),
            (3, "failed"),
            (3, "interrupted"),
        ]

    def test_a_trial_whose_worker_died_once_is_not_lost(self, sweep, tmp_path):
        trainer = DyingOnceTrainer(marker=str(tmp_path / "died"))
        result = sweep(trainer, 4, workers=2)
        assert {trial.state for trial in result.trials} == {"completed"}
        assert sorted(trial.attempt for trial in result.trials) == [1, 1, 1, 2]

    def test_the_stack_of_a_crash_is_kept(self, sweep):
        with pytest.raises((NoEligibleTrialError, TooManyFailuresError)) as caught:
            sweep(CrashingTrainer(), 2, workers=2)
        trial = caught.value.trials[0]
        assert trial.error.startswith("its worker process died twice: signal SIGSEGV")
        assert "Fatal Python error: Segmentation fault" in (trial.directory / "error.txt").read_text()

    def test_an_error_that_every_worker_has_ends_the_sweep_with_it(self, sweep):
        with pytest.raises(ValueError, match="no such model"):
            sweep(UnopenableTrainer(), 4, workers=2)

    def test_a_sweep_in_which_no_worker_lives_ends(self, sweep):
        with pytest.raises(NoEligibleTrialError):
            sweep(UnopenableTrainer(dies=True), 4, workers=2)


@pytest.mark.slow
def test_a_worker_of_a_sweep_at_wandb_that_died_costs_its_trial_and_no_more(server, tmp_path):
    heard = []
    config = {**GRID, "parameters": {"x": {"values": list(range(6))}}}
    options = {"output_dir": tmp_path / "sweep", "backend": "wandb", "workers": 2, "observer": heard.append}
    run_sweep(DyingTrainer(), config, **options)
    ended = sorted(event.trial.parameters["x"] for event in heard if isinstance(event, TrialEnded))
    assert ended == [0, 2, 4, 5]
    assert sum("its trial is lost" in event.text for event in heard if isinstance(event, Note)) == 2


SCRIPT = """
from bertnado_sweep import run_sweep
from support.trainers import CurveTrainer

if __name__ == "__main__":
    run_sweep(
        CurveTrainer((1.0,) * 100, pause=0.5),
        {config!r},
        output_dir={output!r},
        backend="local",
        workers=2,
        sweep_count=20,
        observer=lambda event: print(type(event).__name__, flush=True),
    )
"""


@pytest.fixture
def started(tmp_path):
    """Start a sweep of two workers in a process of its own, and wait until both train."""
    script = tmp_path / "script.py"
    output = tmp_path / "sweep"
    script.write_text(
        SCRIPT.format(config=GRID | {"parameters": {"x": {"values": list(range(20))}}}, output=str(output))
    )
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    said = []
    while said.count("TrialStarted") < 2 or said.count("TrialEvaluated") < 2:
        said.append(process.stdout.readline().strip())
        assert said[-1] or process.poll() is None
    yield process, output
    process.kill()
    process.wait()


def states(output):
    return sorted(read_json(path)["state"] for path in output.glob("sweep_*/trial.json"))


def test_an_interrupt_of_the_parent_ends_all_of_them_and_their_trials_are_recorded(started):
    process, output = started
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) != 0
    assert states(output) == ["interrupted", "interrupted"]


def test_the_death_of_the_parent_ends_all_of_them(started):
    process, output = started
    process.kill()
    deadline = time.monotonic() + 30
    while "running" in states(output) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert states(output) == ["interrupted", "interrupted"]
