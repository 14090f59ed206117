"""A long trial survives: its next attempt continues from its training state, which is removed when it has ended."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from bertnado_config import Forecast, SweepConfigError, TrialForecast, read_json, write_json
from bertnado_metrics import Objective
from bertnado_sweep import Interrupted, NoEligibleTrialError, plan_sweep, run_sweep
from bertnado_sweep.backends.local.journal import open_journal
from bertnado_sweep.backends.local.storage import load_study
from bertnado_sweep.records.trial import Trial, read_record
from bertnado_sweep.running.events import Note, TrialProgress
from bertnado_sweep.running.tracker import Tracker
from bertnado_sweep.running.training_states import TrialStates
from bertnado_sweep.running.trial_run import TrialReport
from support.trainers import CurveTrainer, SavingTrainer

CONFIG = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 2]}},
}
WHOLE = [sum(range(1, step + 1)) for step in range(5, 45, 5)]
"""The values of the evaluations of a trial with x = 1."""


@pytest.fixture
def output(tmp_path):
    return tmp_path / "sweep"


@pytest.fixture
def sweep(output):
    def run(trainer, config=CONFIG, **options):
        def listen(event):
            run.heard.append(event)

        given = {"output_dir": output, "backend": "local", "observer": listen} | options
        return run_sweep(trainer, config, **given)

    run.heard = []
    return run


@pytest.fixture
def interrupt(sweep):
    """Run a sweep whose first trial is interrupted at a step."""

    def run(step=12, **options):
        with pytest.raises(Interrupted):
            sweep(SavingTrainer(interrupted_at=step), **({"sweep_count": 1} | options))

    return run


def notes(sweep):
    return [event.text for event in sweep.heard if isinstance(event, Note)]


def left_behind(output):
    """Every training state below an output directory, and every part of one."""
    return sorted(path for path in output.rglob("*training_state*") if path.is_file())


def attempts(output, number=0):
    """The records of a trial, in the order of its attempts."""
    records = [read_json(path) for path in output.glob("sweep_*/trial.json")]
    return sorted((record for record in records if record["number"] == number), key=lambda record: record["attempt"])


def steps_of(record):
    return [(row["from_step"], row["to_step"]) for row in record["attempts"]]


class TestATrialLongerThanTheTimeLimit:
    """It ends after several submissions."""

    def test_it_goes_on_from_submission_to_submission_and_ends_with_the_value_of_a_whole_one(self, sweep, output):
        trainer, submissions = SavingTrainer(pause=0.05), 0
        for submissions in range(1, 20):
            try:
                result = sweep(trainer, time_limit=0.8, resume=submissions > 1, sweep_count=1)
                break
            except NoEligibleTrialError:
                assert len(left_behind(output)) <= 1
        assert submissions > 2
        [trial] = result.trials
        assert (trial.state, trial.value, trial.attempt) == ("completed", WHOLE[-1], len(trial.attempts))
        assert [row["score"] for row in trial.history] == WHOLE
        steps = steps_of(attempts(output)[-1])
        assert steps[0][0] == 0
        assert steps[-1][1] == trainer.steps
        assert all(before[1] == after[0] for before, after in pairwise(steps))
        assert left_behind(output) == []

    def test_the_other_trials_follow_and_none_is_begun_that_would_not_come_to_its_first_step(self, sweep, output):
        for number in range(20):
            result = None
            try:
                result = sweep(SavingTrainer(steps=20, pause=0.03), time_limit=0.5, resume=number > 0)
            except NoEligibleTrialError:
                continue
            if result.ended_by is None:
                break
        assert [(trial.state, trial.value) for trial in result.trials] == [("completed", 210), ("completed", 420)]

    def test_without_states_none_is_begun_that_would_not_end(self, sweep):
        result = sweep(SavingTrainer(steps=20, pause=0.03), time_limit=0.9, save_state_every="never")
        assert [trial.state for trial in result.trials] == ["completed"]


class ForecastingTrainer(SavingTrainer):
    """Forecasts a minute for each trial."""

    def forecast(self, config, objective, trials, *, places, directory):
        minute = TrialForecast(60.0)
        return Forecast([minute] * len(trials), minute, minute, "a step")


class TestTheRecord:
    """What `trial.json` says of it."""

    @pytest.fixture
    def interrupted(self, interrupt, output):
        """The records of a trial that was interrupted twice."""
        interrupt(12)
        interrupt(23, resume=True)
        return attempts(output)

    def test_an_attempt_names_its_state_and_the_one_that_it_went_on_from(self, interrupted, output):
        first, second = interrupted
        assert [record["state"] for record in interrupted] == ["interrupted", "interrupted"]
        assert second["training_state"] == f"{second['directory']}/training_state"
        assert second["resumed_from"] == first["training_state"]
        assert left_behind(output) == [output / second["training_state"]]

    def test_it_lists_the_attempts_with_their_steps_hosts_and_directories(self, interrupted):
        first, second = interrupted
        assert second["attempts"][:1] == first["attempts"]
        assert [row["attempt"] for row in second["attempts"]] == [1, 2]
        assert [row["directory"] for row in second["attempts"]] == [first["directory"], second["directory"]]
        assert all(row["host"] == os.uname().nodename for row in second["attempts"])
        assert steps_of(second) == [(0, 12), (12, 23)]

    def test_a_trial_that_goes_on_says_so_and_begins_at_its_step(self, sweep, interrupted):
        sweep.heard.clear()
        sweep(SavingTrainer(), resume=True, sweep_count=1)
        assert "trial 1 continues from step 23" in notes(sweep)
        progress = [event.step for event in sweep.heard if isinstance(event, TrialProgress)]
        assert progress == [0, *range(23, 41)]

    def test_the_forecast_counts_what_is_left_of_it(self, interrupted, output):
        plan = plan_sweep(ForecastingTrainer(), None, output_dir=output, resume=True, sweep_count=2)
        assert plan.forecast.whole_trials == pytest.approx((60 * 17 / 40, 60))

    def test_its_time_is_that_of_all_attempts(self, sweep, interrupted):
        assert sweep(SavingTrainer(), resume=True, sweep_count=1).trials[0].timings["total"] > 7

    def test_while_it_runs_it_says_how_far_its_state_is(self, sweep, output):
        seen = []

        class Looking(SavingTrainer):
            def run(self, parameters, report):
                progress = report.progress

                def look(step, metrics=None):
                    seen.append(steps_of(read_json(report.directory / "trial.json")))
                    return progress(step, metrics)

                report.progress = look
                return super().run(parameters, report)

        sweep(Looking(steps=5), sweep_count=1, save_state_every=1e-9)
        assert seen == [[(0, None)], [(0, None)], [(0, 2)], [(0, 3)], [(0, 4)]]

    def test_a_trial_of_one_attempt_has_one_row_and_no_state(self, sweep, output):
        sweep(SavingTrainer(steps=5), sweep_count=1)
        [record] = attempts(output)
        assert (record["training_state"], record["resumed_from"], steps_of(record)) == (None, None, [(0, 5)])


class TestWhatIsRemoved:
    """A state stays for as long as it may be continued from."""

    def test_a_state_that_outlived_its_trial_is_removed_when_the_sweep_is_resumed(self, sweep, output):
        trial = sweep(SavingTrainer(steps=5), sweep_count=1).trials[0]
        orphans = [trial.directory / "training_state", trial.directory / f".training_state.{'a' * 32}.tmp"]
        for orphan in orphans:
            orphan.touch()
        (trial.directory / "training_states.txt").touch()
        sweep(SavingTrainer(steps=5), resume=True)
        assert left_behind(output) == [trial.directory / "training_states.txt"]

    def test_tidying_leaves_the_state_of_an_interrupted_trial_and_removes_parts_of_one(self, interrupt, output):
        interrupt(12)
        [state] = left_behind(output)
        torn = state.with_name(f".training_state.{'a' * 32}.tmp")
        torn.touch()
        interrupt(13, resume=True)
        assert left_behind(output) == [output / attempts(output)[1]["training_state"]]

    @pytest.mark.parametrize("how", ["failed", "stopped"])
    def test_a_trial_that_failed_or_was_stopped_early_leaves_none(self, sweep, output, how):
        class Ending(SavingTrainer):
            def run(self, parameters, report):
                result = super().run(parameters, report)
                assert left_behind(output)
                if how == "failed":
                    raise ValueError("no")
                return type(result)(result.value, stopped=True)

        config = CONFIG | {"parameters": {"x": {"values": [1, 2]}}}
        try:
            sweep(Ending(steps=5), config, save_state_every=1e-9, sweep_count=1)
        except NoEligibleTrialError:
            assert how == "failed"
        assert attempts(output)[0]["state"] == how
        assert left_behind(output) == []

    def test_a_failed_trial_that_is_tried_again_begins_anew(self, sweep, output):
        class Failing(SavingTrainer):
            def run(self, parameters, report):
                super().run(parameters, report)
                raise ValueError("no")

        with pytest.raises(NoEligibleTrialError):
            sweep(Failing(steps=5), save_state_every=1e-9, sweep_count=1)
        sweep(SavingTrainer(steps=5), sweep_count=1, resume=True, retry_failed="all")
        assert steps_of(attempts(output)[-1]) == [(0, 5), (0, 5)]


PROGRAM = """
from bertnado_sweep import run_sweep
from support.trainers import SavingTrainer

