"""The best trials of a sweep are trained anew with fresh seeds; the one with the best mean becomes the best."""

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from bertnado_config import InvalidInputError, read_best_config
from bertnado_metrics import Objective
from bertnado_sweep import NotConfirmedError, Trial, confirm_sweep, recorded_status, run_sweep
from bertnado_sweep.confirmation.design import Design
from bertnado_sweep.confirmation.finalists import choose_finalists, distinct_trials, fresh_seeds
from bertnado_sweep.confirmation.runs import ConfirmationOrder
from bertnado_sweep.records.presence import Presence
from bertnado_sweep.running.events import Note, TrialEnded
from bertnado_sweep.running.stop_request import Interrupted
from bertnado_sweep.search.base import SearchState
from support.confirming import SWEEP, SeedTrainer, finished_sweep, value_of
from support.trainers import SavingTrainer

SCORE = Objective("score", "maximize")
CONFIG, DETAILS = "best_sweep_config.json", "best_sweep_details.json"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_sweep(tmp_path_factory.mktemp("finished") / "sweep", SeedTrainer())


@pytest.fixture
def sweep(finished, tmp_path):
    """A copy of it."""
    return shutil.copytree(finished, tmp_path / "sweep")


def read(path):
    return json.loads(path.read_text())


def confirm(sweep, trainer=None, **options):
    """Confirm, and return the result with what was said and which runs have ended."""
    said, ended = [], []

    def observe(event):
        if isinstance(event, Note):
            said.append(event.text)
        if isinstance(event, TrialEnded):
            ended.append(event.trial)

    trainer = trainer or SeedTrainer()
    return confirm_sweep(trainer, sweep, observer=observe, **options), said, ended


def finalists_of(sweep):
    return {finalist["trial"]: finalist for finalist in read(sweep / "confirmation.json")["finalists"]}


# what is confirmed


def trial_of(number, value, x, **others):
    return Trial(number, f"s-{number}", "completed", {"x": x, **others}, Path("/s/t"), "", value=value, seed=42)


def test_trials_that_differ_in_the_seed_alone_are_one_finalist():
    trials = [
        trial_of(0, 0.5, 1, seed=1),
        trial_of(1, 0.9, 2, seed=1),
        trial_of(2, 0.8, 2, seed=2),
        trial_of(3, 0.7, 3),
    ]
    ranked = distinct_trials(trials, SCORE, SeedTrainer())
    assert [trial.number for trial in ranked] == [1, 3, 0]
    assert [trial.number for trial in distinct_trials(trials, Objective("loss", "minimize"), SeedTrainer())] == [
        0,
        3,
        2,
    ]
    assert [trial.number for trial in choose_finalists(ranked, 2)] == [1, 3]


def test_a_trial_that_is_confirmed_stays_a_finalist():
    ranked = [trial_of(1, 0.9, 2), trial_of(3, 0.7, 3), trial_of(0, 0.5, 1)]
    assert [trial.number for trial in choose_finalists(ranked, 1, confirmed=1)] == [1, 0]
    assert [trial.number for trial in choose_finalists(ranked, 1, confirmed=2)] == [1]


def test_seeds_are_fresh():
    trials = [trial_of(0, 0.5, 1, seed=3), trial_of(1, 0.5, 1)]
    assert fresh_seeds(4, 1, trials) == [2, 4, 5, 6]
    assert 42 not in fresh_seeds(50, 1, trials)


def run_of(number, finalist, seed, value=None, state="completed"):
    return Trial(number, f"c-{number}", state, {"finalist": finalist, "seed": seed}, Path("/c/t"), "", value=value)


def next_of(*runs, seeds=(1, 2, 3), goal="maximize"):
    order = ConfirmationOrder((4, 5, 6), Design.of(seeds))
    done = {(run.parameters["finalist"], run.parameters["seed"]) for run in runs}
    points = [(point["finalist"], point["seed"]) for point in order.candidates(SearchState(None, goal, runs, 0, 0))]
    return [point for point in points if point not in done]


