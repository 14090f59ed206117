"""A sweep whose search space is changed goes on in another study, and is one sweep all the same."""

import signal
import subprocess
import sys
import threading

import optuna
import pytest
from bertnado_config import read_best_config, read_json
from bertnado_sweep import recorded_status, run_sweep
from bertnado_sweep.backends.local.storage import open_storage
from support.machines import end, hear
from support.trainers import CurveTrainer

CHOICES = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}, "kind": {"values": ["a", "b"]}},
}
MORE_CHOICES = CHOICES | {
    "parameters": {"x": {"distribution": "log_uniform_values", "min": 2.0, "max": 3.0}, "kind": {"values": ["c", "d"]}}
}
BUDGET = 6


@pytest.fixture
def output(tmp_path):
    return tmp_path / "sweep"


@pytest.fixture(params=["journal", "postgresql"])
def url(request):
    """The database, and `None` for a journal."""
    return request.getfixturevalue("database") if request.param == "postgresql" else None


@pytest.fixture
def sweep(output, url):
    def run(train=lambda parameters, report: parameters["x"], config=CHOICES, **options):
        where = {"backend": "local"} if url is None else {"storage": url, "study": "promoters"}
        given = {"output_dir": output, "sweep_count": BUDGET, "resume": (output / "sweep.json").exists()}
        return run_sweep(train, config, **where | given | options)

    return run


@pytest.fixture
def broken_off(sweep):
    """A sweep that was interrupted in its third trial."""
    seen = []

    def train(parameters, report):
        seen.append(parameters)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return parameters["x"]

    with pytest.raises(KeyboardInterrupt):
        sweep(train)
    return seen


def studies(output, url):
    """Each study of the sweep, by name: the parameters and states of its entries."""
    storage = open_storage(output, url)
    return {
        name: [
            (entry.state.name, entry.params)
            for entry in optuna.load_study(study_name=name, storage=storage).trials
            if "trial" in entry.user_attrs
        ]
        for name in optuna.get_all_study_names(storage)
    }


def flat(trials):
    return [("COMPLETE", trial.parameters) for trial in trials]


class TestAChangedSpace:
    """`--resume --allow-config-change` with other choices, kinds and scales."""

    def test_it_begins_a_study_and_every_trial_counts(self, sweep, broken_off, output, url):
        result = sweep(config=MORE_CHOICES, allow_config_change=True)
        assert [trial.number for trial in result.trials] == list(range(BUDGET + 1))
        assert [trial.state for trial in result.trials if trial.number != 2] == ["completed"] * BUDGET
        left = result.trials[2]  # the new space does not contain it
        assert (left.state, left.attempt, left.parameters) == ("interrupted", 1, broken_off[2])
        first = "promoters" if url else result.sweep_id
        assert studies(output, url) == {
            first: [*flat(result.trials[:2]), ("FAIL", broken_off[2])],
            f"{first}-2": flat(result.trials[3:]),
        }
        named = read_json(output / "sweep.json")["studies"]
        assert [study["name"] for study in named] == [first, f"{first}-2"]
        assert [study["parameters"]["kind"]["values"] for study in named] == [["a", "b"], ["c", "d"]]
        best = max((trial for trial in result.trials if trial.value is not None), key=lambda trial: trial.value)
        assert read_best_config(output / "best_sweep_config.json").parameters == best.parameters
        assert recorded_status(output, storage=url).trials == result.trials

    def test_an_interrupted_trial_that_both_spaces_contain_is_repeated_in_its_own_study(
        self, sweep, broken_off, output, url
    ):
        wider = CHOICES | {"parameters": {"x": {"min": -1.0, "max": 1.0}, "kind": {"values": ["a", "b", "c"]}}}
        result = sweep(config=wider, allow_config_change=True)
        assert [(trial.attempt, trial.state) for trial in result.trials] == [
            (1 + (number == 2), "completed") for number in range(BUDGET)
        ]
        first, second = studies(output, url).values()
        assert first == [*flat(result.trials[:2]), ("FAIL", broken_off[2]), ("COMPLETE", broken_off[2])]
        assert second == flat(result.trials[3:])

    def test_a_sweep_that_is_done_is_done(self, sweep, output, url):
        first = sweep()
        again = sweep(lambda parameters, report: pytest.fail("trained"), MORE_CHOICES, allow_config_change=True)
        assert again.trials == first.trials
        assert sweep(config=None).trials == first.trials

    def test_another_change_begins_another_study_and_the_same_space_none(self, sweep, output, url):
        sweep(sweep_count=2)
        sweep(config=MORE_CHOICES, sweep_count=3, allow_config_change=True)
        sweep(config=None, sweep_count=4)
        sweep(sweep_count=5, allow_config_change=True)
        result = sweep(sweep_count=6, seed=7, allow_config_change=True)
        assert [len(entries) for entries in studies(output, url).values()] == [2, 2, 2]
        assert [trial.number for trial in result.trials] == list(range(6))

    def test_true_and_1_are_different_choices(self, sweep, output, url):
        def train(parameters, report):
            return 1.0

        one = CHOICES | {"parameters": {"x": {"min": 0.0, "max": 1.0}, "flag": {"values": [1, 0]}}}
        sweep(train, one, sweep_count=1)
        true = CHOICES | {"parameters": {"x": {"min": 0.0, "max": 1.0}, "flag": {"values": [True, False]}}}
        sweep(train, true, sweep_count=2, allow_config_change=True)
        [first], [second] = studies(output, url).values()
        assert type(first[1]["flag"]) is int
        assert type(second[1]["flag"]) is bool

    @pytest.mark.parametrize("sweep_count", [4, 14])
    def test_a_model_leaves_out_the_trials_of_the_old_space(self, sweep, output, url, sweep_count):
        sweep(config=CHOICES | {"method": "bayes"}, sweep_count=sweep_count)
        more = {"parameters": MORE_CHOICES["parameters"] | {"layers": {"min": 1, "max": 4}}, "method": "bayes"}
        result = sweep(config=CHOICES | more, sweep_count=20, allow_config_change=True)
        assert {trial.state for trial in result.trials} == {"completed"}
        assert all(2.0 <= trial.parameters["x"] <= 3.0 for trial in result.trials[sweep_count:])

    def test_a_name_that_is_taken_is_left_out(self, sweep, broken_off, output, url):
        first = "promoters" if url else read_json(output / "sweep.json")["sweep_id"]
        optuna.create_study(study_name=f"{first}-2", storage=open_storage(output, url))
        result = sweep(config=MORE_CHOICES, allow_config_change=True)
        assert [trial.number for trial in result.trials] == list(range(BUDGET + 1))
        named = [study["name"] for study in read_json(output / "sweep.json")["studies"]]
        assert named == [first, f"{first}-3"]

    def test_each_study_can_be_analysed(self, sweep, output, url):
        sweep(sweep_count=5)
        sweep(config=MORE_CHOICES, sweep_count=10, allow_config_change=True)
        storage = open_storage(output, url)
        for name in optuna.get_all_study_names(storage):
            study = optuna.load_study(study_name=name, storage=storage)
            assert optuna.importance.get_param_importances(study).keys() == {"x", "kind"}
            assert study.best_value == max(trial.value for trial in study.trials if trial.value is not None)


