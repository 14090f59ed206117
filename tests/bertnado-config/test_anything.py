"""Whatever a file holds, the answer is a sweep that works or an error that says why not."""

import json
from dataclasses import fields

import numpy as np
from bertnado_config import FORMS, SweepConfigError, parse_sweep_config, sample_parameters
from hypothesis import given
from hypothesis import strategies as st

words = st.sampled_from(
    ["1e-5", "16", "None", "true", "adam", "", "grid", "random", "hyperband", "maximize", "maximum"]
)
scalars = (
    st.none() | st.booleans() | st.integers(-3, 50) | st.floats() | words | st.sampled_from([10**400, 1e308, -0.0])
)
form_keys = (
    "distribution",
    "value",
    "values",
    "min",
    "max",
    "q",
    "mu",
    "sigma",
    "a",
    "b",
    "probabilities",
    "parameters",
)
keys = st.sampled_from([*form_keys, "lr", "x.y", "", "no name", 3])
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)
numbers = st.integers(-3, 50) | st.floats(-100, 100) | words | scalars
usual = {
    **dict.fromkeys(["min", "mu"], st.integers(-3, 9) | st.floats(-3, 9)),
    "max": st.integers(10, 50) | st.floats(10, 50),
    **dict.fromkeys(["q", "sigma", "a", "b"], st.sampled_from([1, 0.5, 2, "1e-1"])),
    "value": scalars,
    "values": st.lists(words | st.integers(), min_size=1),
    "probabilities": st.just([0.25, 0.75]),
}


@st.composite
def forms(draw):
    """The keys of a form, most of them with values that it takes."""
    distribution = draw(st.sampled_from(sorted(FORMS)))
    keys_of_form = [field.name for field in fields(FORMS[distribution])]
    declared = {key: draw(usual[key] | numbers if draw(st.integers(0, 9)) == 0 else usual[key]) for key in keys_of_form}
    return declared if draw(st.booleans()) else {"distribution": distribution, **declared}


listed = st.fixed_dictionaries({"values": st.lists(scalars) | scalars}, optional={"probabilities": st.lists(numbers)})
parameters = st.dictionaries(keys, forms() | listed | anything, max_size=4)
sections = st.fixed_dictionaries(
    {"method": st.sampled_from(["grid", "random", "bayes"]) | scalars, "parameters": parameters | anything},
    optional={
        "metric": st.dictionaries(st.sampled_from(["name", "goal", "target", "impute"]), scalars) | scalars,
        "early_terminate": st.dictionaries(st.sampled_from(["type", "min_iter", "max_iter", "s", "eta"]), numbers)
        | scalars,
        "run_cap": scalars,
        "name": scalars,
        "command": anything,
        "controller": anything,
        "count": scalars,
    },
)


def read(file):
    """The sweep, or the error."""
    try:
        return parse_sweep_config(file)
    except SweepConfigError as error:
        return error


@given(sections | anything)
def test_a_file_is_a_sweep_or_an_error(file):
    answer = read(file)
    if isinstance(answer, SweepConfigError):
        assert answer.problems
        assert all(problem.message and problem.severity == "error" for problem in answer.problems)


@given(st.dictionaries(st.sampled_from(["lr", "x"]), forms(), min_size=1))
def test_a_sweep_can_be_drawn_from_and_its_normalised_file_is_the_same_sweep(declared):
    config = read({"method": "random", "parameters": declared})
    if isinstance(config, SweepConfigError):
        return
    sample = sample_parameters(config, np.random.default_rng(1))
    assert list(sample) == list(declared)
    assert json.loads(json.dumps(sample, allow_nan=False)) == sample
    normalised = config.to_wandb()
    again = parse_sweep_config(json.loads(json.dumps(normalised, allow_nan=False)))
    assert again.space == config.space
    assert again.to_wandb() == normalised