def test_runs_go_seed_by_seed_and_begin_with_the_finalist_that_is_ahead():
    assert next_of()[:4] == [(4, 1), (5, 1), (6, 1), (4, 2)]
    first = [run_of(0, 4, 1, 0.5), run_of(1, 5, 1, 0.7), run_of(2, 6, 1, 0.6)]
    assert next_of(*first) == [(5, 2), (6, 2), (4, 2), (5, 3), (6, 3), (4, 3)]
    assert next_of(*first, goal="minimize")[:3] == [(4, 2), (6, 2), (5, 2)]


def test_who_is_clearly_behind_gets_no_third_seed_once_all_second_runs_are_over():
    runs = [run_of(n, finalist, seed, finalist + seed / 100) for n, (seed, finalist) in enumerate(grid(2))]
    assert next_of(*runs) == [(6, 3)]
    assert next_of(*runs, goal="minimize") == [(4, 3)]
    waiting = [*runs[:-1], run_of(5, 6, 2, state="running")]
    assert next_of(*waiting) == [(6, 3), (5, 3), (4, 3)]
    failed = [*runs[:-1], run_of(5, 6, 2, state="failed")]
    assert next_of(*failed) == [(6, 3), (5, 3)], "the failed one is not compared"
    assert next_of(*runs, seeds=(1, 2)) == []


def grid(seeds):
    return [(seed, finalist) for seed in range(1, seeds + 1) for finalist in (4, 5, 6)]


# what comes of it


def test_the_lucky_trial_loses_and_the_search_is_left_as_it_was(sweep):
    before = {name: (sweep / name).read_bytes() for name in ("sweep.json", "journal.log")}
    assert read_best_config(sweep / CONFIG).parameters["x"] == 0.3
    result, said, ended = confirm(sweep, top=3, seeds=4)
    record = read(sweep / "confirmation.json")
    assert {name: (sweep / name).read_bytes() for name in before} == before
    assert (record["seeds"], record["folds"], record["sweep_id"]) == (
        [1, 2, 3, 4],
        None,
        read(sweep / "sweep.json")["sweep_id"],
    )
    assert [finalist["trial"] for finalist in record["finalists"]] == [3, 4, 2]
    for finalist in record["finalists"]:
        expected = [value_of(finalist["parameters"]["x"], seed) for seed in record["seeds"]]
        assert [run["value"] for run in finalist["runs"]] == expected
        assert finalist["mean"] == pytest.approx(statistics.fmean(expected))
        assert finalist["standard_error"] == pytest.approx(statistics.stdev(expected) / 2)
        assert (finalist["n"], finalist["dropped_after"]) == (4, None)
        for run in finalist["runs"]:
            assert read(sweep / run["directory"] / "trial.json")["value"] == run["value"]
    assert record["winner"] == result.confirmation.winner == 4
    assert sum(finalist["probability_best"] for finalist in record["finalists"]) == pytest.approx(1)
    assert (result.finished, result.budget, result.ended_by, len(ended)) == (12, 12, None, 12)
    assert said[0].startswith("confirmed by score: trial 4, mean 0.")
    assert len(said) == 3


def test_the_file_keeps_its_form_and_the_value_of_the_search(sweep):
    result, _, _ = confirm(sweep, top=2, seeds=3)
    winner = finalists_of(sweep)[4]
    confirmed = {
        "confirmed_mean": winner["mean"],
        "confirmed_standard_error": winner["standard_error"],
        "confirmed_seeds": [1, 2, 3],
    }
    assert read(sweep / CONFIG) == {
        "x": 0.4,
        "rate": 0.5,
        "metric_for_best_model": "score",
        "greater_is_better": True,
        "optimization_metric": {"name": "score", "goal": "maximize"},
        **confirmed,
    }
    best = read_best_config(sweep / CONFIG)
    assert best.parameters == {"x": 0.4, "rate": 0.5}
    assert best.confirmed.to_keys() == confirmed | {"confirmed_seeds": (1, 2, 3)}
    found = result.to_dict()
    assert found["best_run_id"] == winner["id"]
    assert found["metric_value"] == winner["search_value"] == value_of(0.4, 7)
    assert {name: found[name] for name in confirmed} == confirmed
    assert found["winner"] == 4