class TestSeveralMachines:
    """What becomes of those that work with the old space."""

    @pytest.mark.slow
    def test_a_process_that_works_with_the_old_space_ends_and_nothing_is_lost_or_done_twice(self, machine, output):
        options = {"output_dir": output, "pause": 0.5}
        first = machine(config=CHOICES, backend="local", sweep_count=24, **options)
        hear(first, "TrialStarted", 2)
        second = machine(
            config=MORE_CHOICES, backend="local", resume=True, allow_config_change=True, sweep_count=24, **options
        )
        told = end(first)
        end(second)
        trials = recorded_status(output).trials
        assert [(trial.number, trial.attempt, trial.state) for trial in trials] == [
            (number, 1, "completed") for number in range(24)
        ]
        is_old = [trial.parameters["kind"] in "ab" for trial in trials]
        assert is_old == sorted(is_old, reverse=True)
        assert 2 <= sum(is_old) < 24
        sweep_id = read_json(output / "sweep.json")["sweep_id"]
        assert "another process, which changed the search space, ended the sweep after" in told
        assert f"of 24 trials; it goes on in study '{sweep_id}-2', and --join works on it" in told

    def test_another_machine_joins_by_any_of_the_names(self, database, tmp_path):
        options = {"storage": database, "study": "promoters"}
        run_sweep(CurveTrainer(), CHOICES, output_dir=tmp_path / "a", sweep_count=2, **options)
        changed = run_sweep(
            CurveTrainer(),
            MORE_CHOICES,
            output_dir=tmp_path / "a",
            sweep_count=4,
            resume=True,
            allow_config_change=True,
            **options,
        )
        for number, study in enumerate(["promoters", "promoters-2"]):
            joined = run_sweep(
                CurveTrainer(), None, output_dir=tmp_path / f"b{number}", storage=database, study=study, join=True
            )
            assert [trial.value for trial in joined.trials] == [trial.value for trial in changed.trials]

    def test_two_that_change_the_space_at_once_agree(self, tmp_path, database):
        options = {"storage": database, "study": "promoters", "sweep_count": 8, "allow_config_change": True}
        run_sweep(CurveTrainer(), CHOICES, output_dir=tmp_path / "a", **options | {"sweep_count": 2})
        ends = []

        def go_on(name):
            ends.append(run_sweep(CurveTrainer(), MORE_CHOICES, output_dir=tmp_path / name, **options))

        threads = [threading.Thread(target=go_on, args=[name]) for name in "bc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [[trial.number for trial in result.trials] for result in ends] == [list(range(8))] * 2
        found = {name: len(entries) for name, entries in studies(tmp_path, database).items()}
        assert {name: count for name, count in found.items() if count} == {"promoters": 2, "promoters-2": 6}


KILLED = """
import os, signal, sys
from bertnado_sweep import run_sweep
from bertnado_sweep.backends.local import journal, storage, studies
from optuna.storages import RDBStorage

output, where, url = sys.argv[1:]
count = 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def kill_within(real, is_meant):
    def call(self, *arguments):
        global count
        count += is_meant(arguments)
        if count == 3:
            die()
        return real(self, *arguments)
    return call

def kill_after_three_parameters(self, logs):
    global count
    count += len(logs) > 1 and logs[0]["op_code"] == 5
    if count == 3:
        append(self, logs[:3])
        die()
    append(self, logs)

append = journal._File.append_logs
if where == "parameters" and url:
    RDBStorage._set_trial_param = kill_within(RDBStorage._set_trial_param, lambda arguments: True)
elif where == "parameters":
    journal._File.append_logs = kill_after_three_parameters
else:
    studies.share = lambda *arguments: die()
options = {{"storage": url, "study": "promoters"}} if url else {{"backend": "local"}}
run_sweep(lambda parameters, report: parameters["x"], {config!r}, output_dir=output, sweep_count=4,
          resume=os.path.exists(output + "/sweep.json"), allow_config_change=True, **options)
"""
FOUR = CHOICES | {"parameters": {name: {"min": 0.0, "max": 1.0} for name in "xyzw"}}


class TestKills:
    """A process that is killed between two writes leaves nothing that anybody waits for or counts twice."""

    @pytest.fixture
    def killed(self, output, url):
        def run(where, config):
            program = KILLED.format(config=config)
            process = subprocess.run([sys.executable, "-c", program, str(output), where, url or ""], check=False)
            assert process.returncode == -signal.SIGKILL

        return run

    def test_between_a_trials_parameters_and_its_record(self, killed, sweep, output, url):
        """In PostgreSQL each parameter is a transaction; of an append to a journal only a part may reach the disk."""
        killed("parameters", FOUR)
        result = sweep(config=FOUR, sweep_count=4)
        assert [(trial.number, trial.state) for trial in result.trials] == [
            (number, "completed") for number in range(4)
        ]
        assert len({trial.parameters["x"] for trial in result.trials}) == 4
        [name] = optuna.get_all_study_names(open_storage(output, url))
        entries = optuna.load_study(study_name=name, storage=open_storage(output, url)).trials
        [withdrawn] = [entry for entry in entries if "trial" not in entry.user_attrs]
        assert (withdrawn.state.name, len(withdrawn.params)) == ("FAIL", 2 if url else 3)
        done = [entry.params for entry in entries if entry.state.name == "COMPLETE"]
        assert sorted(done, key=str) == sorted((trial.parameters for trial in result.trials), key=str)
        assert all(len(entry.params) == 4 for entry in entries if entry is not withdrawn)

    def test_between_the_next_study_and_the_end_of_the_last(self, killed, sweep, output, url):
        sweep(sweep_count=2)
        killed("study", MORE_CHOICES)
        result = sweep(config=MORE_CHOICES, sweep_count=4, allow_config_change=True)
        assert [trial.number for trial in result.trials] == list(range(4))
        assert [len(entries) for entries in studies(output, url).values()] == [2, 0, 2]
        assert sweep(config=None, sweep_count=None).trials == result.trials


class TestRepair:
    """A journal with several studies is repaired like any other."""

    @pytest.fixture
    def url(self):
        return None

    @pytest.fixture
    def done(self, sweep, broken_off):
        return sweep(config=MORE_CHOICES, allow_config_change=True).trials

    def completed(self, output):
        return {
            name: sorted(str(params) for state, params in entries if state == "COMPLETE")
            for name, entries in studies(output, None).items()
        }

    @pytest.mark.parametrize("how", ["gone", "emptied", "cut in half", "a line is damaged"])
    def test_each_trial_returns_to_a_study_of_its_space(self, done, sweep, output, how):
        journal, before = output / "journal.log", self.completed(output)
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.unlink()
        if how == "a line is damaged":
            journal.write_bytes(b"".join([*lines[:4], b"nonsense\n", *lines[5:]]))
        elif how != "gone":
            journal.write_bytes(b"".join(lines[: len(lines) // 2]) if how == "cut in half" else b"")
        result = sweep(lambda parameters, report: pytest.fail("trained"), config=None)
        assert result.trials == done
        assert self.completed(output) == before
        again = sweep(config=None, sweep_count=BUDGET + 1).trials
        assert sum(trial.is_counted for trial in again) == BUDGET + 1

    def test_a_trial_with_a_parameter_that_was_removed_returns_to_the_study_that_has_it(self, sweep, output):
        sweep(sweep_count=2)
        sweep(config=CHOICES | {"parameters": {"x": {"min": 0.0, "max": 1.0}}}, sweep_count=4, allow_config_change=True)
        before = self.completed(output)
        (output / "journal.log").unlink()
        sweep(config=None, sweep_count=4)
        assert self.completed(output) == before
        assert [len(params) for params in before.values()] == [2, 2]

    def test_a_damaged_sweep_json_is_rewritten_from_it(self, done, sweep, output):
        record = read_json(output / "sweep.json")
        (output / "sweep.json").write_text("{")
        assert sweep(config=None).trials == done
        assert read_json(output / "sweep.json")["studies"] == record["studies"]
