"""One sweep on several machines: a shared directory or a database, leases, a budget that is everybody's."""

import json
import os
import signal
import socket
import time

import pytest
from bertnado_config import SweepConfigError, TrialResult, read_best_config, read_json
from bertnado_sweep import plan_sweep, recorded_status, run_plan, run_sweep
from bertnado_sweep.backends.local.journal import open_journal
from bertnado_sweep.running.events import Note
from support.machines import end, hear, needs_names
from support.trainers import CurveTrainer

CONFIG = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}


@pytest.fixture
def output(tmp_path):
    return tmp_path / "sweep"


def numbers(trials):
    return [trial.number for trial in trials]


class TestJoin:
    """Working on a sweep in a directory that others see as well."""

    def test_everything_is_taken_from_the_record(self, output):
        first = run_sweep(
            CurveTrainer(), CONFIG, output_dir=output, backend="local", sweep_count=2, seed=7, record={"model": "m"}
        )
        heard = []
        joined = run_sweep(CurveTrainer(), None, output_dir=output, join=True, observer=heard.append)
        assert joined.trials == first.trials
        assert heard[0].budget == 2
        assert read_json(output / "sweep.json")["resumed"] == []

    def test_a_database_that_is_named_for_other_sweeps_is_left_alone(self, output):
        first = run_sweep(CurveTrainer(), CONFIG, output_dir=output, backend="local", sweep_count=1)
        elsewhere = "postgresql://nobody@127.0.0.1:1/sweeps"
        assert run_sweep(CurveTrainer(), None, output_dir=output, join=True, storage=elsewhere).trials == first.trials
        assert recorded_status(output, storage=elsewhere).trials == first.trials

    def test_there_must_be_something_to_join(self, output):
        with pytest.raises(SweepConfigError, match=r"sweep does not contain a sweep; start one there, or wait"):
            run_sweep(CurveTrainer(), None, output_dir=output, join=True)

    def test_several_never_run_more_than_the_budget(self, machine, output):
        options = {"output_dir": output, "pause": 0.05}
        first = machine(config=CONFIG, backend="local", sweep_count=12, **options)
        hear(first, "TrialStarted")
        others = [machine(join=True, **options) for _ in range(2)]
        for process in (first, *others):
            end(process)
        trials = recorded_status(output).trials
        assert numbers(trials) == list(range(12))
        assert {trial.state for trial in trials} == {"completed"}
        assert len(list(output.glob("sweep_*/"))) == 12


class TestLeases:
    """What becomes of a trial whose worker is not heard of any more."""

    @needs_names
    def test_a_trial_of_a_machine_that_vanished_is_taken_over_after_the_lease(self, machine, output):
        lost = machine("elsewhere", config=CONFIG, backend="local", sweep_count=3, output_dir=output, pause=60)
        hear(lost, "TrialStarted")
        os.killpg(lost.pid, signal.SIGKILL)
        end(machine(join=True, output_dir=output, lease=1.5))
        trials = recorded_status(output).trials
        assert [(trial.number, trial.attempt, trial.state) for trial in trials] == [
            (0, 2, "completed"),
            (1, 1, "completed"),
            (2, 1, "completed"),
        ]
        assert {trial.host for trial in trials} == {socket.gethostname()}

    @needs_names
    @pytest.mark.slow
    def test_a_trial_of_a_machine_that_lives_is_not(self, machine, output):
        slow = machine("elsewhere", config=CONFIG, backend="local", sweep_count=2, output_dir=output, pause=8, lease=2)
        hear(slow, "TrialStarted")
        end(machine(join=True, output_dir=output, lease=2))
        end(slow)
        trials = recorded_status(output).trials
        assert [(trial.attempt, trial.state) for trial in trials] == [(1, "completed")] * 2
        assert trials[0].host == "elsewhere"

    @needs_names
    @pytest.mark.slow
    def test_a_machine_that_was_taken_for_gone_gives_its_trial_up(self, machine, output):
        asleep = machine(
            "elsewhere", config=CONFIG, backend="local", sweep_count=1, output_dir=output, pause=4, lease=1
        )
        hear(asleep, "TrialStarted")
        os.killpg(asleep.pid, signal.SIGSTOP)
        end(machine(join=True, output_dir=output, lease=1))
        os.killpg(asleep.pid, signal.SIGCONT)
        end(asleep)
        [trial] = recorded_status(output).trials
        assert (trial.attempt, trial.state, trial.host) == (2, "completed", socket.gethostname())
        states = sorted((read_json(path)["attempt"], read_json(path)["state"]) for path in output.glob("*/trial.json"))
        assert states == [(1, "interrupted"), (2, "completed")]

    def test_what_a_process_of_this_machine_left_is_taken_over_at_once(self, machine, output):
        lost = machine(config=CONFIG, backend="local", sweep_count=2, output_dir=output, pause=60)
        hear(lost, "TrialStarted")
        os.killpg(lost.pid, signal.SIGKILL)
        lost.wait()
        begin = time.monotonic()
        result = run_sweep(CurveTrainer(), None, output_dir=output, join=True)
        assert [trial.attempt for trial in result.trials] == [2, 1]
        assert time.monotonic() - begin < 30  # half of the lease


