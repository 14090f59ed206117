"""A true sweep at W&B: it is made of the person's file, W&B's agents hand out its trials, and its best is ours.

The client is the unmodified one; what it talks to is `bertnado_sweep.testing.wandb_server`.
"""

import json
import math
import os
import signal
import time

import pytest
from bertnado_config import SweepConfigError, TrialResult, read_best_config
from bertnado_sweep import Interrupted, NoEligibleTrialError, TooManyFailuresError, run_sweep
from bertnado_sweep.running.events import Note, SweepStarted, TrialEvaluated, TrialStarted
from bertnado_sweep.testing.wandb_server import ENTITY, KEY
from support.trainers import CurveTrainer, SavingTrainer

GRID = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 2, 3]}, "optimizer": {"parameters": {"beta": {"value": 0.9}}}},
}


@pytest.fixture
def sweep(server, tmp_path):
    """`run_sweep` at W&B, with what it tells kept in `sweep.heard`."""

    def run(config=GRID, trainer=None, observer=None, **arguments):
        def listen(event):
            run.heard.append(event)
            if observer is not None:
                observer(event)

        places = {"output_dir": tmp_path / "sweep", "backend": "wandb", "project_name": "dna", "group": "task"}
        return run_sweep(trainer or CurveTrainer(), config, observer=listen, **(places | arguments))

    run.heard = []
    return run


def made(server):
    """The one sweep that was made."""
    (only,) = server.sweeps.values()
    return only


def notes(heard):
    return [event.text for event in heard if isinstance(event, Note)]


# the sweep


def test_wandb_gets_the_persons_file_with_numbers_bounds_distributions_and_the_metric_put_right(sweep, server):
    config = {
        "$schema": "sweep_config.schema.json",
        "name": "promoters",
        "description": "what for",
        "method": "random",
        "metric": {"name": "score", "goal": "maximize"},
        "run_cap": 2,
        "early_terminate": {"type": "hyperband", "min_iter": 3},
        "parameters": {"x": {"min": "1e-3", "max": 1}, "size": {"values": ["16", 32]}, "n": {"min": 1, "max": 9}},
    }
    sweep(config)
    assert made(server).config == {
        "name": "promoters",
        "description": "what for",
        "method": "random",
        "metric": {"name": "score", "goal": "maximize"},
        "run_cap": 2,
        "early_terminate": {"type": "hyperband", "min_iter": 3},
        "parameters": {
            "x": {"min": 0.001, "max": 1.0, "distribution": "uniform"},
            "size": {"values": [16, 32], "distribution": "categorical"},
            "n": {"min": 1, "max": 9, "distribution": "int_uniform"},
        },
    }
    assert (made(server).project, made(server).entity) == ("dna", ENTITY)


def test_a_sweep_without_a_name_is_named_after_project_task_and_time(sweep, server):
    sweep(sweep_count=1)
    assert made(server).config["name"].startswith("dna task 20")


@pytest.mark.parametrize(
    ("named", "declared", "environment", "project"),
    [
        ("flag", "file", "variable", "flag"),
        (None, "file", "variable", "file"),
        (None, None, "variable", "variable"),
        (None, None, None, "bertnado"),
    ],
)
def test_the_project_is_the_one_named_nearest(sweep, server, monkeypatch, named, declared, environment, project):
    if environment is not None:
        monkeypatch.setenv("WANDB_PROJECT", environment)
    config = GRID if declared is None else GRID | {"project": declared}
    sweep(config, sweep_count=1, project_name=named)
    assert made(server).project == project
    assert [run.project for run in server.runs.values()] == [project]


def test_the_entity_of_the_environment_is_the_owner(sweep, server, monkeypatch):
    monkeypatch.setenv("WANDB_ENTITY", "genomics")
    sweep(sweep_count=1)
    assert made(server).entity == "genomics"


def test_the_entity_is_the_team_that_was_named(sweep, server):
    sweep(sweep_count=1, entity="genomics")
    assert made(server).entity == "genomics"


