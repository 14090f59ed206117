"""What is booked on a trial: whatever it raises or returns, and nothing of what goes wrong around it."""

import asyncio
import concurrent.futures
import os
import re
import signal
import sys
import threading
import time
from contextlib import suppress

import pytest
from bertnado_config import TrialResult, read_best_config, read_json
from bertnado_sweep import recorded_status, run_sweep
from bertnado_sweep.backends.local import retrying_storage as patience
from bertnado_sweep.running.events import TrialEnded, TrialEvaluated
from bertnado_sweep.running.limits import StorageError
from support.trainers import CurveTrainer

GRID = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 4, 2, 3]}},
}


@pytest.fixture
def output(tmp_path):
    return tmp_path / "sweep"


class UnreadableError(Exception):
    """An error whose message cannot be read."""

    def __str__(self):
        raise ValueError("no message")


class Unreadable:
    """What cannot be shown."""

    def __repr__(self):
        raise ValueError("no")


def raises(error):
    def train(parameters, report):
        raise error

    return train


def returns(result):
    return lambda parameters, report: result


ENDLESS = {}
ENDLESS["self"] = ENDLESS

FAULTS = {
    "a lone surrogate": (raises(ValueError("caf\udce9.txt")), r"ValueError: caf\\udce9\.txt"),
    "no message": (raises(UnreadableError()), r"UnreadableError: \(no readable message\)"),
    "cancelled": (raises(asyncio.CancelledError()), "CancelledError"),
    "cancelled in a pool": (raises(concurrent.futures.CancelledError()), "CancelledError"),
    "sys.exit(0)": (lambda parameters, report: sys.exit(0), "SystemExit: 0"),
    "GeneratorExit": (raises(GeneratorExit()), "GeneratorExit"),
    "memory": (raises(MemoryError()), "MemoryError"),
    "nothing": (returns(None), "TypeError: a trial function must return a number or a TrialResult, got NoneType"),
    "a huge number": (returns(10**400), "OverflowError"),
    "details without a place in JSON": (returns(TrialResult(1.0, details={"a": {1}})), "cannot be recorded"),
    "details without an end": (returns(TrialResult(1.0, details=ENDLESS)), "cannot be recorded"),
    "details that cannot be shown": (returns(TrialResult(1.0, details={"a": Unreadable()})), "cannot be recorded"),
    "a step that is none": (returns(TrialResult(1.0, step="last")), "cannot be recorded: step"),
    "a history that is none": (returns(TrialResult(1.0, history=[1])), "TypeError"),
    "timings that are none": (returns(TrialResult(1.0, timings={"a": "soon"})), "cannot be recorded: timings"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_whatever_a_trial_raises_or_returns_is_its_own_failure(output, name):
    fault, message = FAULTS[name]

    def train(parameters, report):
        if parameters["x"] != 4:
            return parameters["x"]
        report(1, 0.5)
        return fault(parameters, report)

    result = run_sweep(train, GRID, output_dir=output, backend="local")
    assert [trial.state for trial in result.trials] == ["completed", "failed", "completed", "completed"]
    failed = result.trials[1]
    assert re.search(message, failed.error), failed.error
    assert [row["score"] for row in failed.history] == [0.5]
    assert read_best_config(output / "best_sweep_config.json").parameters == {"x": 3}
    failed.error.encode()
    assert recorded_status(output).trials == result.trials


@pytest.mark.parametrize(
    "say",
    [
        lambda report: report(None, 0.5),
        lambda report: report("last", 0.5),
        lambda report: report(1, None),
        lambda report: report(1, 0.5, {"a": "much"}),
        lambda report: report.progress([1]),
        lambda report: report.progress(1, 5),
        lambda report: report.started(None, {}),
        lambda report: report.started(10, [1]),
    ],
    ids=range(8),
)
def test_what_cannot_be_reported_is_the_trials_failure(output, say):
    def train(parameters, report):
        if parameters["x"] == 4:
            say(report)
        return parameters["x"]

    result = run_sweep(train, GRID, output_dir=output, backend="local")
    assert [trial.state for trial in result.trials] == ["completed", "failed", "completed", "completed"]


def test_a_child_that_training_forks_does_not_go_on_with_the_sweep(output):
    def train(parameters, report):
        if parameters["x"] == 4 and os.fork() == 0:
            sys.exit(0)
        time.sleep(0.2)
        return parameters["x"]

    result = run_sweep(train, GRID, output_dir=output, backend="local")
    assert [(trial.state, trial.attempt) for trial in result.trials] == [("completed", 1)] * 4
    assert len(list(output.glob("sweep_*/"))) == 4


class TestTheMachinery:
    """What goes wrong around a trial interrupts it, and it is tried again."""

    def test_an_observer_that_raises(self, output):
        def observe(event):
            if isinstance(event, TrialEvaluated) and event.value == 4:
                raise RuntimeError("the display broke")

        with pytest.raises(RuntimeError, match="the display broke"):
            run_sweep(CurveTrainer(), GRID, output_dir=output, backend="local", observer=observe)
        assert [trial.state for trial in recorded_status(output).trials] == ["completed", "interrupted"]
        result = run_sweep(CurveTrainer(), GRID, output_dir=output, backend="local", resume=True)
        assert [(trial.attempt, trial.value) for trial in result.trials] == [(1, 1), (2, 4), (1, 2), (1, 3)]

    @pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit()])
    def test_an_observer_that_ends_the_program(self, output, error):
        def observe(event):
            if isinstance(event, TrialEvaluated) and event.value == 4:
                raise error

        with pytest.raises(type(error)):
            run_sweep(CurveTrainer(), GRID, output_dir=output, backend="local", observer=observe)
        assert recorded_status(output).trials[1].state == "interrupted"

    def test_one_that_the_trainer_takes_for_its_own(self, output):
        def observe(event):
            if isinstance(event, TrialEvaluated) and event.value == 4:
                raise RuntimeError("the display broke")

        def train(parameters, report):
            try:
                report(1, parameters["x"])
            except RuntimeError as error:
                raise ValueError("training broke") from error
            return parameters["x"]

        with pytest.raises(RuntimeError, match="the display broke"):
            run_sweep(train, GRID, output_dir=output, backend="local", observer=observe)
        assert recorded_status(output).trials[1].state == "interrupted"

    def test_a_trial_that_comes_to_its_end_all_the_same_counts(self, output):
        def observe(event):
            if isinstance(event, TrialEvaluated) and event.value == 4:
                raise RuntimeError("the display broke")

        def train(parameters, report):
            with suppress(RuntimeError):
                report(1, parameters["x"])
            return parameters["x"]

        result = run_sweep(train, GRID, output_dir=output, backend="local", observer=observe)
        assert [trial.value for trial in result.trials] == [1, 4, 2, 3]


