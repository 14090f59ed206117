"""When two values of a sweep file are the same."""

import math

import pytest
from bertnado_config import value_key

DIFFERENT = [
    0,
    1,
    True,
    False,
    None,
    "1",
    "true",
    "",
    0.5,
    math.nan,
    math.inf,
    [],
    [1],
    [[1]],
    {},
    {"a": 1},
    {"a": [1]},
]


def test_different_values_have_different_keys():
    assert len({value_key(value) for value in DIFFERENT}) == len(DIFFERENT)
    assert len({value_key(value, exact=True) for value in DIFFERENT}) == len(DIFFERENT)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (math.nan, float("nan")),
        ((1, 2), [1, 2]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1: "x", "a": 2}, {"1": "x", "a": 2}),
    ],
)
def test_the_same_value_in_another_writing_has_the_same_key(first, second):
    assert value_key(first) == value_key(second)
    assert value_key(first, exact=True) == value_key(second, exact=True)


@pytest.mark.parametrize(("integer", "number"), [(1, 1.0), ([0], [0.0]), ({"a": -3}, {"a": -3.0}), (10**20, 1e20)])
def test_an_integer_is_the_same_as_its_float_unless_it_is_to_be_exact(integer, number):
    assert value_key(integer) == value_key(number)
    assert value_key(integer, exact=True) != value_key(number, exact=True)