def test_a_way_to_join_is_kept_with_the_sweep(sweep, server):
    sweep(sweep_count=1, command=["bertnado", "run-sweep", "--dataset", "data"])
    assert made(server).config["program"] == "bertnado"
    assert made(server).config["command"] == ["${env}", "${program}", "run-sweep", "--dataset", "data"]


def test_a_program_of_the_persons_own_is_kept_with_a_warning(sweep, server):
    result = sweep(GRID | {"program": "mine.py"}, sweep_count=1, command=["bertnado", "run-sweep"])
    assert made(server).config["program"] == "mine.py"
    assert "command" not in made(server).config
    assert [str(warning) for warning in result.warnings] == [
        "program: is kept as it is, so that a plain `wandb agent` starts it instead of bertnado"
    ]


def test_it_says_which_server_and_where_to_look(sweep, server):
    sweep(sweep_count=1)
    (started,) = [event for event in sweep.heard if isinstance(event, SweepStarted)]
    assert started.notes[0] == f"backend: wandb (at {server.url}; as requested)"
    assert started.notes[1].startswith("at W&B: ")
    assert started.notes[1].endswith(f"/{ENTITY}/dna/sweeps/{started.sweep_id}")


def test_the_address_can_be_clicked_whatever_the_project_is_called(sweep, server):
    sweep(sweep_count=1, project_name="dna of mice")
    (started,) = [event for event in sweep.heard if isinstance(event, SweepStarted)]
    assert started.notes[1].endswith(f"/{ENTITY}/dna%20of%20mice/sweeps/{started.sweep_id}")


def test_the_record_of_the_sweep_says_where_it_is_at_wandb(sweep, tmp_path):
    result = sweep(sweep_count=1)
    record = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert (record["backend"], record["sweep_id"]) == ("wandb", result.sweep_id)
    assert record["path"] == f"{ENTITY}/dna/{result.sweep_id}"


# its trials


def test_a_trial_trains_with_exactly_what_the_server_chose(sweep, server):
    server.choose = lambda made, chosen: {"x": 0.123, "optimizer": {"beta": 0.5, "more": 1}, "undeclared": 2}
    result = sweep(sweep_count=1)
    assert result.best.parameters == {"x": 0.123, "optimizer": {"beta": 0.5}}
    assert result.best.value == 0.123


def test_a_choice_that_lacks_a_parameter_is_noted_and_the_sweep_goes_on(sweep, server):
    server.choose = lambda made, chosen: {"x": 5} if made.handed_out == 1 else chosen
    result = sweep()
    assert "a value is missing for optimizer.beta" in notes(sweep.heard)[0]
    assert [trial.state for trial in result.trials] == ["failed", "completed", "completed"]
    assert server.runs_of(made(server).name)[0].state == "failed"


def test_a_run_is_good_to_look_at(sweep, server):
    result = sweep(GRID | {"name": "promoters"}, sweep_count=1)
    (run,) = server.runs_of(result.sweep_id)
    assert (run.group, run.job_type, run.display_name) == ("task", "sweep", f"promoters-{run.name}")
    assert run.config["bertnado"] == {
        "sweep_id": result.sweep_id,
        "directory": result.best.directory.name,
        "arguments": {"learning_rate": 1},
        "dataset": "abc",
        "state": "completed",
    }
    assert [row["_step"] for row in run.history if "score" in row] == [10, 20]
    assert {"score", "eval/loss", "train/loss"} <= set(run.history[0]) | set(run.history[-1])


def test_the_summary_of_a_run_is_its_value_and_both_name_the_same_best_run(sweep, server):
    import wandb

    result = sweep(trainer=CurveTrainer((0.5, 1.0, 0.1)))
    assert [run.summary["score"] for run in server.runs_of(result.sweep_id)] == [1, 2, 3]
    assert wandb.Api().sweep(f"{ENTITY}/dna/{result.sweep_id}").best_run().id == result.best.id
    assert notes(sweep.heard) == []


