"""What a trial is asked to do follows from the file, the trials so far, its number and the seed, and nothing else."""

import math
import statistics
from dataclasses import replace

import pytest
from bertnado_config import parse_sweep_config
from bertnado_sweep.search.bayes import START_TRIALS, BayesSearch
from bertnado_sweep.search.grid import GridSearch
from bertnado_sweep.search.propose import propose
from bertnado_sweep.search.random import RandomSearch
from bertnado_sweep.testing import SearchMethodSuite
from bertnado_sweep.testing.suites.spaces import CHOICES, CONTINUOUS, FINITE_SPACES, keys_of, trial_of
from hypothesis import given
from hypothesis import strategies as st


class TestRandomSearch(SearchMethodSuite):
    """Random search conforms."""

    @pytest.fixture
    def method(self):
        return RandomSearch()


class TestGridSearch(SearchMethodSuite):
    """Grid search conforms."""

    uses_seed = False
    spaces = FINITE_SPACES

    @pytest.fixture
    def method(self):
        return GridSearch()


class TestBayesSearch(SearchMethodSuite):
    """Model-based search conforms."""

    @pytest.fixture
    def method(self):
        return BayesSearch()


def config_of(method, parameters):
    return parse_sweep_config({"method": method, "parameters": parameters})


def run(config, surface, count, *, seed=0, goal="maximize"):
    """`count` trials, one after the other."""
    trials = []
    for number in range(count):
        parameters = propose(config, goal, trials, number, seed)
        if parameters is None:
            break
        trials.append(trial_of(number, parameters, surface(parameters)))
    return trials


@pytest.mark.parametrize("method", ["random", "bayes", "grid"])
@given(seed=st.integers(0, 2**32 - 1))
def test_workers_that_know_nothing_of_each_other_start_at_different_points(method, seed):
    config = config_of(method, CHOICES if method == "grid" else {**CHOICES, **CONTINUOUS})
    starts = [propose(config, "maximize", [], number, seed) for number in range(6)]
    assert len(set(keys_of(starts))) == 6


@given(seed=st.integers(0, 2**32 - 1))
def test_quasi_random_starts_are_distinct_points_even_of_a_small_space(seed):
    config = config_of("bayes", CHOICES)
    starts = [propose(config, "maximize", [], number, seed) for number in range(6)]
    assert len(set(keys_of(starts))) == 6


def test_quasi_random_starts_are_spread_evenly():
    config = config_of("bayes", {"a": {"min": 0.0, "max": 1.0}, "b": {"min": 0.0, "max": 1.0}})
    for seed in range(20):
        starts = [propose(config, "maximize", [], number, seed) for number in range(START_TRIALS)]
        for name in ("a", "b"):
            assert sorted(int(start[name] * START_TRIALS) for start in starts) == list(range(START_TRIALS))


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
