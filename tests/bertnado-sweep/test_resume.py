"""A sweep that was broken off goes on: nothing is lost, nothing is done twice, the budget is met exactly."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest
from bertnado_config import SweepConfigError, read_best_config, read_json
from bertnado_sweep import run_sweep
from bertnado_sweep.backends.local.journal import open_journal

CONFIG = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}
BUDGET = 6


@pytest.fixture
def output(tmp_path):
    return tmp_path / "sweep"


@pytest.fixture
def sweep(output):
    def run(train=lambda parameters, report: parameters["x"], config=CONFIG, **options):
        given = {"output_dir": output, "backend": "local", "sweep_count": BUDGET} | options
        return run_sweep(train, config, **given)

    return run


@pytest.fixture
def broken_off(sweep):
    """A sweep that was interrupted in its third trial; the parameters that it had by then, in order."""
    seen = []

    def train(parameters, report):
        seen.append(parameters["x"])
        if len(seen) == 3:
            report(1, parameters["x"])
            raise KeyboardInterrupt
        return parameters["x"]

    with pytest.raises(KeyboardInterrupt):
        sweep(train)
    return seen


def records(output):
    return [read_json(path) for path in sorted(output.glob("sweep_*/trial.json"))]


def test_the_interrupted_trial_is_tried_again_and_the_budget_is_met(sweep, broken_off):
    trained = []
    result = sweep(lambda parameters, report: trained.append(parameters["x"]) or parameters["x"], resume=True)
    assert trained[0] == broken_off[2]
    assert len(trained) == BUDGET - 2
    assert [(trial.number, trial.state) for trial in result.trials] == [(n, "completed") for n in range(BUDGET)]
    assert [trial.attempt for trial in result.trials] == [1, 1, 2, 1, 1, 1]
    assert result.best.value == max(trial.value for trial in result.trials)


def test_the_trials_are_those_that_an_unbroken_sweep_has(sweep, broken_off, tmp_path):
    resumed = sweep(resume=True)
    unbroken = sweep(output_dir=tmp_path / "unbroken")
    assert [trial.parameters for trial in resumed.trials] == [trial.parameters for trial in unbroken.trials]


def test_both_attempts_are_on_disk_each_in_a_directory_of_its_own(sweep, broken_off, output):
    sweep(resume=True)
    attempts = [record for record in records(output) if record["number"] == 2]
    assert [(record["attempt"], record["state"]) for record in attempts] == [(1, "interrupted"), (2, "completed")]
    assert len({record["id"] for record in attempts}) == 2


def test_a_sweep_that_is_done_is_done_when_it_is_resumed(sweep):
    first = sweep()
    again = sweep(lambda parameters, report: pytest.fail("trained again"), resume=True)
    assert again.trials == first.trials
    assert again.best == first.best


def test_a_larger_budget_adds_trials(sweep):
    sweep(sweep_count=2)
    assert len(sweep(sweep_count=4, resume=True).trials) == 4


def test_the_number_of_trials_is_the_recorded_one_unless_it_is_said(sweep, broken_off):
    assert len(sweep(resume=True, sweep_count=None).trials) == BUDGET


def test_the_sweep_file_is_the_recorded_one_where_none_is_given(sweep, broken_off):
    assert len(sweep(resume=True, config=None).trials) == BUDGET


def test_without_resume_both_ways_on_are_named(sweep, broken_off, output):
    with pytest.raises(SweepConfigError) as caught:
        sweep()
    assert str(caught.value).endswith(
        f"{output} already contains a sweep; continue it with resume or choose another output_dir "
        f"(for example {output}_2)"
    )


def test_there_must_be_something_to_resume(sweep, output):
    with pytest.raises(SweepConfigError, match=r"does not contain a sweep; remove resume to start one there"):
        sweep(resume=True)
    assert not output.exists()


@pytest.mark.parametrize("options", [{"keep_checkpoints": ""}, {"project_name": ""}])
def test_what_is_empty_was_given_and_is_refused(sweep, broken_off, options):
    with pytest.raises(SweepConfigError, match="''"):
        sweep(resume=True, **options)


class TestOtherSettings:
    """What happens to a sweep that goes on with settings that it was not begun with."""

    def test_every_difference_is_named_and_the_ways_on(self, sweep, broken_off):
        other = {**CONFIG, "parameters": {"x": {"min": 0.0, "max": 0.5}, "y": {"value": 1}}}
        with pytest.raises(SweepConfigError) as caught:
            sweep(config=other, seed=1, resume=True, record={"model_name": "other"})
        message = str(caught.value)
        assert "parameters.x.max was 1.0, now 0.5" in message
        assert 'parameters.y was "absent"' in message
        assert "seed was 42, now 1" in message
        assert 'model_name was "absent", now "other"' in message
        assert "add allow_config_change to continue with the new ones" in message

    def test_it_goes_on_with_them_where_that_is_allowed(self, sweep, broken_off, output):
        other = {**CONFIG, "parameters": {"x": {"min": 2.0, "max": 3.0}}}
        result = sweep(config=other, resume=True, allow_config_change=True)
        assert [trial.parameters["x"] >= 2.0 for trial in result.trials] == [False] * 3 + [True] * 4
        assert [trial.number for trial in result.trials if not trial.is_counted] == [2]  # no point of the new space
        assert read_json(output / "sweep.json")["config"]["parameters"]["x"]["max"] == 3.0
        assert len(read_json(output / "sweep.json")["resumed"]) == 1

    def test_values_of_another_metric_are_never_compared(self, sweep, broken_off):
        other = {**CONFIG, "metric": {"name": "score", "goal": "minimize"}}
        with pytest.raises(SweepConfigError, match="their values cannot be compared, so choose another output_dir"):
            sweep(config=other, resume=True, allow_config_change=True)


class TestBetweenTwoWrites:
    """A kill between any two writes changes nothing."""

    @pytest.fixture
    def entry(self, sweep, output):
        """A finished sweep, and what its last entry has in the journal."""
        sweep()
        storage = open_journal(output)
        study = storage.get_study_id_from_name(read_json(output / "sweep.json")["sweep_id"])
        return storage.get_all_trials(study)[BUDGET - 1]

    def cut_journal(self, output, entry, keep):
        """Cut the journal off before what was written of the entry after `keep` things."""
        lines = (output / "journal.log").read_text().splitlines(keepends=True)
        own = [n for n, line in enumerate(lines) if json.loads(line).get("trial_id") == entry._trial_id]
        [made] = [n for n, line in enumerate(lines) if json.loads(line)["op_code"] == 4][entry.number :][:1]
        cut = [made + 1, *(n + 1 for n in own)][keep]
        ours, dead = f"/{os.getpid()}/", "/999999999/"  # as if another process, now dead, had made the entry
        (output / "journal.log").write_text("".join(lines[:cut]).replace(ours, dead))

    def test_a_trial_that_the_journal_does_not_know_the_end_of_is_adopted(self, sweep, output, entry):
        for keep in (1, 2):  # its record as it began; its record as it ended
            self.cut_journal(output, entry, keep)
            result = sweep(lambda parameters, report: pytest.fail("trained again"), resume=True)
            assert [trial.attempt for trial in result.trials] == [1] * BUDGET

    def test_a_finished_trial_that_the_journal_does_not_know_is_adopted(self, sweep, output, entry):
        self.cut_journal(output, entry, 0)
        result = sweep(lambda parameters, report: pytest.fail("trained again"), resume=True)
        assert [trial.number for trial in result.trials] == list(range(BUDGET))
        assert {trial.state for trial in result.trials} == {"completed"}
        assert len(records(output)) == BUDGET

    def test_scratch_files_are_removed(self, sweep, output, broken_off):
        written = f".best_sweep_config.json.{uuid4().hex}.tmp", f".sweep.json.{uuid4().hex}.tmp"
        scratch = [output / name for name in written]
        scratch.append(next(output.glob("sweep_*/")) / f".trial.json.{uuid4().hex}.tmp")
        for path in scratch:
            path.touch()
        sweep(resume=True)
        assert [path for path in scratch if path.exists()] == []

    def test_a_sweep_that_was_killed_before_its_journal_was_made_begins_it(self, sweep, output):
        sweep(sweep_count=1)
        (output / "journal.log").unlink()
        assert len(sweep(resume=True, sweep_count=BUDGET).trials) == BUDGET

    def test_a_sweep_that_was_killed_before_its_study_was_made_begins_it(self, sweep, output):
        sweep(sweep_count=1)
        (output / "journal.log").write_text("")
        assert len(sweep(resume=True).trials) == BUDGET

    def test_what_is_no_record_of_a_sweep_is_said_to_be_none(self, sweep, output):
        sweep()
        (output / "sweep.json").write_text("[]")
        with pytest.raises(SweepConfigError, match=r"sweep\.json must be the record of a sweep, got something else"):
            sweep(resume=True)

    def test_a_journal_of_which_nobody_knows_what_it_is_of_is_refused(self, sweep, output):
        sweep()
        (output / "sweep.json").unlink()
        with pytest.raises(SweepConfigError, match=r"contains a journal without its sweep\.json"):
            sweep(resume=True)


PROGRAM = """
import sys, time
from bertnado_sweep import run_sweep
from support.trainers import CurveTrainer