def test_the_best_checkpoint_of_the_confirmed_trial_is_kept_and_that_of_the_search(sweep):
    confirm(sweep, top=3, seeds=4)
    values = {seed: value_of(0.4, seed) for seed in (1, 2, 3, 4)}
    kept = [Path(path).read_text() for path in sweep.glob("confirmation/*/checkpoint/weights")]
    assert kept == [str(max(values.values()))]
    assert len(list(sweep.glob("sweep_*/checkpoint"))) == 1
    run = read(sweep / DETAILS)["confirmation"]["run"]
    assert run["seed"] == max(values, key=values.get)
    assert Path(run["checkpoint"], "weights").read_text() == kept[0]
    assert sweep / run["directory"] / "checkpoint" == Path(run["checkpoint"])
    assert run["details"]["arguments"] == {"seed": run["seed"]}


def test_one_trial_alone_can_be_confirmed(sweep):
    confirm(sweep, top=1, seeds=2)
    (only,) = finalists_of(sweep).values()
    assert (only["trial"], only["n"], only["probability_best"]) == (3, 2, 1.0)


# what replaces it


def further(sweep, *values, **options):
    """Let the search go on with further points."""
    config = SWEEP | {"parameters": {"x": {"values": [0.1, 0.2, 0.3, 0.4, *values]}, "rate": {"value": 0.5}}}
    said = []
    result = run_sweep(
        SeedTrainer(noise=0),
        config,
        output_dir=sweep,
        resume=True,
        allow_config_change=True,
        observer=lambda event: said.append(event.text) if isinstance(event, Note) else None,
        **options,
    )
    return result, said


def test_neither_resuming_nor_exporting_nor_worse_trials_replace_it(sweep):
    confirm(sweep, top=2, seeds=3)
    confirmed = read(sweep / CONFIG)
    run_sweep(SeedTrainer(), None, output_dir=sweep, resume=True)
    recorded_status(sweep).export(sweep)
    result, said = further(sweep, 0.5)
    assert read(sweep / CONFIG) == confirmed
    assert result.to_dict()["best_run_id"] == finalists_of(sweep)[4]["id"]
    assert f"{CONFIG} holds trial 4, confirmed with mean {confirmed['confirmed_mean']:.4f}" in said


def test_a_lost_or_spoilt_export_is_that_of_the_confirmed_trial_again(sweep):
    confirm(sweep, top=2, seeds=3)
    confirmed = read(sweep / CONFIG)
    (sweep / CONFIG).unlink()
    recorded_status(sweep).export(sweep)
    assert read(sweep / CONFIG) == confirmed
    (sweep / DETAILS).write_text("{")
    run_sweep(SeedTrainer(), None, output_dir=sweep, resume=True)
    assert read(sweep / CONFIG) == confirmed
    assert read(sweep / DETAILS)["number"] == 3


def test_a_further_trial_that_beats_all_that_was_compared_replaces_it_and_a_line_says_so(sweep):
    confirm(sweep, top=2, seeds=3)
    result, said = further(sweep, 0.95)
    assert value_of(0.3, 7) < 0.95
    assert read_best_config(sweep / CONFIG).parameters["x"] == 0.95
    assert read_best_config(sweep / CONFIG).confirmed is None
    assert [line.split(", in ")[0].split(", confirmed")[0] for line in said if "replaces" in line] == [
        "trial 5 replaces trial 4"
    ]
    assert result.best.number == 4
    recorded_status(sweep).export(sweep)
    assert read_best_config(sweep / CONFIG).parameters["x"] == 0.95
    confirm(sweep, top=2, seeds=3)
    assert sorted(finalists_of(sweep)) == [3, 4, 5], "the confirmed one is compared again"
    assert read_best_config(sweep / CONFIG).confirmed.seeds == (1, 2, 3)