def test_a_failed_run_with_the_highest_number_is_not_the_best_and_one_line_says_so(sweep, server):
    def train(parameters, report):
        report(1, parameters["x"])
        if parameters["x"] == 3:
            raise RuntimeError("boom")
        return parameters["x"]

    result = sweep(trainer=train)
    assert result.best.value == 2
    failed = result.trials[2].id
    assert notes(sweep.heard) == [
        f"W&B's own best run is {failed}, which is failed; the best one that counts is {result.best.id}"
    ]
    assert [run.state for run in server.runs_of(result.sweep_id)] == ["finished", "finished", "failed"]


@pytest.mark.parametrize(
    ("state", "summary"),
    [
        ("crashed", {"score": 99}),
        ("killed", {"score": 99}),
        ("running", {"score": 99}),
        ("finished", {"score": math.nan}),
        ("finished", {"score": "99"}),
        ("finished", {}),
    ],
)
def test_runs_of_other_machines_that_do_not_count_are_never_best(sweep, server, state, summary):
    def add(event):
        if isinstance(event, TrialStarted) and event.number == 0:
            config = {"x": 99, "optimizer": {"beta": 0.9}}
            server.add_run(made(server).name, "other", state=state, summary=summary, config=config)

    result = sweep(observer=add)
    assert result.best.value == 3
    assert len(result.trials) == 4
    if isinstance(summary.get("score"), int | float):
        assert notes(sweep.heard)[0].startswith("W&B's own best run is other, which is ")


def test_a_better_run_of_another_machine_is_the_best_and_exported(sweep, server, tmp_path):
    def add(event):
        if isinstance(event, TrialStarted) and event.number == 0:
            config = {"x": 99, "optimizer": {"beta": 0.5}, "bertnado": {"state": "stopped"}, "callback": 1}
            server.add_run(made(server).name, "other", state="finished", summary={"score": 99}, config=config)

    result = sweep(observer=add)
    assert (result.best.id, result.best.state, result.best.value) == ("other", "stopped", 99)
    exported = read_best_config(tmp_path / "sweep" / "best_sweep_config.json")
    assert exported.parameters == {"x": 99, "optimizer": {"beta": 0.5}}
    assert result.to_dict()["best_run_id"] == "other"


def test_runs_beyond_the_first_page_count_and_a_tie_goes_to_the_earlier(sweep, server):
    def add(event):
        if isinstance(event, TrialStarted) and event.number == 0:
            for number in range(150):
                config = {"x": 5 if number in (120, 140) else 0, "optimizer": {"beta": 0.9}}
                summary = {"score": config["x"]}
                server.add_run(made(server).name, f"other{number}", state="finished", summary=summary, config=config)

    result = sweep(observer=add)
    assert len(result.trials) == 153
    assert result.best.id == "other120"


def test_six_trials_that_fail_each_for_its_own_reason_do_not_end_the_sweep(sweep, server, monkeypatch):
    monkeypatch.setenv("WANDB_AGENT_DISABLE_FLAPPING", "true")

    def train(parameters, report):
        if parameters["x"] < 7:
            raise RuntimeError(f"boom {parameters['x']}")
        return parameters["x"]

    result = sweep(GRID | {"parameters": {"x": {"values": list(range(1, 9))}}}, train)
    assert [trial.state for trial in result.trials] == ["failed"] * 6 + ["completed"] * 2
    assert [run.exitcode for run in server.runs_of(result.sweep_id)] == [1] * 6 + [0] * 2


def test_a_sweep_whose_trials_all_fail_says_why(sweep):
    def train(parameters, report):
        raise RuntimeError(f"boom {parameters['x']}")

    with pytest.raises(NoEligibleTrialError, match="1 of 3: RuntimeError: boom 1"):
        sweep(trainer=train)


def test_three_trials_that_fail_for_the_same_reason_end_the_sweep(sweep, server):
    def train(parameters, report):
        raise RuntimeError("boom")

    with pytest.raises(TooManyFailuresError, match="3 of 3: RuntimeError: boom") as caught:
        sweep(GRID | {"parameters": {"x": {"values": list(range(1, 9))}}}, train)
    assert len(caught.value.trials) == 3


def test_so_many_failures_as_are_allowed_end_the_sweep(sweep):
    def train(parameters, report):
        if parameters["x"] % 2:
            raise RuntimeError("boom")
        return parameters["x"]

    with pytest.raises(TooManyFailuresError, match="2 trials failed"):
        sweep(GRID | {"parameters": {"x": {"values": list(range(1, 9))}}}, train, max_failures=2)


