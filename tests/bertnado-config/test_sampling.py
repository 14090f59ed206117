"""Trials drawn from a sweep: at random, by a grid, and from nested to flat and back."""

from itertools import islice

import numpy as np
import pytest
from bertnado_config import (
    SweepConfigError,
    flatten_parameters,
    grid_parameters,
    grid_point,
    grid_size,
    nest_parameters,
    parameter_label,
    parameter_place,
    parse_sweep_config,
    sample_parameters,
)
from hypothesis import given
from hypothesis import strategies as st

MIXED = {
    "learning_rate": {"distribution": "log_uniform_values", "min": 1e-6, "max": 1e-3},
    "epochs": {"min": 2, "max": 9},
    "scheduler": {"values": ["linear", "cosine"]},
    "head": {"parameters": {"dropout": {"min": 0.0, "max": 0.5}, "layers": {"value": [8, 8]}}},
}


def parse(parameters, method="random"):
    return parse_sweep_config({"method": method, "parameters": parameters})


@given(st.integers(0, 2**32))
def test_a_sample_has_a_value_of_every_parameter_where_the_file_nests_it(seed):
    sample = sample_parameters(parse(MIXED), np.random.default_rng(seed))
    assert list(sample) == ["learning_rate", "epochs", "scheduler", "head"]
    assert 1e-6 <= sample["learning_rate"] <= 1e-3
    assert sample["epochs"] in range(2, 10)
    assert sample["scheduler"] in ("linear", "cosine")
    assert 0.0 <= sample["head"]["dropout"] <= 0.5
    assert sample["head"]["layers"] == [8, 8]


def test_the_same_seed_draws_the_same_trials():
    first, second = (np.random.default_rng(7) for _ in range(2))
    config = parse(MIXED)
    draws = [sample_parameters(config, first) for _ in range(5)]
    assert draws == [sample_parameters(config, second) for _ in range(5)]
    assert len({draw["learning_rate"] for draw in draws}) == 5


def test_a_draw_does_not_depend_on_the_order_of_the_file():
    reversed_file = parse(dict(reversed(MIXED.items())))
    draws = [sample_parameters(config, np.random.default_rng(7)) for config in (parse(MIXED), reversed_file)]
    assert draws[0] == draws[1]


def test_two_trials_share_nothing():
    config = parse(MIXED)
    first, second = (sample_parameters(config, np.random.default_rng(1)) for _ in range(2))
    first["head"]["layers"].append(16)
    assert second["head"]["layers"] == [8, 8]


def test_a_grid_goes_through_sorted_names_the_last_one_fastest_and_ends():
    config = parse({"b": {"min": 1, "max": 3}, "a": {"values": ["x", "y"]}, "c": {"value": 0}}, "grid")
    assert list(grid_parameters(config)) == [
        {"b": 1, "a": "x", "c": 0},
        {"b": 2, "a": "x", "c": 0},
        {"b": 3, "a": "x", "c": 0},
        {"b": 1, "a": "y", "c": 0},
        {"b": 2, "a": "y", "c": 0},
        {"b": 3, "a": "y", "c": 0},
    ]


@pytest.mark.parametrize(
    ("declared", "points"),
    [
        ({"value": 5}, [5]),
        ({"values": [3, 1, 2]}, [3, 1, 2]),
        ({"values": ["a", "b"], "probabilities": [0.9, 0.1]}, ["a", "b"]),
        ({"min": -1, "max": 1}, [-1, 0, 1]),
        ({"distribution": "q_uniform", "min": 0, "max": 0.3, "q": 0.1}, [0.0, 0.1, 0.2, 0.3]),
        ({"distribution": "q_log_uniform_values", "min": 8, "max": 30, "q": 8}, [8, 16, 24]),
        ({"distribution": "q_beta", "a": 2, "b": 2, "q": 0.5}, [0.0, 0.5, 1.0]),
    ],
    ids=str,
)
def test_a_grid_enumerates_every_finite_form(declared, points):
    config = parse({"x": declared}, "grid")
    assert [point["x"] for point in grid_parameters(config)] == points


def test_a_grid_larger_than_memory_is_walked_lazily_and_reached_anywhere():
    config = parse({"a": {"min": 1, "max": 10**9}, "b": {"min": 1, "max": 10**9}}, "grid")
    assert grid_size(config) == 10**18
    assert list(islice(grid_parameters(config), 2)) == [{"a": 1, "b": 1}, {"a": 1, "b": 2}]
    assert grid_point(config, 10**18 - 1) == {"a": 10**9, "b": 10**9}


def test_a_point_beyond_the_grid_is_refused():
    config = parse({"a": {"values": [1, 2]}}, "grid")
    for index in (-1, 2):
        with pytest.raises(IndexError, match="index must be from 0 to 1, got "):
            grid_point(config, index)


def test_a_grid_names_everything_that_it_cannot_enumerate_before_its_first_point():
    with pytest.raises(SweepConfigError) as caught:
        grid_parameters(parse(MIXED))
    assert [problem.path for problem in caught.value.problems] == [
        "parameters.learning_rate",
        "parameters.head.parameters.dropout",
    ]


def test_values_are_nested_by_their_paths():
    values = {("a",): 1, ("b", "c"): 2, ("b", "d", "e"): 3, ("f.g",): 4}
    assert nest_parameters(values) == {"a": 1, "b": {"c": 2, "d": {"e": 3}}, "f.g": 4}


def test_a_path_through_another_ones_value_is_refused():
    with pytest.raises(ValueError, match=r"a has a value, so it cannot contain a\.b"):
        nest_parameters({("a",): {"c": 1}, ("a", "b"): 2})


@given(st.integers(0, 2**32))
def test_nested_values_are_flattened_to_the_declared_paths(seed):
    config = parse(MIXED)
    sample = sample_parameters(config, np.random.default_rng(seed))
    flat = flatten_parameters(config, sample | {"_wandb": {}, "output_dir": "x"})
    assert list(flat) == list(config.space)
    assert nest_parameters(flat) == sample


def test_flattening_names_every_parameter_that_is_missing():
    with pytest.raises(ValueError, match=r"a value is missing for epochs, head\.dropout, head\.layers"):
        flatten_parameters(parse(MIXED), {"learning_rate": 1e-5, "scheduler": "linear", "head": 3})


def test_the_place_of_a_parameter_is_its_path_in_the_file():
    assert parameter_place(("lr",)) == "parameters.lr"
    assert parameter_place(("optimizer", "lr")) == "parameters.optimizer.parameters.lr"


def test_a_label_joins_the_names_of_a_path():
    assert parameter_label(("training_args", "warmup_steps")) == "training_args.warmup_steps"