def test_a_damaged_confirmation_leaves_the_export_and_is_named(sweep):
    confirm(sweep, top=2, seeds=2)
    confirmed = read(sweep / CONFIG)
    (sweep / "confirmation.json").write_text('{"format": 1')
    run_sweep(SeedTrainer(), None, output_dir=sweep, resume=True)
    assert read(sweep / CONFIG) == confirmed
    status = recorded_status(sweep)
    assert status.warnings == (f"{sweep / 'confirmation.json'} is damaged; bertnado confirm rewrites it from its runs",)
    _, _, ended = confirm(sweep, top=2, seeds=2)
    assert ended == []
    assert recorded_status(sweep).confirmation.winner == 4


# how it goes on


def test_a_repeated_confirmation_trains_nothing_and_more_seeds_are_added(sweep):
    confirm(sweep, top=2, seeds=2)
    first = finalists_of(sweep)[4]["runs"]
    assert confirm(sweep, top=2, seeds=2)[2] == []
    _, _, ended = confirm(sweep, top=2, seeds=4)
    assert sorted((run.parameters["finalist"], run.parameters["seed"]) for run in ended) == [
        (3, 3),
        (3, 4),
        (4, 3),
        (4, 4),
    ]
    assert finalists_of(sweep)[4]["runs"][:2] == first


def test_a_finalist_that_is_clearly_behind_costs_two_runs(sweep):
    _, said, ended = confirm(sweep, SeedTrainer(noise=0.001), top=4, seeds=5)
    counts = {number: finalist["n"] for number, finalist in finalists_of(sweep).items()}
    assert counts == {1: 2, 2: 2, 3: 2, 4: 5}
    assert {finalist["dropped_after"] for finalist in finalists_of(sweep).values()} == {2, None}
    assert len(ended) == 11
    assert any(
        line.startswith("  behind it: trial 3") and line.endswith("dropped after 2 seeds, clearly behind")
        for line in said
    )


def test_several_workers_share_the_runs_and_save_them_as_well(sweep):
    result, _, ended = confirm(sweep, SeedTrainer(noise=0.001), top=3, seeds=5, workers=2)
    counts = {number: finalist["n"] for number, finalist in finalists_of(sweep).items()}
    assert counts[4] == 5
    assert sum(counts.values()) <= 10, "at most one run is begun before its finalist is dropped"
    assert len({run.id for run in ended}) == result.finished == sum(counts.values())


PROGRAM = """
import sys
from support.confirming import SeedTrainer
from bertnado_sweep import confirm_sweep

confirm_sweep(SeedTrainer(dies_with=(0.3, 2), marker=sys.argv[2]), sys.argv[1], top=3, seeds=3)
"""


def run_program(sweep, marker):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run([sys.executable, "-c", PROGRAM, str(sweep), str(marker)], env=environment).returncode


def test_a_kill_loses_no_finished_run_and_the_same_call_continues(sweep, tmp_path):
    assert run_program(sweep, tmp_path / "died") == -9
    done = {
        path: path.read_bytes() for path in sweep.glob("confirmation/*/trial.json") if '"completed"' in path.read_text()
    }
    assert 3 <= len(done) < 9
    assert not (sweep / "confirmation.json").exists()
    assert recorded_status(sweep).confirming == (len(done), 9)
    assert read_best_config(sweep / CONFIG).parameters["x"] == 0.3
    _, _, ended = confirm(sweep, top=3, seeds=3)
    assert {path: path.read_bytes() for path in done} == done
    assert len(ended) == 9 - len(done)
    assert [run.attempt for run in ended if run.parameters == {"finalist": 3, "seed": 2}] == [2]
    assert {finalist["n"] for finalist in finalists_of(sweep).values()} == {3}


STEPPING = """
import sys
from support.trainers import SavingTrainer
from bertnado_sweep import confirm_sweep

trainer = SavingTrainer(steps=10, pause=0.05, dies_at=(8,), marker=sys.argv[2])
confirm_sweep(trainer, sys.argv[1], top=1, seeds=2, save_state_every=0.001)
"""


