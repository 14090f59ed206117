"""Every parameter form is a quantile function: inside its bounds, increasing, invertible, and scipy's."""

import math
import pickle

import numpy as np
import pytest
from bertnado_config import (
    FORMS,
    Beta,
    Categorical,
    CategoricalWithProbabilities,
    Constant,
    IntUniform,
    InvLogUniform,
    InvLogUniformValues,
    LogNormal,
    LogUniform,
    LogUniformValues,
    Normal,
    QBeta,
    QLogNormal,
    QLogUniform,
    QLogUniformValues,
    QNormal,
    QUniform,
    Uniform,
)
from hypothesis import assume, given
from hypothesis import strategies as st

quantiles = st.floats(0.0, 1.0)
numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
steps = st.sampled_from([1, 5, 64, 0.1, 0.25, 0.003, 2.5])


@st.composite
def ranges(draw, bounds, scale=1e-9):
    """Two bounds that are not nearly the same, measured by themselves and by `scale`."""
    lowest, highest = sorted((draw(bounds), draw(bounds)))
    assume(highest - lowest > 1e-6 * max(abs(lowest), abs(highest), scale))
    return lowest, highest


@st.composite
def quantised(draw, form, bounds, to_values=float):
    """A quantised form whose range holds at least one step."""
    lowest, highest = draw(bounds)
    q = draw(steps)
    assume(to_values(highest) - to_values(lowest) > 1.01 * q)
    return form(lowest, highest, q)


@st.composite
def weighed(draw):
    """Values with probabilities that sum to 1; some may be 0."""
    weights = draw(st.lists(st.integers(0, 20), min_size=1, max_size=6).filter(any))
    values = draw(st.permutations(range(len(weights))))
    return CategoricalWithProbabilities(tuple(values), tuple(weight / sum(weights) for weight in weights))


values = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.floats(-1e9, 1e9), st.lists(st.integers()))
numeric_values = st.lists(st.integers(-99, 99) | st.floats(-9, 9), min_size=1, unique=True)
sigmas = st.floats(1e-3, 1e3)
shapes = st.floats(0.3, 20)
positive = st.floats(1e-9, 1e9)
exponents = st.floats(-20, 20)

CONTINUOUS = st.one_of(
    ranges(numbers).map(lambda pair: Uniform(*pair)),
    ranges(positive).map(lambda pair: LogUniformValues(*pair)),
    ranges(positive).map(lambda pair: InvLogUniformValues(*pair)),
    ranges(exponents, 1.0).map(lambda pair: LogUniform(*pair)),
    ranges(exponents, 1.0).map(lambda pair: InvLogUniform(*pair)),
    st.builds(Normal, numbers, sigmas),
    st.builds(LogNormal, st.floats(-20, 20), st.floats(1e-3, 5)),
    st.builds(Beta, shapes, shapes),
)
QUANTISED = st.one_of(
    quantised(QUniform, ranges(st.floats(-1e3, 1e3))),
    quantised(QUniform, ranges(st.integers(-1000, 1000))),
    quantised(QLogUniformValues, ranges(st.floats(1e-3, 1e4))),
    quantised(QLogUniform, ranges(st.floats(-5, 9), 1.0), math.exp),
    st.builds(QNormal, st.floats(-1e3, 1e3), st.floats(0.1, 100), steps),
    st.builds(QLogNormal, st.floats(-2, 5), st.floats(0.1, 2), steps),
    st.builds(QBeta, shapes, shapes, st.sampled_from([1, 0.5, 0.1, 0.01])),
)
LISTED = st.one_of(
    st.builds(Constant, values),
    st.lists(values, min_size=1, unique_by=repr).map(tuple).filter(lambda v: not _has_equal(v)).map(Categorical),
    numeric_values.map(tuple).map(Categorical),
    weighed(),
    ranges(st.integers(-(10**12), 10**12)).map(lambda pair: IntUniform(*pair)),
)
EVERY_FORM = CONTINUOUS | QUANTISED | LISTED


def _has_equal(candidates):
    return any(a == b for place, a in enumerate(candidates) for b in candidates[:place])


@given(EVERY_FORM, quantiles)
def test_a_value_lies_inside_the_bounds(form, u):
    if form.bounds is not None:
        lowest, highest = form.bounds
        assert lowest <= form.from_unit(u) <= highest
        assert math.isfinite(form.from_unit(u))