if __name__ == "__main__":
    config = {{"method": "grid", "metric": {{"name": "score", "goal": "maximize"}},
              "parameters": {{"x": {{"values": [1, 2]}}}}}}
    run_sweep({trainer}, config, output_dir={output!r}, backend="local", save_state_every={every}, **{options})
"""


@pytest.fixture
def start(tmp_path, output):
    """Start a sweep in a process."""
    processes = []

    def run(trainer, every=1e-9, **options):
        script = tmp_path / "script.py"
        script.write_text(PROGRAM.format(trainer=trainer, output=str(output), every=every, options=options))
        path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path}
        process = subprocess.Popen([sys.executable, script], env=environment, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def wait_for_state(output, process):
    while not left_behind(output):
        assert process.poll() is None
        time.sleep(0.01)


class TestKills:
    """A process that is killed, at any moment."""

    def test_a_killed_trial_goes_on_from_its_last_state(self, sweep, start, output):
        process = start("SavingTrainer(pause=0.02)")
        wait_for_state(output, process)
        time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        result = sweep(SavingTrainer(), resume=True, sweep_count=1)
        assert [row["score"] for row in result.trials[0].history] == WHOLE
        [(first, came), (began, last)] = steps_of(attempts(output)[-1])
        assert (first, last) == (0, 40)
        assert 0 < came == began
        assert left_behind(output) == []

    def test_a_signal_lets_the_state_be_written_before_the_end(self, sweep, start, output):
        process = start("SavingTrainer(pause=0.1)", every=1000)
        while not attempts(output):
            time.sleep(0.01)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) != 0
        [state] = left_behind(output)
        assert read_json(state)["step"] == steps_of(attempts(output)[0])[0][1] > 0
        sweep(SavingTrainer(), resume=True, sweep_count=1)
        assert steps_of(attempts(output)[-1])[1][0] > 0

    def test_deaths_of_workers_do_not_count_as_long_as_the_trial_comes_further(self, start, output, tmp_path):
        marker = tmp_path / "deaths"
        marker.mkdir()
        trainer = f"SavingTrainer(steps=10, dies_at=(3, 6), marker={str(marker)!r})"
        process = start(trainer, workers=2, sweep_count=2)
        assert process.wait(timeout=120) == 0, process.stderr.read()
        records = [attempts(output, number)[-1] for number in (0, 1)]
        assert [record["state"] for record in records] == ["completed", "completed"]
        assert sorted(record["value"] for record in records) == [55, 110]
        assert sum(record["attempt"] for record in records) == 4

    @pytest.mark.slow
    def test_a_trial_that_dies_again_where_it_died_before_has_failed(self, start, output):
        process = start("SavingTrainer(steps=10, dies_at=(6,))", workers=2)
        process.wait(timeout=120)
        *before, last = attempts(output)
        assert (last["state"], last["attempt"]) == ("failed", 3)
        assert last["error"].startswith("its worker process died twice")
        assert before[0]["error"].endswith("; its training state is kept")
        assert left_behind(output) == []


class TestAStateThatCannotBeUsed:
    """It is said, and the trial begins anew."""

    @pytest.fixture
    def interrupted(self, interrupt, output):
        interrupt()
        return attempts(output)[0]

    def test_because_it_is_damaged(self, sweep, output, interrupted):
        (output / interrupted["training_state"]).write_text("{")
        result = sweep(SavingTrainer(), resume=True, sweep_count=1)
        assert f"trial 1 begins anew: its training state {output / interrupted['training_state']} is damaged" in notes(
            sweep
        )
        assert (result.trials[0].value, steps_of(attempts(output)[-1])[1]) == (WHOLE[-1], (0, 40))

    def test_because_it_is_gone(self, sweep, output, interrupted):
        (output / interrupted["training_state"]).unlink()
        assert sweep(SavingTrainer(), resume=True, sweep_count=1).trials[0].value == WHOLE[-1]
        assert steps_of(attempts(output)[-1])[1] == (0, 40)

    def test_because_states_are_switched_off(self, sweep, output, interrupted):
        result = sweep(SavingTrainer(), resume=True, sweep_count=1, save_state_every="never")
        assert result.trials[0].value == WHOLE[-1]
        assert left_behind(output) == []


class TestSeveralMachines:
    """Machines that share a database, each with an output directory."""

    @pytest.fixture
    def interrupted(self, interrupt, database, tmp_path):
        """How to join a sweep whose trial was interrupted on another machine."""
        here = {"storage": database, "study": "dna", "sweep_count": 1}
        interrupt(output_dir=tmp_path / "there", **here)
        return here

    def test_a_trial_goes_on_where_the_other_directory_can_be_seen(self, sweep, output, interrupted, tmp_path):
        result = sweep(SavingTrainer(), **interrupted)
        assert (steps_of(attempts(output)[-1]), result.trials[0].value) == ([(0, 12), (12, 40)], WHOLE[-1])
        assert [path.parent.parent for path in left_behind(tmp_path)] == [tmp_path / "there"]
        sweep(SavingTrainer(), **{**interrupted, "output_dir": tmp_path / "there"})
        assert left_behind(tmp_path) == []

    def test_it_begins_anew_and_says_so_where_it_cannot(self, sweep, output, interrupted, tmp_path):
        shutil.move(tmp_path / "there", tmp_path / "elsewhere")
        assert sweep(SavingTrainer(), **interrupted).trials[0].value == WHOLE[-1]
        host = os.uname().nodename
        why = f"its last attempt was on {host}, and a training state of it cannot be seen here"
        assert f"trial 1 begins anew: {why}" in notes(sweep)


def test_early_termination_sees_the_evaluations_of_all_attempts(sweep, interrupt, output):
    interrupt()
    result = sweep(SavingTrainer(), resume=True, sweep_count=1)
    study = load_study(open_journal(output), result.sweep_id)
    assert list(study.trials[-1].intermediate_values.values()) == WHOLE


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self):
        return self.now


@dataclass
class Case:
    """A trial whose states are asked for by hand."""

    states: TrialStates
    clock: Clock
    said: list
    is_interrupted: bool = False


@pytest.fixture
def case(tmp_path):
    clock, said = Clock(), []
    directory = tmp_path / "sweep_2026-01-01_00-00-00"
    directory.mkdir()
    trial = Trial(2, "a-2", "running", {}, directory, "2026-01-01T00:00:00+00:00")
    report = TrialReport(trial, Objective("score", "maximize"), Tracker(None), said.append)
    made = Case(None, clock, said)
    made.states = TrialStates(report, directory / "training_state", 600.0, lambda: made.is_interrupted, clock)
    return made


class TestWhenAStateIsDue:
    """The interval, and an interruption."""

    def due(self, case, *moments):
        found = []
        for case.clock.now in moments:
            found.append(case.states.is_due())
        return found

    def test_after_each_interval_counted_from_the_first_step(self, case):
        assert self.due(case, 1000, 1599, 1600) == [False, False, True]
        case.states.written(5, 1.0)
        assert self.due(case, 2199, 2200) == [False, True]

    def test_less_often_if_writing_takes_more_than_2_percent_of_it(self, case):
        self.due(case, 0, 600)
        case.states.written(5, 30.0)
        assert self.due(case, 2099, 2100) == [False, True]

    def test_once_when_the_trial_is_interrupted(self, case):
        assert self.due(case, 0) == [False]
        case.is_interrupted = True
        assert self.due(case, 1, 2) == [True, True]
        case.states.written(5, 30.0)
        assert self.due(case, 3, 10_000) == [False, False]

    def test_a_state_that_cannot_be_written_is_said_once_and_tried_again(self, case):
        assert self.due(case, 0, 600) == [False, True]
        case.states.not_written("No space left on device")
        assert self.due(case, 601, 1200) == [False, True]
        case.states.not_written("No space left on device")
        assert [event.text for event in case.said] == [
            "trial 3 goes on without a training state, which cannot be written: No space left on device"
        ]


class TestTheOption:
    """`save_state_every`."""

    @pytest.mark.parametrize(
        ("said", "seconds"),
        [("10m", 600), (90, 90), ("00:05:00", 300), ("never", None), ("Never", None)],
    )
    def test_durations(self, output, said, seconds):
        plan = plan_sweep(SavingTrainer(), CONFIG, output_dir=output, backend="local", save_state_every=said)
        assert plan.options.states_every == seconds

    @pytest.mark.parametrize("said", ["", "sometimes", 0, "-5m", "None"])
    def test_what_is_none_is_refused_with_examples(self, sweep, said):
        rule = rf"save_state_every must be a duration above 0 .*, or never, got {said!r}; for example 3h30m"
        with pytest.raises(SweepConfigError, match=rule):
            sweep(SavingTrainer(), save_state_every=said)

    def test_it_is_recorded_and_holds_when_the_sweep_is_resumed(self, sweep, output):
        sweep(SavingTrainer(steps=5), save_state_every="never", sweep_count=1)
        assert read_json(output / "sweep.json")["save_state_every"] == "never"
        plan = plan_sweep(SavingTrainer(), CONFIG, output_dir=output, backend="local", resume=True)
        assert plan.options.states_every is None

    def test_by_default_it_is_ten_minutes_and_a_trainer_that_knows_no_states_is_asked_for_none(self, output):
        asked = {"output_dir": output, "backend": "local"}
        assert plan_sweep(SavingTrainer(), CONFIG, **asked).options.states_every == 600
        assert plan_sweep(SavingTrainer(), CONFIG, **asked).keeps_states
        assert not plan_sweep(CurveTrainer(), CONFIG, **asked).keeps_states

    def test_a_trial_of_such_a_trainer_has_none(self, sweep, output):
        seen = []
        sweep(lambda parameters, report: seen.append(report.training_states) or 1.0, sweep_count=1)
        assert seen == [None]
        assert attempts(output)[0]["training_state"] is None


class TestRoom:
    """The disk must have room for the states of the running trials, each beside the one that it replaces."""

    @dataclass
    class Large(SavingTrainer):
        """Says what its states take."""

        training_state_bytes: int = 10**18

    @pytest.mark.parametrize(("options", "count"), [({}, 2), ({"workers": 2}, 4)])
    def test_states_that_have_no_room_are_said_before_the_start(self, sweep, options, count):
        rule = rf"room for .* of training states \({count} of 1000000000\.0 GB\), got .* save_state_every to never"
        with pytest.raises(SweepConfigError, match=rule):
            sweep(self.Large(), **options)

    def test_none_are_needed_if_none_are_written(self, output):
        plan_sweep(self.Large(), CONFIG, output_dir=output, backend="local", save_state_every="never")


def test_a_record_with_attempts_is_read_as_it_was_written(tmp_path):
    directory = tmp_path / "sweep_2026-01-01_00-00-00"
    trial = Trial(0, "a-0", "interrupted", {}, directory, "2026-01-01T00:00:00+00:00", host="node7", attempt=2)
    trial = trial.with_steps(0, 12)
    write_json(tmp_path / "record.json", trial.to_record())
    assert Trial.from_record(read_record(read_json(tmp_path / "record.json")), tmp_path) == trial