class TestDatabase:
    """A sweep in PostgreSQL: each machine has an output directory of its own."""

    def test_a_sweep_is_recorded_there_and_joined_by_its_name(self, database, tmp_path):
        (tmp_path / "sweep.json").write_text(json.dumps(CONFIG))
        options = {"storage": database, "study": "promoters", "sweep_count": 3}
        first = run_sweep(CurveTrainer(), tmp_path / "sweep.json", output_dir=tmp_path / "a", **options)
        second = run_sweep(
            CurveTrainer(), None, output_dir=tmp_path / "b", storage=database, study="promoters", join=True
        )
        assert [trial.value for trial in second.trials] == [trial.value for trial in first.trials]
        assert second.sweep_id == first.sweep_id
        best = [read_best_config(tmp_path / name / "best_sweep_config.json").parameters for name in "ab"]
        assert best[0] == best[1] == first.best.parameters
        details = read_json(tmp_path / "b" / "best_sweep_details.json")
        assert details["host"] == socket.gethostname()
        assert details["directory"] == str(first.best.directory)

    def test_a_name_that_is_there_already_goes_on_and_the_settings_must_be_the_same(self, database, tmp_path):
        options = {"storage": database, "study": "promoters", "sweep_count": 2}
        run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "a", **options)
        again = run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "b", **options | {"sweep_count": 3})
        assert numbers(again.trials) == [0, 1, 2]
        with pytest.raises(SweepConfigError, match="seed was 42, now 1"):
            run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "c", seed=1, **options)

    def test_of_two_machines_that_begin_one_name_at_once_the_other_can_join(self, database, tmp_path):
        options = {"storage": database, "study": "promoters", "sweep_count": 2}
        late = plan_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "b", **options)
        first = run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "a", **options)
        with pytest.raises(SweepConfigError, match="another machine has just started 'promoters'; run the same"):
            run_plan(late)
        assert not (tmp_path / "b" / "sweep.json").exists()
        assert run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "b", **options).trials == first.trials

    def test_an_unknown_name_is_said_with_the_nearest(self, database, tmp_path):
        run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "a", storage=database, study="promoters", sweep_count=1)
        with pytest.raises(SweepConfigError, match=r"study 'promoter' was not found at .*; did you mean 'promoters'\?"):
            run_sweep(CurveTrainer(), None, output_dir=tmp_path / "b", storage=database, study="promoter", join=True)

    def test_the_output_directory_resumes_and_shows_it(self, database, tmp_path):
        result = run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "a", storage=database, sweep_count=2)
        resumed = run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "a", resume=True, sweep_count=3)
        assert numbers(resumed.trials) == [0, 1, 2]
        assert resumed.sweep_id == result.sweep_id
        assert recorded_status(tmp_path / "a").trials == resumed.trials

    def test_a_password_is_written_nowhere(self, database, tmp_path):
        heard = []
        secret = database.replace("sweeper@", "sweeper:tulip@")
        run_sweep(
            CurveTrainer(), CONFIG, output_dir=tmp_path / "a", storage=secret, sweep_count=1, observer=heard.append
        )
        assert "tulip" not in str(heard)
        written = [path for path in (tmp_path / "a").rglob("*") if path.is_file() and b"tulip" in path.read_bytes()]
        assert written == []
        with pytest.raises(SweepConfigError, match="pass storage with its password"):
            run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "a", resume=True)
        assert run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "a", resume=True, storage=secret, sweep_count=1)

    def test_machines_that_call_themselves_and_their_directories_alike_keep_their_own_weights(self, database, tmp_path):
        def train(parameters, report):
            checkpoint = report.directory / "checkpoint"
            checkpoint.mkdir()
            (checkpoint / "weights").write_text(str(parameters["x"]))
            return TrialResult(parameters["x"], step=1, checkpoint=checkpoint)

        grid = {**CONFIG, "method": "grid", "parameters": {"x": {"values": [9, 8, 1, 3, 2]}}}
        options = {"storage": database, "study": "s", "output_dir": tmp_path / "a"}
        run_sweep(train, grid, sweep_count=2, **options)
        (tmp_path / "a").rename(tmp_path / "disk of the first machine")
        run_sweep(train, grid, sweep_count=5, **options)
        kept = {
            name: [path.read_text() for path in (tmp_path / name).glob("sweep_*/checkpoint/weights")]
            for name in ("disk of the first machine", "a")
        }
        assert kept == {"disk of the first machine": ["9"], "a": ["3"]}
        assert read_best_config(tmp_path / "a" / "best_sweep_config.json").parameters == {"x": 9}

    @needs_names
    def test_each_machine_keeps_its_own_best_checkpoint_and_the_best_config_is_everybodys(
        self, machine, database, tmp_path
    ):
        shared = {"storage": database, "study": "s", "pause": 0.3}
        first = machine("one", config=CONFIG, output_dir=tmp_path / "a", sweep_count=8, **shared)
        hear(first, "TrialStarted")
        second = machine("two", join=True, output_dir=tmp_path / "b", **shared)
        os.killpg(first.pid, signal.SIGSTOP)  # so that the other comes to a trial
        hear(second, "TrialStarted")
        os.killpg(first.pid, signal.SIGCONT)
        end(first)
        end(second)
        trials = recorded_status(tmp_path / "a").trials
        assert numbers(trials) == list(range(8))
        assert {trial.host for trial in trials} == {"one", "two"}
        best = max(trials, key=lambda trial: trial.value)
        for name in "ab":
            assert read_best_config(tmp_path / name / "best_sweep_config.json").parameters == best.parameters

    def test_a_server_that_does_not_answer_is_said_before_anything_starts(self, tmp_path):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # nobody listens there
            url = f"postgresql://sweeper:tulip@127.0.0.1:{taken.getsockname()[1]}/sweeps"
            with pytest.raises(SweepConfigError, match=r"storage: .*:\*\*\*@.* cannot be used") as caught:
                run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "a", storage=url)
        assert "tulip" not in str(caught.value)
        assert not (tmp_path / "a").exists()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"storage": "no url"}, "storage must be the URL of a database"),
            ({"study": "promoters", "join": True}, "study requires storage"),
            ({"study": "promoters"}, "study requires storage"),
            ({"storage": "sqlite://", "backend": "wandb"}, "storage requires backend local or auto, got wandb"),
        ],
    )
    def test_mistakes_are_said(self, tmp_path, options, message):
        with pytest.raises(SweepConfigError, match=message):
            run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "a", **options)

    def test_an_odd_name_is_refused(self, database, tmp_path):
        with pytest.raises(SweepConfigError, match="study must be 1 to 64 letters, digits, '-' or '_', got 'a b'"):
            run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "a", storage=database, study="a b")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_eight_workers_and_five_hundred_trials(kind, request, output):
    storage = request.getfixturevalue("database") if kind == "postgresql" else None
    notes = []

    def listen(event):
        notes.extend([event.text] if isinstance(event, Note) else [])

    result = run_sweep(
        CurveTrainer(shares=(1.0,)),
        CONFIG,
        output_dir=output,
        backend="local",
        storage=storage,
        workers=8,
        sweep_count=500,
        observer=listen,
    )
    assert numbers(result.trials) == list(range(500))
    assert {(trial.state, trial.attempt) for trial in result.trials} == {("completed", 1)}
    assert len({trial.parameters["x"] for trial in result.trials}) == 500
    assert len(list(output.glob("sweep_*/"))) == 500
    assert notes == []
    if storage is None:
        journal = open_journal(output)
        entries = journal.get_all_trials(journal.get_study_id_from_name(result.sweep_id))
        assert all(entry.state.is_finished() for entry in entries)