def test_a_run_that_is_killed_goes_on_from_its_training_state(tmp_path):
    config = {"method": "grid", "metric": SWEEP["metric"], "parameters": {"x": {"values": [1, 2]}}}
    output, marker = tmp_path / "sweep", tmp_path / "deaths"
    marker.mkdir()
    run_sweep(SavingTrainer(), config, output_dir=output, backend="local")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", STEPPING, str(output), str(marker)], env=environment).returncode == -9
    (state,) = output.glob("confirmation/*/training_state*")
    came = read(state)["step"]
    assert 0 < came < 8
    result, _, ended = confirm(output, SavingTrainer(steps=10), top=1, seeds=2)
    again, fresh = ended
    assert (again.attempt, [row["from_step"] for row in again.attempts]) == (2, [0, came])
    assert (fresh.attempt, [row["from_step"] for row in fresh.attempts]) == (1, [0])
    assert again.history == fresh.history, "nothing of the training is lost or doubled"
    assert [run.value for run in result.confirmation.winning.runs] == [again.value, fresh.value]


@dataclass
class ListedTrainer(SeedTrainer):
    """Has the values of `listed` for `x` and a seed."""

    listed: Mapping = field(default_factory=dict)

    def run(self, parameters, report):
        return replace(super().run(parameters, report), value=self.listed[parameters["x"], parameters["seed"]])


def test_a_later_confirmation_whose_winner_has_no_checkpoint_left_says_so(sweep):
    ahead, behind = [0.9, 0.7, 0.1, 0.1], [0.7, 0.85, 0.6, 0.6]
    values = {(x, seed): row[seed - 1] for x, row in ((0.3, ahead), (0.4, behind)) for seed in (1, 2, 3, 4)}
    confirm(sweep, ListedTrainer(listed=values), top=2, seeds=2)
    assert read(sweep / "confirmation.json")["winner"] == 3
    assert read(sweep / DETAILS)["checkpoint"] is not None
    _, said, _ = confirm(sweep, ListedTrainer(listed=values), top=2, seeds=4)
    assert read(sweep / "confirmation.json")["winner"] == 4
    assert said[-1] == "  no checkpoint of trial 4 is left: full-train trains it anew, without --from-sweep"
    details = read(sweep / DETAILS)
    assert (details["checkpoint"], details["confirmation"]["run"]) == (None, None)
    assert read_best_config(sweep / CONFIG).parameters == {"x": 0.4, "rate": 0.5}


def test_an_interrupted_run_is_tried_again(sweep, tmp_path):
    trainer = SeedTrainer(dies_with=(0.4, 1), marker=str(tmp_path / "marker"), interrupts=True)
    with pytest.raises(Interrupted):
        confirm(sweep, trainer, top=2, seeds=2)
    assert confirm(sweep, trainer, top=2, seeds=2)[0].confirmation.winner == 4


def test_a_time_limit_ends_it_and_it_is_said_how_it_goes_on(sweep):
    result, said, _ = confirm(sweep, SeedTrainer(pause=0.5), top=2, seeds=3, time_limit=0.6)
    assert (result.confirmation, result.ended_by) == (None, "the time limit")
    assert (
        said[-1]
        == f"the time limit ended the confirmation after {result.finished} of 6 runs; the same command continues it"
    )
    assert result.to_dict()["confirmation_path"] is None
    assert recorded_status(sweep).confirming == (result.finished, 6)


def test_a_failed_run_is_named_and_counts_as_missing(sweep):
    trainer = SeedTrainer(failing=((0.4, 1), (0.4, 3), (0.3, 2)))
    _, said, _ = confirm(sweep, trainer, top=2, seeds=3)
    found = finalists_of(sweep)
    assert (found[4]["n"], found[4]["standard_error"]) == (1, None)
    assert found[4]["mean"] > found[3]["mean"]
    assert read(sweep / "confirmation.json")["winner"] == 3, "one value is too few"
    assert "  trial 4 with seed 3 failed and counts as missing: ValueError: no luck with seed 3" in said
    _, _, ended = confirm(sweep, top=2, seeds=3, retry_failed=True)
    assert len(ended) == 3
    assert read(sweep / "confirmation.json")["winner"] == 4