@pytest.fixture
def postgresql_of_its_own():
    """A server that the test stops and starts."""
    import psycopg
    from support import postgresql

    reason = postgresql.missing()
    if reason:
        pytest.skip(reason)
    with postgresql.started() as server:
        with psycopg.connect(f"{server.url}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE sweeps")
        yield server


class TestADatabaseThatIsAway:
    """An outage in mid-sweep: a short one nobody notices, and by a long one nothing is lost."""

    def go_through_outage(self, server, output, *, how, seconds, workers=1):
        """Stop the server in the middle of the second trial, and start it again later."""
        timer = threading.Timer(seconds, server.start)
        heard = []

        def observe(event):
            heard.append(event)
            if isinstance(event, TrialEvaluated) and event.value == 4:
                server.stop(how)
                timer.start()

        try:
            return run_sweep(
                CurveTrainer(shares=(1.0, 0.5), pause=0.1),
                GRID,
                output_dir=output,
                storage=f"{server.url}/sweeps",
                study="s",
                observer=observe,
                workers=workers,
            )
        finally:
            timer.join()

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
    @pytest.mark.slow
    def test_five_seconds_are_not_noticed(self, postgresql_of_its_own, output, how):
        result = self.go_through_outage(postgresql_of_its_own, output, how=how, seconds=5)
        assert [(trial.attempt, trial.value) for trial in result.trials] == [(1, 1), (1, 4), (1, 2), (1, 3)]
        assert {trial.state for trial in result.trials} == {"completed"}

    @pytest.mark.slow
    def test_an_outage_that_outlasts_patience_interrupts_the_trial_and_loses_nothing(
        self, postgresql_of_its_own, output, monkeypatch
    ):
        monkeypatch.setattr(patience, "PATIENCE", 2.0)
        begin = time.monotonic()
        with pytest.raises(StorageError, match=r"has not answered for 2 s .*; finished trials are in the output"):
            self.go_through_outage(postgresql_of_its_own, output, how=signal.SIGQUIT, seconds=14)
        assert time.monotonic() - begin < 60
        states = {read_json(path)["number"]: read_json(path)["state"] for path in output.glob("*/trial.json")}
        assert states == {0: "completed", 1: "interrupted"}
        monkeypatch.undo()
        ended = []
        result = run_sweep(
            CurveTrainer(),
            GRID,
            output_dir=output,
            resume=True,
            observer=lambda event: ended.append(event) if isinstance(event, TrialEnded) else None,
        )
        assert [(trial.attempt, trial.value) for trial in result.trials] == [(1, 1), (2, 4), (1, 2), (1, 3)]
        assert len(ended) == 3
        assert read_best_config(output / "best_sweep_config.json").parameters == {"x": 4}

    @pytest.mark.slow
    @pytest.mark.parametrize("workers", [1, 2])
    def test_ctrl_c_does_not_wait_for_it(self, postgresql_of_its_own, output, workers):
        server, begin = postgresql_of_its_own, []

        def observe(event):
            if isinstance(event, TrialEvaluated) and event.value == 4:
                server.stop(signal.SIGQUIT)
                threading.Timer(
                    2, lambda: (begin.append(time.monotonic()), os.kill(os.getpid(), signal.SIGINT))
                ).start()

        options = {"output_dir": output, "storage": f"{server.url}/sweeps", "study": "s"}
        with pytest.raises(KeyboardInterrupt):
            run_sweep(CurveTrainer(pause=0.5), GRID, workers=workers, observer=observe, **options)
        assert time.monotonic() - begin[0] < 60
        server.start()
        result = run_sweep(CurveTrainer(), GRID, resume=True, **options)
        assert [trial.value for trial in result.trials] == [1, 4, 2, 3]

    @pytest.mark.slow
    def test_five_minutes_are_waited_for(self, postgresql_of_its_own, output):
        result = self.go_through_outage(postgresql_of_its_own, output, how=signal.SIGQUIT, seconds=300)
        assert [(trial.attempt, trial.value) for trial in result.trials] == [(1, 1), (1, 4), (1, 2), (1, 3)]