@pytest.mark.slow
def test_the_time_limit_ends_the_running_trial_and_the_sweep(sweep):
    slow, begun = CurveTrainer((1.0, *[0.5] * 20), pause=0.5), []

    def train(parameters, report):
        begun.append(parameters["x"])
        return 0.5 if len(begun) == 1 else slow.run(parameters, report)

    result = sweep(GRID | {"method": "random"}, train, time_limit=8)
    assert [trial.state for trial in result.trials] == ["completed", "interrupted"]
    assert (result.ended_by, result.finished, result.budget) == ("the time limit", 1, 10)


# interruption


class InterruptingTrainer(CurveTrainer):
    """Interrupts the first attempt of trial 2, and describes each attempt."""

    attempts = 0

    def run(self, parameters, report):
        self.attempts += 1
        report.started(2, {"arguments": {"attempt": self.attempts}})
        if self.attempts == 2:
            os.kill(os.getpid(), signal.SIGTERM)
            while not report.progress(1):
                time.sleep(0.01)
            return TrialResult(None, stopped=True)
        return super().run(parameters, report)


def test_an_interrupted_trial_is_handed_out_again_with_its_parameters(sweep, server, tmp_path):
    trainer = InterruptingTrainer()
    with pytest.raises(Interrupted):
        sweep(trainer=trainer)
    assert notes(sweep.heard) == ["1 of 3 trials are finished"]
    assert [run.state for run in server.runs.values()] == ["finished", "preempted"]
    result = sweep(trainer=trainer, resume=True)
    assert [(trial.number, trial.attempt, trial.state, trial.parameters["x"]) for trial in result.trials] == [
        (0, 1, "completed", 1),
        (1, 2, "completed", 2),
        (2, 1, "completed", 3),
    ]
    assert [run.state for run in server.runs.values()] == ["finished"] * 3
    second = server.runs_of(result.sweep_id)[1]
    assert second.config["bertnado"]["directory"] == result.trials[1].directory.name
    assert recorded_states(tmp_path) == ["completed", "completed", "completed", "interrupted"]


def test_a_trial_that_is_handed_out_again_goes_on_from_its_training_state(sweep, server, tmp_path):
    with pytest.raises(Interrupted):
        sweep(trainer=SavingTrainer(interrupted_at=12), sweep_count=1)
    assert len(list(tmp_path.glob("sweep/sweep_*/training_state"))) == 1
    result = sweep(trainer=SavingTrainer(), sweep_count=1, resume=True)
    [trial] = [trial for trial in result.trials if trial.is_counted]
    assert [(row["from_step"], row["to_step"]) for row in trial.attempts] == [(0, 12), (12, 40)]
    assert (trial.value, len(trial.history)) == (820, 8)
    assert "trial 1 continues from step 12" in notes(sweep.heard)
    assert list(tmp_path.glob("sweep/sweep_*/*training_state*")) == []


def test_it_begins_anew_and_says_so_if_its_state_is_not_there(sweep, server, tmp_path):
    with pytest.raises(Interrupted):
        sweep(trainer=SavingTrainer(interrupted_at=12), sweep_count=1)
    [state] = tmp_path.glob("sweep/sweep_*/training_state")
    state.unlink()
    result = sweep(trainer=SavingTrainer(), sweep_count=1, resume=True)
    assert [trial.value for trial in result.trials if trial.is_counted] == [820]
    why = f"W&B has handed it out again, and {tmp_path / 'sweep'} does not hold a training state of it"
    assert f"trial 1 begins anew: {why}" in notes(sweep.heard)


@pytest.mark.slow
def test_a_trial_that_is_interrupted_because_its_sweep_was_cancelled_is_not_handed_out_again(sweep, server):
    def train(parameters, report):
        if parameters["x"] == 2:
            server.cancel(made(server).name)
            server.stop_run(list(server.runs.values())[1].name)
            while not report.progress(1):
                time.sleep(0.01)
            return TrialResult(None, stopped=True)
        return parameters["x"]

    result = sweep(trainer=train)
    assert [run.state for run in server.runs.values()] == ["finished", "failed"]
    assert result.ended_by == "W&B"


