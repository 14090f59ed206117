"""What a trial is asked to do follows from the file, the trials so far, its number and the seed, and nothing else."""

import json
import math
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from bertnado_config import parse_sweep_config
from bertnado_sweep import Trial
from bertnado_sweep.search.bayes import START_TRIALS
from bertnado_sweep.search.propose import propose
from hypothesis import given
from hypothesis import strategies as st

CONTINUOUS = {"a": {"min": 0.0, "max": 1.0}, "b": {"distribution": "normal", "mu": 0.0, "sigma": 1.0}}
CHOICES = {"a": {"values": [1, 2, 4]}, "b": {"values": ["x", "y"]}, "c": {"value": [1, 2]}}
NESTED = {"optimizer": {"parameters": {"lr": {"min": 0.0, "max": 1.0}}}, "size": {"min": 1, "max": 9}}


def config_of(method, parameters):
    return parse_sweep_config({"method": method, "parameters": parameters})


def trial_of(number, parameters, value=None, state=None):
    state = state or ("running" if value is None else "completed")
    return Trial(number, f"s-{number}", state, parameters, Path("/t"), "2026-11-23T00:00:00Z", value=value)


def run(config, surface, count, *, seed=0, goal="maximize"):
    """`count` trials, one after the other."""
    trials = []
    for number in range(count):
        parameters = propose(config, goal, trials, number, seed)
        if parameters is None:
            break
        trials.append(trial_of(number, parameters, surface(parameters)))
    return trials


def points(trials):
    return [json.dumps(trial.parameters, sort_keys=True) for trial in trials]


@pytest.mark.parametrize("method", ["random", "bayes"])
@pytest.mark.parametrize("parameters", [CONTINUOUS, NESTED])
def test_the_same_arguments_give_the_same_proposals(method, parameters):
    config = config_of(method, parameters)
    surface = lambda values: float(len(json.dumps(values)))  # noqa: E731
    assert points(run(config, surface, 14)) == points(run(config, surface, 14))
    assert points(run(config, surface, 14)) != points(run(config, surface, 14, seed=1))


@pytest.mark.parametrize("method", ["random", "bayes", "grid"])
def test_a_proposal_does_not_depend_on_the_order_of_trials_or_of_the_file(method):
    parameters = CHOICES | {"d": {"values": [0.1, 0.2, 0.3]}} | ({} if method == "grid" else CONTINUOUS)
    config = config_of(method, parameters)
    turned = config_of(method, dict(reversed(parameters.items())))
    trials = run(config, lambda values: values["d"], 12)
    expected = propose(config, "maximize", trials, 12, 0)
    assert propose(config, "maximize", trials[::-1], 12, 0) == expected
    assert propose(turned, "maximize", trials, 12, 0) == expected


@pytest.mark.parametrize("method", ["random", "bayes", "grid"])
@given(seed=st.integers(0, 2**32 - 1))
def test_workers_that_know_nothing_of_each_other_start_at_different_points(method, seed):
    config = config_of(method, CHOICES if method == "grid" else CHOICES | CONTINUOUS)
    starts = [propose(config, "maximize", [], number, seed) for number in range(6)]
    assert len({json.dumps(start, sort_keys=True) for start in starts}) == 6


@given(seed=st.integers(0, 2**32 - 1))
def test_quasi_random_starts_are_distinct_points_even_of_a_small_space(seed):
    config = config_of("bayes", CHOICES)
    starts = [propose(config, "maximize", [], number, seed) for number in range(6)]
    assert len({json.dumps(start, sort_keys=True) for start in starts}) == 6


def test_quasi_random_starts_are_spread_evenly():
    config = config_of("bayes", {"a": {"min": 0.0, "max": 1.0}, "b": {"min": 0.0, "max": 1.0}})
    for seed in range(20):
        starts = [propose(config, "maximize", [], number, seed) for number in range(START_TRIALS)]
        for name in ("a", "b"):
            assert sorted(int(start[name] * START_TRIALS) for start in starts) == list(range(START_TRIALS))


@pytest.mark.parametrize("method", ["random", "bayes", "grid"])
def test_no_point_is_tried_twice_and_a_spent_space_ends_the_sweep(method):
    trials = run(config_of(method, CHOICES), lambda values: float(values["a"]), 50)
    assert len(trials) == len(set(points(trials))) == 6


@pytest.mark.parametrize("state", ["running", "failed", "interrupted", "stopped"])
@pytest.mark.parametrize("method", ["random", "bayes", "grid"])
def test_a_trial_counts_as_tried_whatever_became_of_it(method, state):
    config = config_of(method, {"a": {"values": [1, 2]}})
    trials = [trial_of(0, {"a": 1}, state=state)]
    assert propose(config, "maximize", trials, 1, 0) == {"a": 2}
    assert propose(config, "maximize", [*trials, trial_of(1, {"a": 2}, state=state)], 2, 0) is None