def test_without_two_values_nothing_is_confirmed(sweep):
    pairs = [(x, seed) for x in (0.3, 0.4) for seed in (1, 2)]
    with pytest.raises(
        NotConfirmedError, match="no finalist has values with two seeds, so none is confirmed:\n  ValueErr"
    ):
        confirm(sweep, SeedTrainer(failing=tuple(pairs[:2] + pairs[3:])), top=2, seeds=2)
    assert not (sweep / "confirmation.json").exists()
    assert read_best_config(sweep / CONFIG).parameters["x"] == 0.3


# with the sweep itself


def test_a_sweep_confirms_its_best_trials_at_its_end_and_so_it_is_recorded(tmp_path):
    output = tmp_path / "sweep"
    found = run_sweep(SeedTrainer(), SWEEP, output_dir=output, backend="local", seed=7, confirm_top=3, confirm_seeds=2)
    assert found.best.parameters["x"] == 0.3
    assert found.to_dict()["best_config"]["confirmed_seeds"] == [1, 2]
    assert found.to_dict()["finished"] == found.to_dict()["budget"] == 4
    assert read(output / "sweep.json")["confirm_top"] == 3
    (output / "confirmation.json").unlink()
    run_sweep(SeedTrainer(), None, output_dir=output, resume=True)
    assert recorded_status(output).confirmation.seeds == [1, 2]


def test_a_sweep_with_too_few_values_confirms_what_there_is(tmp_path):
    trainer = SeedTrainer(failing=((0.1, 7), (0.2, 7), (0.4, 7)))
    run_sweep(
        trainer, SWEEP, output_dir=tmp_path, backend="local", seed=7, confirm_top=3, confirm_seeds=2, max_failures=9
    )
    assert list(finalists_of(tmp_path)) == [3]


def test_a_sweep_that_the_time_limit_ends_is_confirmed_later(tmp_path):
    said = []
    found = run_sweep(
        SeedTrainer(pause=0.4),
        SWEEP,
        output_dir=tmp_path,
        backend="local",
        time_limit=0.6,
        confirm_top=1,
        observer=lambda event: said.append(event.text) if isinstance(event, Note) else None,
    )
    assert found.ended_by == "the time limit"
    assert said[-1] == "the time limit left no time to confirm the best trials; bertnado confirm does it later"


def test_more_finalists_than_trials_are_a_mistake(tmp_path):
    with pytest.raises(
        InvalidInputError, match="confirm_top must be at most the number of trials of the sweep, 4, got 5"
    ):
        run_sweep(SeedTrainer(), SWEEP, output_dir=tmp_path, backend="local", confirm_top=5)


# what is refused


def problems_of(output, **options):
    with pytest.raises(InvalidInputError) as caught:
        confirm(output, **options)
    return [str(problem).removeprefix("output_dir: ") for problem in caught.value.problems]


def test_what_cannot_be_confirmed_is_named(sweep, tmp_path):
    assert problems_of(tmp_path) == [f"{tmp_path} does not contain a sweep; did you mean {sweep}?"]
    assert problems_of(tmp_path / "none") == [
        f"{tmp_path / 'none'} does not contain a sweep; pass the output directory of a sweep"
    ]
    assert problems_of(sweep, top=5, seeds=1) == [
        "seeds must be at least 2, got 1",
        "top must be at most 4, the number of different trials with a value, got 5",
    ]
    assert problems_of(sweep, top=0) == ["top must be at least 1, got 0"]
    assert not (sweep / "confirmation").exists()


def test_a_confirmation_is_not_confirmed(sweep):
    confirm(sweep, top=1, seeds=2)
    directory = sweep / "confirmation"
    assert problems_of(directory) == [
        f"{directory} holds the runs of a confirmation; pass the directory of its sweep, {sweep}"
    ]


def test_a_sweep_without_values_has_nothing_to_confirm(tmp_path):
    trainer = SeedTrainer(failing=tuple((x, 7) for x in (0.1, 0.2, 0.3, 0.4)))
    with pytest.raises(RuntimeError):
        run_sweep(trainer, SWEEP, output_dir=tmp_path, backend="local", seed=7)
    assert problems_of(tmp_path) == [f"no trial of the sweep in {tmp_path} has a value, so none can be confirmed"]