@given(EVERY_FORM)
def test_the_ends_of_the_unit_interval_give_values(form):
    ends = form.from_unit(0.0), form.from_unit(1.0)
    if form.choices is not None:
        assert all(end in form.choices for end in ends)
    else:
        assert all(math.isfinite(end) for end in ends)


@given(EVERY_FORM, quantiles, quantiles)
def test_values_with_an_order_never_decrease(form, u, v):
    if form.is_ordered:
        assert form.from_unit(min(u, v)) <= form.from_unit(max(u, v))


@given(QUANTISED | LISTED, quantiles)
def test_integers_choices_and_multiples_are_found_again_exactly(form, u):
    value = form.from_unit(u)
    again = form.from_unit(form.to_unit(value))
    assert again == value
    assert type(again) is type(value)


@given(CONTINUOUS, quantiles)
def test_real_numbers_are_found_again_to_nine_digits(form, u):
    """Relative to the value, or to the spread where a range crosses 0."""
    value = form.from_unit(u)
    spread = form.from_unit(1.0) - form.from_unit(0.0) if form.from_unit(0.0) < 0 else 0.0
    assert math.isclose(form.from_unit(form.to_unit(value)), value, rel_tol=1e-9, abs_tol=1e-9 * spread)


@given(EVERY_FORM, quantiles)
def test_the_place_of_a_value_is_a_quantile(form, u):
    assert 0.0 <= form.to_unit(form.from_unit(u)) <= 1.0