if __name__ == "__main__":
    run_sweep(
        CurveTrainer(shares=(0.5, 1.0), pause=0.02), {config!r}, output_dir={output!r}, backend="local",
        workers=int(sys.argv[1]), sweep_count={budget}, resume="resume" in sys.argv,
    )
"""


@pytest.fixture
def start(output, tmp_path):
    """Start the sweep in a process of its own."""
    script = tmp_path / "script.py"

    def run(workers, budget, resume):
        script.write_text(PROGRAM.format(config=CONFIG, output=str(output), budget=budget))
        path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        words = [sys.executable, str(script), str(workers), *(["resume"] if resume else [])]
        return subprocess.Popen(
            words, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    return run


def descendants(process):
    import psutil

    try:
        return [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def kill_somebody(process, rng, workers):
    """Kill everything, the parent, or one worker."""
    pids = descendants(process)
    victims = pids if workers == 1 else rng.choice([pids, pids[:1], pids[-1:]])
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def go_through_kills(start, output, *, kills, workers, budget, seed):
    """Kill a sweep at random moments, resuming it each time, until it is done."""
    rng, killed = random.Random(seed), 0
    while True:
        process = start(workers, budget, resume=output.joinpath("sweep.json").exists())
        while killed < kills and process.poll() is None:
            time.sleep(rng.uniform(0.0, 2.0))
            kill_somebody(process, rng, workers)
            killed += 1
        _, said = process.communicate(timeout=120)
        if process.returncode == 0:
            return
        assert process.returncode in (-signal.SIGKILL, 1), said


def check_that_nothing_was_lost(output, budget):
    storage = open_journal(output)
    sweep_id = read_json(output / "sweep.json")["sweep_id"]
    entries = storage.get_all_trials(storage.get_study_id_from_name(sweep_id))
    assert all(entry.state.is_finished() for entry in entries)
    last = {}
    for record in sorted(records(output), key=lambda record: record["attempt"]):
        last.setdefault(record["number"], []).append(record)
    assert sorted(last) == list(range(budget))
    for attempts in last.values():
        assert [record["state"] for record in attempts[:-1]] == ["interrupted"] * (len(attempts) - 1)
        assert attempts[-1]["state"] in ("completed", "failed")
        assert [record["attempt"] for record in attempts] == list(range(1, len(attempts) + 1))
        assert len({record["parameters"]["x"] for record in attempts}) == 1
    ended = [attempts[-1] for attempts in last.values() if attempts[-1]["state"] == "completed"]
    assert len({record["parameters"]["x"] for record in ended}) == len(ended)
    best = max(ended, key=lambda record: record["value"])
    assert read_best_config(output / "best_sweep_config.json").parameters["x"] == best["parameters"]["x"]
    assert read_json(output / "best_sweep_details.json")["trial"] == best["id"]
    assert list(output.rglob("*.tmp")) == []


@pytest.mark.parametrize(("workers", "seed"), [pytest.param(1, 0, marks=pytest.mark.slow), (2, 1)])
def test_kills_at_random_moments_change_nothing(start, output, workers, seed):
    go_through_kills(start, output, kills=4, workers=workers, budget=40, seed=seed)
    check_that_nothing_was_lost(output, 40)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_fifty_kills_at_random_moments_change_nothing(start, output, seed):
    go_through_kills(start, output, kills=50, workers=1 + seed % 2 * 2, budget=200, seed=seed)
    check_that_nothing_was_lost(output, 200)