def test_another_process_may_share_the_runs_but_not_change_them(sweep):
    confirm(sweep, top=2, seeds=2)
    other = Presence(sweep / "confirmation")
    other.come()
    try:
        assert confirm(sweep, top=2, seeds=2)[0].confirmation.winner == 4
        (problem,) = problems_of(sweep, top=3, seeds=2)
    finally:
        other.leave()
    assert problem == (
        f"another process confirms trials 3, 4 with 2 seeds in {sweep / 'confirmation'}; wait until it ends, or join "
        "it with the same top and seeds"
    )


class ChangedTrainer(SeedTrainer):
    """Its dataset has changed, and it knows no `rate` any more."""

    dataset_fingerprint = "abd"
    model_fingerprint = "12f"

    def check(self, config, objective):
        from bertnado_config import Problem

        return [Problem("parameters.rate", "is unknown")] if self.failing else []


def test_a_dataset_that_has_changed_since_and_parameters_that_fit_no_more_are_refused(sweep):
    assert problems_of(sweep, trainer=ChangedTrainer()) == [
        "dataset must give the rows of the sweep, got others: it has changed since; restore it",
        "model_name must give the weights of the sweep, got others: it has changed since; restore it",
    ]
    assert problems_of(sweep, trainer=ChangedTrainer(failing=(1,)), top=2) == [
        "trial 3: parameters.rate: is unknown",
        "trial 4: parameters.rate: is unknown",
    ]


# where it can be seen


def test_runs_are_tracked_like_trials_with_the_parameters_of_their_finalists(sweep, tracked, read_runs):
    confirm(sweep, top=1, seeds=2)
    runs = read_runs(sweep / "confirmation")
    assert len(runs) == 2
    for run in runs.values():
        assert (run.run.job_type, run.run.sweep_id) == ("confirm", "")
        assert {name: run.config[name] for name in ("x", "rate")} == {"x": 0.3, "rate": 0.5}
        assert run.run.display_name == f"confirm-{run.run.run_id}"
    assert sorted(run.config["seed"] for run in runs.values()) == [1, 2]
    assert len(list((sweep / "confirmation" / "wandb").glob("offline-run-*"))) == 2


def test_a_sweep_at_wandb_is_confirmed_by_runs_that_are_none_of_its_own(server, tmp_path):
    run_sweep(SeedTrainer(), SWEEP, output_dir=tmp_path, backend="wandb", project_name="dna", group="task", seed=7)
    before = set(server.runs)
    assert len(before) == 4
    _, _, ended = confirm(tmp_path, top=2, seeds=2)
    assert {name for name, run in server.runs.items() if run.sweep} == before
    runs = {run.name: run for run in server.runs.values() if not run.sweep}
    assert set(runs) == {run.id for run in ended}
    assert {(run.job_type, run.group, run.project, run.state) for run in runs.values()} == {
        ("confirm", "task", "dna", "finished")
    }
    values = {(run.config["x"], run.config["seed"]): run.summary["score"] for run in runs.values()}
    assert values == {pair: value_of(*pair) for pair in [(0.3, 1), (0.3, 2), (0.4, 1), (0.4, 2)]}
    assert read_best_config(tmp_path / CONFIG).parameters == {"x": 0.4, "rate": 0.5}


def test_what_another_machine_has_found_at_wandb_is_confirmed_as_well(server, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    options = {"backend": "wandb", "project_name": "dna", "seed": 7}
    found = run_sweep(SeedTrainer(), SWEEP, output_dir=there, sweep_count=3, **options)
    path = f"{next(iter(server.runs.values())).entity}/dna/{found.sweep_id}"
    run_sweep(SeedTrainer(), None, output_dir=here, sweep_count=1, sweep_id=path, seed=7)
    confirm(here, top=2, seeds=2)
    assert {finalist["parameters"]["x"] for finalist in finalists_of(here).values()} == {0.3, 0.4}
    assert read_best_config(here / CONFIG).parameters == {"x": 0.4, "rate": 0.5}