@given(EVERY_FORM)
def test_a_quantile_outside_the_unit_interval_is_refused(form):
    for u in (-1e-9, 1.1, math.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            form.from_unit(u)


@given(QUANTISED | LISTED)
def test_what_can_be_enumerated_is_enumerated_once_and_found(form):
    choices = form.choices
    if choices is None:
        assert form.cardinality is None
        return
    assert form.cardinality == len(choices)
    some = [choices[place] for place in {0, len(choices) // 2, len(choices) - 1}]
    assert [form.from_unit(form.to_unit(choice)) for choice in some] == some
    assert len({repr(choice) for choice in choices[:1000]}) == len(choices[:1000])


@given(CONTINUOUS)
def test_real_numbers_cannot_be_enumerated(form):
    assert form.choices is None
    assert form.cardinality is None


@given(ranges(st.integers(-(10**12), 10**12)), quantiles)
def test_an_integer_stays_an_integer(bounds, u):
    assert type(IntUniform(*bounds).from_unit(u)) is int


@given(QUANTISED, quantiles)
def test_an_integer_step_gives_integers_and_any_other_floats(form, u):
    assert type(form.from_unit(u)) is type(form.q)


@given(QUANTISED, quantiles)
def test_a_quantised_value_is_a_multiple_of_its_step(form, u):
    value = form.from_unit(u)
    assert math.isclose(round(value / form.q) * form.q, value, rel_tol=1e-12)


@given(EVERY_FORM, quantiles)
def test_values_are_plain_python_ones(form, u):
    assert type(form.from_unit(np.float64(u))) in (int, float, str, bool, type(None), list)


@given(EVERY_FORM)
def test_a_form_survives_pickling(form):
    assert pickle.loads(pickle.dumps(form)) == form


def scipy_twins():
    """Forms beside the scipy distribution that each of them is."""
    from scipy import stats

    return [
        (Uniform(-2, 3.5), stats.uniform(-2, 5.5)),
        (IntUniform(-3, 12), stats.randint(-3, 13)),
        (LogUniformValues(1e-6, 5e-5), stats.loguniform(1e-6, 5e-5)),
        (InvLogUniformValues(1e-3, 10.0), stats.loguniform(1e-3, 10)),
        (LogUniform(-3, 2), stats.loguniform(math.exp(-3), math.exp(2))),
        (InvLogUniform(-3, 2), stats.loguniform(math.exp(-2), math.exp(3))),
        (Normal(3, 0.5), stats.norm(3, 0.5)),
        (LogNormal(-1, 0.7), stats.lognorm(s=0.7, scale=math.exp(-1))),
        (Beta(2, 5), stats.beta(2, 5)),
        (Categorical(tuple(range(10))), stats.randint(0, 10)),
        (CategoricalWithProbabilities((1, 2), (0.3, 0.7)), stats.rv_discrete(values=([1, 2], [0.3, 0.7]))),
    ]


def names(pairs):
    return [type(form).distribution for form, _ in pairs]


@pytest.mark.parametrize(("form", "twin"), scipy_twins(), ids=names(scipy_twins()))
def test_quantiles_are_those_of_scipy(form, twin):
    inner = np.linspace(0.0005, 0.9995, 997)
    assert [form.from_unit(u) for u in inner] == pytest.approx(twin.ppf(inner), rel=1e-9)


@pytest.mark.parametrize(("form", "twin"), scipy_twins(), ids=names(scipy_twins()))
def test_moments_are_those_of_scipy(form, twin):
    """The mean and the standard deviation over a fine, even grid of quantiles."""
    grid = (np.arange(20_000) + 0.5) / 20_000
    sample = np.array([form.from_unit(u) for u in grid])
    mean, variance = (float(moment) for moment in twin.stats(moments="mv"))
    assert sample.mean() == pytest.approx(mean, rel=1e-3, abs=1e-9)
    assert sample.std() == pytest.approx(math.sqrt(variance), rel=5e-3)


@pytest.mark.parametrize(
    ("form", "continuous"),
    [
        (QUniform(0, 10, 2), Uniform(0, 10)),
        (QLogUniformValues(10, 1000, 10), LogUniformValues(10, 1000)),
        (QLogUniform(1, 5, 0.5), LogUniform(1, 5)),
        (QNormal(10, 4, 0.5), Normal(10, 4)),
        (QLogNormal(2, 1, 3), LogNormal(2, 1)),
        (QBeta(2, 2, 0.05), Beta(2, 2)),
    ],
)
def test_a_quantised_value_is_the_multiple_nearest_to_the_continuous_one(form, continuous):
    for u in np.linspace(0.01, 0.99, 199):
        assert abs(form.from_unit(u) - continuous.from_unit(u)) <= form.q / 2 * (1 + 1e-12)


def test_every_distribution_of_wandb_has_a_form():
    names = """
        constant categorical categorical_w_probabilities int_uniform uniform q_uniform
        log_uniform log_uniform_values q_log_uniform q_log_uniform_values inv_log_uniform inv_log_uniform_values
        normal q_normal log_normal q_log_normal beta q_beta
    """
    assert set(FORMS) == set(names.split())


IMPOSSIBLE = [
    (lambda: Uniform(2, 1), "min must be below max 1, got 2"),
    (lambda: Uniform(1, 1), "min must be below max 1, got 1"),
    (lambda: Uniform(math.nan, 1), "min must be finite, got NaN"),
    (lambda: Uniform(0, math.inf), "max must be finite, got inf"),
    (lambda: Uniform(-1.7e308, 1.7e308), "farther from min than a float can hold"),
    (lambda: IntUniform(3, 3), "min must be below max 3, got 3"),
    (lambda: IntUniform(0, 2**60), "must be less than 2**50 above min"),
    (lambda: LogUniformValues(0, 1), "min must be above 0 on a log scale, got 0"),
    (lambda: LogUniformValues(-1, 1), "min must be above 0 on a log scale, got -1"),
    (lambda: InvLogUniformValues(0, 1), "min must be above 0 on a log scale, got 0"),
    (lambda: LogUniform(2, 1), "min must be below max 1, got 2"),
    (lambda: LogUniform(0, 1e6), "max must be a base-e exponent between -700 and 700, got 1000000.0"),
    (lambda: InvLogUniform(-1000, 1), "min must be a base-e exponent between -700 and 700, got -1000"),
    (lambda: InvLogUniform(0, 1e-12), "max is too close to min"),
    (lambda: LogUniformValues(1, 1 + 1e-12), "max is too close to min"),
    (lambda: Beta(1, 1e300), "b must be above 0 and at most 1e+06, got 1e+300"),
    (lambda: Normal(0, 0), "sigma must be above 0, got 0"),
    (lambda: LogNormal(0, -1), "sigma must be above 0, got -1"),
    (lambda: LogNormal(0, 500), "in the range of floats"),
    (lambda: Beta(0, 1), "a must be above 0 and at most 1e+06, got 0"),
    (lambda: QUniform(0, 1, 0), "q must be above 0, got 0"),
    (lambda: QUniform(0, 1, 2), "q must not exceed the range from 0.0 to 1.0, got 2"),
    (lambda: QUniform(0, 1, 1e-15), "q must be larger for values up to 1, got 1e-15"),
    (lambda: QLogUniformValues(0, 10, 1), "min must be above 0 on a log scale, got 0"),
    (lambda: QNormal(0, 1, 1e-300), "q must be larger for values up to 4.75342, got 1e-300"),
    (lambda: QBeta(1, 1, 1.5), "q must not exceed the range from 0.0 to 1.0, got 1.5"),
    (lambda: Categorical(()), "values must list at least one value"),
    (lambda: Categorical((1, 2, 1.0)), "values must list each value once, got 1.0 more than once"),
    (lambda: Categorical((1, math.nan)), "values must be finite, got NaN"),
    (
        lambda: CategoricalWithProbabilities((1, 2), (1.0,)),
        "probabilities must have one entry per value, got 1 for 2 values",
    ),
    (lambda: CategoricalWithProbabilities((1, 2), (0.5, 0.6)), "probabilities must sum to 1, got 1.1"),
    (lambda: CategoricalWithProbabilities((1, 2), (1.5, -0.5)), "probabilities must be between 0 and 1, got -0.5"),
    (lambda: Constant(math.inf), "value must be finite, got inf"),
]


@pytest.mark.parametrize(("make", "message"), IMPOSSIBLE, ids=[message for _, message in IMPOSSIBLE])
def test_an_impossible_parameter_cannot_be_made(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)


def test_an_impossible_parameter_names_every_broken_rule():
    with pytest.raises(ValueError) as caught:
        QLogUniformValues(-1, -2, -3)
    assert str(caught.value) == (
        "q must be above 0, got -3; min must be above 0 on a log scale, got -1; "
        "min must be below max -2, got -1; swap the two"
    )


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (Uniform(0, 1), 1.5),
        (Uniform(0, 1), "a"),
        (IntUniform(0, 5), 2.5),
        (IntUniform(0, 5), 6),
        (LogUniformValues(1e-5, 1e-3), 0.1),
        (QUniform(0, 10, 2), 3),
        (Categorical(("a", "b")), "c"),
        (Categorical((0, 1)), True),
        (CategoricalWithProbabilities(("a", "b"), (1.0, 0.0)), "b"),
        (Constant(1), 2),
    ],
)
def test_a_value_that_the_parameter_does_not_take_has_no_place(form, value):
    with pytest.raises(ValueError):
        form.to_unit(value)


def test_numbers_in_a_list_lie_in_increasing_order_on_the_unit_interval():
    form = Categorical((16, 4, 8))
    assert form.is_ordered
    assert form.bounds == (4, 16)
    assert [form.from_unit(u) for u in (0.0, 0.5, 1.0)] == [4, 8, 16]


def test_the_choices_of_a_list_keep_the_order_of_the_file():
    assert Categorical((16, 4, 8)).choices == (16, 4, 8)


@pytest.mark.parametrize("listed", [("a", "b"), (True, False), (1, None), (1, True), ([1], [2])])
def test_other_values_have_no_order(listed):
    assert not Categorical(listed).is_ordered


def test_a_value_of_probability_0_is_never_proposed():
    form = CategoricalWithProbabilities(("a", "b", "c"), (0.5, 0.0, 0.5))
    assert form.choices == ("a", "c")
    assert {form.from_unit(u) for u in np.linspace(0, 1, 101)} == {"a", "c"}


def test_a_constant_has_one_value_and_no_order():
    form = Constant([1, 2])
    assert (form.choices, form.cardinality, form.is_ordered) == (([1, 2],), 1, False)


def test_a_huge_range_is_enumerated_lazily():
    form = IntUniform(0, 10**12)
    assert form.cardinality == 10**12 + 1
    assert form.choices[10**11] == 10**11


def test_multiples_read_as_a_person_writes_them():
    assert list(QUniform(0, 0.7, 0.1).choices) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


def test_multiples_inside_the_bounds_are_enumerated_and_no_others():
    assert list(QUniform(1, 11, 4).choices) == [4, 8]
    assert list(QLogUniformValues(5, 50, 10).choices) == [10, 20, 30, 40, 50]
    assert list(QBeta(2, 2, 0.25).choices) == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_the_exponent_nearest_to_a_round_number_means_that_number():
    assert LogUniform(math.log(10), math.log(1000)).bounds == (10.0, 1000.0)
    assert QLogUniform(math.log(10), math.log(1000), 10).bounds == (10, 1000)


def test_the_step_is_1_where_none_is_given_and_gives_integers():
    assert [QUniform(0, 3).from_unit(u) for u in (0.0, 0.4, 1.0)] == [0, 1, 3]
    assert type(QNormal(100, 10).from_unit(0.4)) is int