def test_a_trial_whose_process_was_killed_does_not_stay_running(sweep, tmp_path):
    sweep(sweep_count=1)
    (record,) = tmp_path.glob("sweep/sweep_*/trial.json")
    record.write_text(record.read_text().replace('"completed"', '"running"'))
    result = sweep(sweep_count=2, resume=True)
    assert recorded_states(tmp_path) == ["completed", "completed", "interrupted"]
    assert result.trials[0].error == "its process was killed"


def recorded_states(tmp_path):
    return sorted(json.loads(path.read_text())["state"] for path in tmp_path.glob("sweep/sweep_*/trial.json"))


# stopping


def test_sigusr1_lets_the_running_trial_end_and_starts_no_other(sweep):
    def train(parameters, report):
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.2)
        return parameters["x"]

    result = sweep(trainer=train)
    assert [trial.state for trial in result.trials] == ["completed"]
    assert (result.ended_by, result.finished, result.budget) == ("SIGUSR1", 1, 3)


def test_sigusr2_interrupts_the_running_trial_and_starts_no_other(sweep, tmp_path):
    def train(parameters, report):
        if parameters_seen:
            os.kill(os.getpid(), signal.SIGUSR2)
            time.sleep(0.2)
        parameters_seen.append(parameters)
        report(1, parameters["x"])
        return parameters["x"]

    parameters_seen = []
    result = sweep(trainer=train)
    assert (result.ended_by, result.finished, result.budget) == ("SIGUSR2", 1, 3)
    assert recorded_states(tmp_path) == ["completed", "interrupted"]


def test_a_trial_that_wandb_stops_ends_within_one_evaluation_keeps_its_value_and_the_sweep_goes_on(sweep, server):
    slow = CurveTrainer(tuple(1 - 0.01 * n for n in range(50)), pause=0.5)

    def stop_the_second(event):
        if isinstance(event, TrialEvaluated) and event.number == 1:
            server.stop_run(server.runs_of(made(server).name)[1].name)

    short = CurveTrainer()

    class Trainer(CurveTrainer):
        def run(self, parameters, report):
            return (slow if parameters["x"] == 2 else short).run(parameters, report)

    result = sweep(trainer=Trainer(), observer=stop_the_second)
    assert [(trial.state, trial.value) for trial in result.trials] == [
        ("completed", 1),
        ("stopped", 2),
        ("completed", 3),
    ]
    assert 1 <= len(result.trials[1].history) <= 3
    stopped = server.runs_of(result.sweep_id)[1]
    assert (stopped.state, stopped.exitcode, stopped.summary["score"]) == ("finished", 0, 2)


def test_a_trial_that_is_stopped_before_its_first_evaluation_was_interrupted(sweep, server):
    def train(parameters, report):
        step = 0
        while not report.progress(step):
            step += 1
            time.sleep(0.02)
            if step == 5:
                server.stop_run(server.runs_of(made(server).name)[0].name)
        return TrialResult(None, stopped=True)

    with pytest.raises(NoEligibleTrialError, match="stopped before its first evaluation") as raised:
        sweep(trainer=train, sweep_count=1)
    assert [trial.state for trial in raised.value.trials] == ["interrupted"]


def test_hyperband_at_wandb_stops_what_falls_behind(sweep, server, monkeypatch):
    monkeypatch.setenv("WANDB__FILE_STREAM_TRANSMIT_INTERVAL", "1")
    config = GRID | {
        "early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 100},
        "parameters": {"x": {"values": [2, 1]}},
    }

    class Trainer(CurveTrainer):
        def run(self, parameters, report):
            trainer = CurveTrainer((1.0,) * (2 if parameters["x"] == 2 else 60), pause=0.2)
            return trainer.run(parameters, report)

    result = sweep(config, Trainer())
    assert [(trial.state, trial.value) for trial in result.trials] == [("completed", 2), ("stopped", 1)]
    assert len(result.trials[1].history) < 60


