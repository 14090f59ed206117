"""Finalists are confirmed over the groups of a column: each is validated on once, with a seed of its own."""

import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bertnado_config import ArgumentProblem, InvalidInputError, read_best_config
from bertnado_metrics import Objective
from bertnado_sweep import NotConfirmedError, confirm_sweep, recorded_status, run_sweep
from bertnado_sweep.confirmation.design import Block, Design
from bertnado_sweep.confirmation.ranking import means_by_fold
from bertnado_sweep.confirmation.text import describe_confirmation
from bertnado_sweep.records.confirmation import Folds, read_confirmation
from bertnado_sweep.report.material import gather
from bertnado_sweep.report.sections.confirmation import interval, section
from bertnado_sweep.running.events import Note, SweepStarted, TrialEnded, TrialStarted
from support.confirming import SWEEP, FoldTrainer, SeedTrainer, finished_sweep, value_of

CONFIG, DETAILS = "best_sweep_config.json", "best_sweep_details.json"
GROUPS = ["1", "2", "10"]
CHROMOSOMES = Folds(column="chromosome", groups=("1", "2", "10"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_sweep(tmp_path_factory.mktemp("finished") / "sweep", FoldTrainer())


@pytest.fixture
def sweep(finished, tmp_path):
    """A copy of it."""
    return shutil.copytree(finished, tmp_path / "sweep")


def read(path):
    return json.loads(path.read_text())


def confirm(sweep, trainer=None, folds="chromosome", **options):
    """Confirm, and return the result with all events."""
    events = []
    result = confirm_sweep(trainer or FoldTrainer(), sweep, folds=folds, observer=events.append, **options)
    return result, events


def ended(events):
    return [event.trial for event in events if isinstance(event, TrialEnded)]


def notes(events):
    return [event.text for event in events if isinstance(event, Note)]


def finalists_of(sweep):
    return {finalist["trial"]: finalist for finalist in read(sweep / "confirmation.json")["finalists"]}


# the runs


def test_the_groups_take_turns_and_every_fold_has_a_seed_of_its_own():
    assert Design.of([1, 2, 3, 4, 5, 6], CHROMOSOMES).blocks == (
        *(Block(1, "1"), Block(2, "2"), Block(3, "10")),
        *(Block(4, "1"), Block(5, "2"), Block(6, "10")),
    )
    assert Design.of([1, 2]).blocks == (Block(1), Block(2))


def test_a_run_belongs_to_one_column_and_one_seed():
    design, other = (
        Design.of([1, 2, 3], CHROMOSOMES),
        Design.of([1, 2, 3], CHROMOSOMES.model_copy(update={"column": "c"})),
    )
    run = design.run(4, Block(2, "2"))
    assert run == {"finalist": 4, "seed": 2, "fold": "chromosome=2"}
    assert design.block_of(run) == Block(2, "2")
    assert [other.block_of(run), Design.of([1, 2]).block_of(run), design.block_of(run | {"seed": 1})] == [None] * 3


def test_each_fold_is_trained_on_once_by_each_finalist(sweep):
    before = {name: (sweep / name).read_bytes() for name in ("sweep.json", "journal.log")}
    result, _events = confirm(sweep, top=2)
    record = read(sweep / "confirmation.json")
    assert record["folds"] == {"column": "chromosome", "groups": GROUPS}
    assert record["seeds"] == [1, 2, 3]
    for finalist in record["finalists"]:
        assert [(run["seed"], run["fold"]) for run in finalist["runs"]] == [(1, "1"), (2, "2"), (3, "10")]
        x = finalist["parameters"]["x"]
        values = [value_of(x, seed) for seed in (1, 2, 3)]
        assert [run["value"] for run in finalist["runs"]] == pytest.approx(values)
        assert finalist["mean"] == pytest.approx(statistics.mean(values))
        assert finalist["standard_error"] == pytest.approx(statistics.stdev(values) / 3**0.5)
        for run in finalist["runs"]:
            trial = read(sweep / run["directory"] / "trial.json")
            assert (trial["details"]["dataset"]["fold"], trial["seed"]) == (run["fold"], run["seed"])
    assert (result.finished, result.budget) == (6, 6)
    assert {name: (sweep / name).read_bytes() for name in before} == before
    assert read(sweep / CONFIG)["confirmed_folds"] == "chromosome"
    assert read_best_config(sweep / CONFIG).confirmed.folds == "chromosome"
    assert read_best_config(sweep / CONFIG).parameters == {"x": 0.4, "rate": 0.5}


def test_the_display_hears_which_finalist_is_trained_on_which_fold(sweep):
    _, events = confirm(sweep, top=2)
    started = next(event for event in events if isinstance(event, SweepStarted))
    assert (started.whole, started.unit, started.budget) == ("confirmation", "run", 6)
    assert started.notes[0].endswith(": the best 2 trials, anew on 3 folds by chromosome, each with a fresh seed")
    said = [event.description for event in events if isinstance(event, TrialStarted)]
    assert said[:3] == ["trial 3, fold 1, seed 1", "trial 4, fold 1, seed 1", "trial 4, fold 2, seed 2"]


def test_repeated_folds_count_once_and_are_added_to_what_there_is(sweep):
    confirm(sweep, top=2)
    before = finalists_of(sweep)[4]["runs"]
    _, events = confirm(sweep, top=2, seeds=2)
    assert len(ended(events)) == 6
    found = finalists_of(sweep)[4]
    assert (found["runs"][:3], found["n"]) == (before, 6)
    values = np.array([run["value"] for run in found["runs"]]).reshape(2, 3).mean(axis=0)
    assert found["mean"] == pytest.approx(values.mean())
    assert found["standard_error"] == pytest.approx(values.std(ddof=1) / 3**0.5)
    assert read_confirmation(sweep).winning.units == 3
    assert notes(events)[0].startswith("confirmed by score: trial 4, mean ")
    assert " over 3 folds by chromosome in 6 runs (" in notes(events)[0]


def test_what_a_fold_does_to_all_finalists_cancels_out(sweep):
    trainer = FoldTrainer(noise=0.001, rises={"1": 5.0, "10": -7.0})
    confirm(sweep, trainer, top=2)
    found = finalists_of(sweep)
    assert found[4]["standard_error"] > 1
    assert found[3]["dropped_after"] == 2, "it is behind by the same in both"
    assert found[4]["probability_best"] == 1


def test_means_by_fold_are_those_of_the_values_that_there_are():
    values = np.array([[1.0, 2.0, np.nan, 3.0, np.nan, np.nan]])
    found = means_by_fold(values, 3)
    assert found[0, :2].tolist() == [2.0, 2.0]
    assert np.isnan(found[0, 2])


def test_a_finalist_that_lacks_a_fold_is_not_compared(sweep):
    trainer = FoldTrainer(failing=((0.4, 3),), rises={"10": -5.0})
    _, events = confirm(sweep, trainer, top=2)
    found = finalists_of(sweep)
    assert found[4]["mean"] > found[3]["mean"], "without the fold in which all values are low"
    assert (read(sweep / "confirmation.json")["winner"], found[4]["probability_best"]) == (3, 0.0)
    assert any(
        "trial 4, mean " in line and line.endswith("not compared, because it lacks folds") for line in notes(events)
    )
    assert any(
        line.startswith("  trial 4 on fold 10 with seed 3 failed and counts as missing") for line in notes(events)
    )
    confirm(sweep, FoldTrainer(rises={"10": -5.0}), top=2, retry_failed=True)
    assert read(sweep / "confirmation.json")["winner"] == 4


def test_without_a_value_in_every_fold_nothing_is_confirmed(sweep):
    with pytest.raises(
        NotConfirmedError, match="no finalist has a value in every fold, so none is confirmed:\n  Value"
    ):
        confirm(sweep, FoldTrainer(failing=((0.3, 1), (0.4, 3))), top=2)


def test_what_it_says_of_the_error_over_folds(sweep):
    _, events = confirm(sweep, top=2)
    assert notes(events)[2] == (
        "  folds share training rows, so ± is how much they differ, too small for an error of the mean "
        "(Bengio and Grandvalet 2004), and the probability is too high"
    )
    *described, last = notes(events)
    assert describe_confirmation(recorded_status(sweep).confirmation) == described
    assert last == "  no checkpoint of trial 4 is left: full-train trains it anew, without --from-sweep"


# beside a confirmation over seeds


def test_a_confirmation_over_seeds_has_its_own_runs_and_the_last_one_counts(sweep):
    confirm(sweep, folds=None, top=2, seeds=2)
    over_seeds = read(sweep / "confirmation.json")
    confirm(sweep, top=2)
    assert read(sweep / "confirmation.json")["folds"] is not None
    assert recorded_status(sweep).confirming is None
    _, events = confirm(sweep, folds=None, top=2, seeds=2)
    assert ended(events) == []
    again = read(sweep / "confirmation.json")
    assert {**again, "created": ""} == {**over_seeds, "created": ""}
    assert "confirmed_folds" not in read(sweep / CONFIG)


def test_another_column_has_its_own_runs(sweep):
    trainer = FoldTrainer(columns={"chromosome": ("1", "2", "10"), "fold": ("1", "2")})
    confirm(sweep, trainer, top=2)
    result, events = confirm(sweep, trainer, top=2, folds="fold")
    assert len(ended(events)) == 4
    assert read(sweep / "confirmation.json")["folds"] == {"column": "fold", "groups": ["1", "2"]}
    assert result.finished == result.budget == 10, "those of the other column stay in the record"
    assert ended(confirm(sweep, trainer, top=2)[1]) == []


def test_a_further_trial_is_compared_with_the_search_alone(sweep):
    confirm(sweep, FoldTrainer(rises=dict.fromkeys(GROUPS, 9.0)), top=2)
    found = read_confirmation(sweep)
    best = recorded_status(sweep).best
    assert not found.is_superseded_by(best, Objective("score", "maximize"))
    config = SWEEP | {"parameters": {"x": {"values": [0.1, 0.2, 0.3, 0.4, 0.95]}, "rate": {"value": 0.5}}}
    run_sweep(SeedTrainer(noise=0), config, output_dir=sweep, resume=True, allow_config_change=True)
    assert read_best_config(sweep / CONFIG).parameters["x"] == 0.95, "the mean is one of other rows"


def test_the_model_of_a_fold_is_not_kept(sweep):
    confirm(sweep, top=2)
    assert list(sweep.glob("confirmation_folds/*/checkpoint")) == []
    assert read(sweep / DETAILS)["confirmation"]["run"] is None


PROGRAM = """
import sys
from support.confirming import FoldTrainer
from bertnado_sweep import confirm_sweep

confirm_sweep(FoldTrainer(dies_with=(0.3, 2), marker=sys.argv[2]), sys.argv[1], top=2, folds="chromosome")
"""


def test_a_kill_loses_no_finished_run_and_the_same_call_continues(sweep, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    died = subprocess.run([sys.executable, "-c", PROGRAM, str(sweep), str(tmp_path / "died")], env=environment)
    assert died.returncode == -9
    directory = sweep / "confirmation_folds"
    done = {path: path.read_bytes() for path in directory.glob("*/trial.json") if '"completed"' in path.read_text()}
    assert 2 <= len(done) < 6
    assert recorded_status(sweep).confirming == (len(done), 6)
    _, events = confirm(sweep, top=2)
    assert {path: path.read_bytes() for path in done} == done
    assert len(ended(events)) == 6 - len(done)
    assert {finalist["n"] for finalist in finalists_of(sweep).values()} == {3}


def test_runs_are_tracked_with_their_fold(sweep, tracked, read_runs):
    confirm(sweep, FoldTrainer(columns={"chromosome": ("1", "2")}), top=1)
    runs = read_runs(sweep / "confirmation_folds")
    assert sorted((run.config["fold"], run.config["seed"], run.config["x"]) for run in runs.values()) == [
        ("chromosome=1", 1, 0.3),
        ("chromosome=2", 2, 0.3),
    ]


# with the sweep itself


def test_a_sweep_confirms_over_folds_at_its_end_and_so_it_is_recorded(tmp_path):
    output = tmp_path / "sweep"
    options = {"confirm_top": 2, "confirm_folds": "chromosome"}
    run_sweep(FoldTrainer(), SWEEP, output_dir=output, backend="local", seed=7, **options)
    assert read(output / "confirmation.json")["seeds"] == [1, 2, 3]
    assert (read(output / "sweep.json")["confirm_folds"], read(output / "sweep.json")["confirm_seeds"]) == (
        "chromosome",
        None,
    )
    (output / "confirmation.json").unlink()
    run_sweep(FoldTrainer(), None, output_dir=output, resume=True)
    assert recorded_status(output).confirmation.folds == CHROMOSOMES


def refused(call):
    with pytest.raises(InvalidInputError) as caught:
        call()
    return [str(problem) for problem in caught.value.problems]


def test_what_is_wrong_with_the_folds_is_said_before_anything_starts(sweep, tmp_path):
    problem = ArgumentProblem("folds", "the group 1 of {folds} has one class")
    assert refused(lambda: confirm(sweep, FoldTrainer(problems=[problem]))) == ["the group 1 of folds has one class"]
    assert refused(lambda: confirm(sweep, folds="chromosom")) == ["no column 'chromosom' for folds"]
    assert refused(lambda: confirm(sweep, seeds=0)) == ["seeds must be at least 1, got 0"]
    assert refused(lambda: confirm(sweep, SeedTrainer())) == [
        "folds requires a trainer that can divide its data by a column, got SeedTrainer"
    ]
    assert not (sweep / "confirmation_folds").exists()

    def run(trainer, column="chromosome"):
        run_sweep(trainer, SWEEP, output_dir=tmp_path / "new", backend="local", confirm_top=1, confirm_folds=column)

    assert refused(lambda: run(FoldTrainer(), "chromosom")) == ["no column 'chromosom' for confirm_folds"]
    assert refused(lambda: run(FoldTrainer(problems=[problem]))) == ["the group 1 of confirm_folds has one class"]
    assert not (tmp_path / "new" / "sweep.json").exists()


def test_a_warning_about_the_folds_is_shown(sweep):
    problem = ArgumentProblem("folds", "few rows in {folds}", "warning")
    _, events = confirm(sweep, FoldTrainer(problems=[problem]), top=1)
    started = next(event for event in events if isinstance(event, SweepStarted))
    assert [str(warning) for warning in started.warnings] == ["few rows in folds"]


# in the report


def test_the_report_shows_the_value_in_each_fold_and_no_interval(sweep):
    _, _events = confirm(sweep, FoldTrainer(columns={"chromosome": ("1", "<b>2")}), top=2, seeds=2)
    status = recorded_status(sweep)
    assert [interval(finalist) for finalist in status.confirmation.finalists] == [None, None]
    page = "".join(map(str, section(gather(status)).parts))
    assert "score by the group that was validated on" in page
    assert "95% interval" not in page
    assert "&lt;b&gt;2" in page
    assert "<b>2" not in page
    for finalist in status.confirmation.finalists:
        seeds = [run.seed for run in finalist.runs if run.fold == "<b>2"]
        mean = statistics.mean(value_of(finalist.parameters["x"], seed) for seed in seeds)
        assert seeds == [2, 4]
        assert f'data-value="{finalist.value_in("<b>2")!r}"' in page
        assert finalist.value_in("<b>2") == pytest.approx(mean)
    assert "Bengio and Grandvalet" in page
