"""The best trial is the best eligible one, and the exported files say which."""

import json
import math
import subprocess
from pathlib import Path

import pytest
from bertnado_config import read_best_config
from bertnado_metrics import Objective
from bertnado_sweep import NoEligibleTrialError, Trial
from bertnado_sweep.records.best import choose_best, export_and_clean_up, export_best, read_export
from bertnado_sweep.records.files import git_commit, library_versions

HIGHER = Objective("eval/roc_auc", "maximize")
LOWER = Objective("eval/loss", "minimize")


def trial_of(number, value, state="completed", **others):
    return Trial(number, f"s-{number}", state, {"x": number}, Path("/s/t"), "", value=value, **others)


@pytest.mark.parametrize(
    ("objective", "trials", "best"),
    [
        (HIGHER, [trial_of(0, 0.5), trial_of(1, 0.9), trial_of(2, 0.7)], 1),
        (LOWER, [trial_of(0, 0.5), trial_of(1, 0.9), trial_of(2, 0.7)], 0),
        (HIGHER, [trial_of(0, 0.5), trial_of(1, 0.9, "stopped")], 1),
        (HIGHER, [trial_of(2, 0.9), trial_of(0, 0.5), trial_of(1, 0.9)], 1),
        (HIGHER, [trial_of(0, math.nan), trial_of(1, None), trial_of(2, -5.0)], 2),
        (LOWER, [trial_of(0, -math.inf), trial_of(1, 3.0)], 1),
        (HIGHER, [trial_of(n, 0.9, state) for n, state in enumerate(("failed", "interrupted", "running"))], None),
        (HIGHER, [], None),
    ],
)
def test_the_best_has_the_best_value_of_those_that_came_to_one_and_ties_go_to_the_earlier(objective, trials, best):
    chosen = choose_best(trials, objective)
    assert (chosen and chosen.number) == best


def test_the_export_is_the_parameters_and_the_objective_and_the_rest_lies_beside_it(tmp_path):
    best = trial_of(3, 0.9, seed=7, step=20, details={"arguments": {"bf16": True}, "dataset": "abc"})
    path = export_best(best, HIGHER, tmp_path, "s")
    assert json.loads(path.read_text()) == {
        "x": 3,
        "metric_for_best_model": "roc_auc",
        "greater_is_better": True,
        "optimization_metric": {"name": "eval/roc_auc", "goal": "maximize"},
    }
    assert read_best_config(path).parameters == {"x": 3}
    details = json.loads((tmp_path / "best_sweep_details.json").read_text())
    assert details == {
        "sweep_id": "s",
        "trial": "s-3",
        "number": 3,
        "host": None,
        "directory": "/s/t",
        "checkpoint": None,
        "objective": {"name": "eval/roc_auc", "goal": "maximize"},
        "value": 0.9,
        "step": 20,
        "seed": 7,
        "parameters": {"x": 3},
        "details": {"arguments": {"bf16": True}, "dataset": "abc"},
        "versions": library_versions(),
        "git_commit": git_commit(),
    }


def test_no_eligible_trial_is_an_error_that_names_each_reason_once():
    trials = [trial_of(n, None, "failed", error="ValueError: boom") for n in range(3)]
    trials.append(trial_of(3, None, "failed", error="no finite value: ..."))
    trials.append(trial_of(4, None, "interrupted"))
    message = str(NoEligibleTrialError(trials))
    assert message.count("ValueError: boom") == 1
    assert "3 of 5: ValueError: boom" in message
    assert "1 of 5: no finite value: ..." in message
    assert "1 of 5: interrupted" in message
    assert "no trial was run" in str(NoEligibleTrialError([]))


def test_the_commit_is_that_of_the_directory_and_absent_where_there_is_no_repository(tmp_path):
    assert git_commit(tmp_path) is None
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    for arguments in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    assert len(git_commit(tmp_path)) == 40


def test_versions_name_the_libraries_that_are_installed():
    versions = library_versions()
    assert {"python", "bertnado-sweep", "optuna", "wandb"} <= versions.keys()


def test_two_exports_that_ran_into_each_other_are_told_apart_from_one(tmp_path):
    first, second = trial_of(0, 0.9), trial_of(1, 0.5)
    export_best(second, HIGHER, tmp_path, "s")
    config = (tmp_path / "best_sweep_config.json").read_text()
    assert read_export(tmp_path).trial == "s-1"
    export_best(first, HIGHER, tmp_path, "s")
    (tmp_path / "best_sweep_config.json").write_text(config)  # as the slower of two processes would
    assert read_export(tmp_path) is None
    assert export_and_clean_up(lambda: [first, second], HIGHER, tmp_path, "s", "all") == first
    assert read_export(tmp_path).trial == "s-0"