def test_code_that_swallows_every_exception_is_stopped_all_the_same(sweep, server):
    def train(parameters, report):
        for step in range(1, 200):
            try:
                time.sleep(0.05)
                if step == 5:
                    server.stop_run(server.runs_of(made(server).name)[0].name)
            except Exception:  # noqa: BLE001
                continue
            if report(step, 0.5):
                break
        return 0.5

    result = sweep(trainer=train, sweep_count=1)
    assert result.trials[0].state == "stopped"
    assert len(result.trials[0].history) < 100


# joining


def test_a_sweep_is_joined_by_its_id_and_the_file_is_the_one_at_wandb(sweep, server, tmp_path):
    first = sweep(sweep_count=1)
    path = f"{ENTITY}/dna/{first.sweep_id}"
    second = sweep(None, output_dir=tmp_path / "elsewhere", sweep_id=path, project_name=None, sweep_count=2)
    assert len(server.sweeps) == 1
    assert [trial.parameters["x"] for trial in second.trials] == [1, 2, 3]
    assert second.best.value == 3
    assert [
        json.loads(path.read_text())["number"] for path in sorted((tmp_path / "elsewhere").glob("*/trial.json"))
    ] == [
        1,
        2,
    ]


def test_a_sweep_may_be_joined_from_its_own_output_directory(sweep, server):
    first = sweep(sweep_count=1)
    second = sweep(None, sweep_id=first.sweep_id, sweep_count=1)
    assert [trial.parameters["x"] for trial in second.trials] == [1, 2]


def test_the_directory_of_another_sweep_is_refused_when_joining(sweep, tmp_path):
    first = sweep(sweep_count=1)
    sweep(sweep_count=1, output_dir=tmp_path / "other")
    with pytest.raises(SweepConfigError, match="already contains a sweep"):
        sweep(None, sweep_id=first.sweep_id, output_dir=tmp_path / "other")


def test_a_sweep_that_is_not_there_is_said_with_the_form_of_an_id(sweep):
    with pytest.raises(
        SweepConfigError, match=r"sweep_id: sweep nothing was not found in laboratory/dna.*ENTITY/PROJECT"
    ):
        sweep(None, sweep_id="nothing")


def test_the_run_cap_is_kept_to(sweep, server):
    sweep(GRID | {"run_cap": 2}, sweep_count=3)
    assert len(server.runs) == 2


@pytest.mark.slow
def test_workers_share_the_trials_and_run_no_more(sweep, server):
    config = GRID | {"parameters": {"x": {"values": list(range(1, 20))}}}
    result = sweep(config, workers=2, sweep_count=3)
    assert len(server.runs) == 3
    assert [trial.state for trial in result.trials] == ["completed"] * 3
    assert sorted(trial.number for trial in result.trials) == [0, 1, 2]
    assert sorted(event.number for event in sweep.heard if isinstance(event, TrialStarted)) == [0, 1, 2]
    assert len({event.number for event in sweep.heard if isinstance(event, TrialStarted)}) == 3


def test_a_trainer_that_no_worker_can_be_handed_is_a_mistake(sweep):
    with pytest.raises(SweepConfigError, match="workers: the trainer must be picklable to train in worker processes"):
        sweep(trainer=lambda parameters, report: 1.0, workers=2)


# what stays secret


def test_the_key_is_never_written_and_never_sent_but_to_log_in(sweep, server, tmp_path, capfd):
    sweep(sweep_count=1, command=["bertnado", "run-sweep"])
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    assert KEY not in "".join(server.bodies)
    assert KEY not in "".join(capfd.readouterr())


def test_the_output_directory_holds_what_is_documented_and_nothing_else(sweep, tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_DIR")
    result = sweep(sweep_count=1)
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir()) == [
        ".beginners.lock",
        ".workers.lock",
        "best_sweep_config.json",
        "best_sweep_details.json",
        "sweep.json",
        result.best.directory.name,
        "wandb",
    ]


def test_it_prints_nothing_and_leaves_the_environment_as_it_was(sweep, capfd):
    import os

    before = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    sweep(sweep_count=1)
    assert {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"} == before
    assert capfd.readouterr() == ("", "")