def test_a_space_that_cannot_be_enumerated_is_spent_when_nothing_new_is_found():
    config = config_of("random", {"a": {"distribution": "q_normal", "mu": 0, "sigma": 0.01, "q": 1}})
    trials = run(config, lambda values: 0.0, 5)
    assert [trial.parameters for trial in trials] == [{"a": 0}]


def test_a_grid_goes_through_its_points_in_order_and_comes_back_to_what_was_left_out():
    config = config_of("grid", {"a": {"values": [1, 2, 3]}, "b": {"values": ["x", "y"]}})
    trials = run(config, lambda values: 0.0, 9)
    assert [tuple(trial.parameters.values()) for trial in trials] == [
        *((1, "x"), (1, "y"), (2, "x"), (2, "y"), (3, "x"), (3, "y"))
    ]
    assert propose(config, "maximize", trials[1:], 6, 0) == {"a": 1, "b": "x"}


def test_constants_are_part_of_every_proposal():
    config = config_of("bayes", {"a": {"min": 0.0, "max": 1.0}, "c": {"value": [1, 2]}})
    assert all(trial.parameters["c"] == [1, 2] for trial in run(config, lambda values: values["a"], 12))


@pytest.mark.parametrize("method", ["random", "bayes", "grid"])
def test_a_space_of_constants_has_one_trial(method):
    trials = run(config_of(method, {"c": {"value": 3}}), lambda values: 0.0, 3)
    assert [trial.parameters for trial in trials] == [{"c": 3}]


def test_trials_without_a_value_are_bad_to_the_model():
    """Everything above one half fails; the model learns to keep away from it."""
    config = config_of("bayes", {"a": {"min": 0.0, "max": 1.0}})
    late = []
    for seed in range(10):
        trials = []
        for number in range(24):
            parameters = propose(config, "minimize", trials, number, seed)
            fails = parameters["a"] > 0.5
            trials.append(
                trial_of(number, parameters, state="failed")
                if fails
                else trial_of(number, parameters, (parameters["a"] - 0.4) ** 2)
            )
        late += [trial.state == "failed" for trial in trials[START_TRIALS:]]
    assert statistics.mean(late) < 0.35


def test_a_sweep_in_which_everything_failed_goes_on_spreading_its_trials():
    config = config_of("bayes", {"a": {"min": 0.0, "max": 1.0}})
    trials = []
    for number in range(16):
        parameters = propose(config, "maximize", trials, number, 0)
        trials.append(trial_of(number, parameters, state="failed"))
    assert sorted(int(trial.parameters["a"] * 16) for trial in trials) == list(range(16))


def test_the_model_keeps_away_from_trials_that_are_still_running():
    config = config_of("bayes", {"a": {"min": 0.0, "max": 1.0}})
    trials = run(config, lambda values: -abs(values["a"] - 0.5), 12)
    together = list(trials)
    for number in range(12, 20):
        together.append(trial_of(number, propose(config, "maximize", together, number, 0)))
    found = [trial.parameters["a"] for trial in together[12:]]
    assert len(set(found)) == len(found)
    assert max(found) - min(found) > 0.02


def surface(values):
    """A ridge in the learning rate, a preferred size and schedule; the best is 0."""
    loss = (math.log10(values["lr"]) + 4) ** 2 + 0.3 * math.log2(values["size"] / 8) ** 2
    return -loss - 0.2 * (values["schedule"] != "cosine") - (values["decay"] - 0.1) ** 2


SURFACE_SPACE = {
    "lr": {"distribution": "log_uniform_values", "min": 1e-7, "max": 1e-1},
    "size": {"values": [2, 4, 8, 16, 32]},
    "schedule": {"values": ["linear", "cosine", "constant"]},
    "decay": {"min": 0.0, "max": 0.3},
}


@pytest.mark.parametrize("goal", ["maximize", "minimize"])
def test_bayes_finds_a_better_optimum_than_random_does(goal):
    sign = 1 if goal == "maximize" else -1

    def regret(method, seed):
        config = config_of(method, SURFACE_SPACE)
        trials = run(config, lambda values: sign * surface(values), 30, seed=seed, goal=goal)
        return -max(sign * trial.value for trial in trials)

    bayes = [regret("bayes", seed) for seed in range(20)]
    chance = [regret("random", seed) for seed in range(20)]
    assert statistics.mean(bayes) < 0.8 * statistics.mean(chance)


def test_stopped_trials_count_with_their_value():
    config = config_of("bayes", {"a": {"min": 0.0, "max": 1.0}})
    completed = run(config, lambda values: -abs(values["a"] - 0.5), 12)
    stopped = [replace(trial, state="stopped") for trial in completed]
    assert propose(config, "maximize", stopped, 12, 0) == propose(config, "maximize", completed, 12, 0)
