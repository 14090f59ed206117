"""Early termination is W&B's, decision by decision."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from bertnado_config import Hyperband
from hypothesis import given
from hypothesis import strategies as st

CASES = json.loads((Path(__file__).parent / "data" / "hyperband_cases.json").read_text())


def should_stop(hyperband, *histories):
    return hyperband.should_stop("maximize", *histories)


def histories_of(case):
    return [[float(value) for value in trial["history"]] for trial in case["trials"]]


def stopped_of(case):
    """The running trials that are stopped; `None` where the section is refused."""
    try:
        hyperband = Hyperband(**case["early_terminate"])
    except ValueError:
        return None
    histories = histories_of(case)
    return [
        number
        for number, trial in enumerate(case["trials"])
        if trial["running"]
        and hyperband.should_stop(case["goal"], histories[number], histories[:number] + histories[number + 1 :])
    ]


def test_every_recorded_decision_of_wandbs_engine_is_made_again():
    assert [stopped_of(case) for case in CASES] == [case["stopped"] for case in CASES]


def test_the_recorded_cases_cover_stops_refusals_and_both_strict_settings():
    assert len(CASES) >= 300
    assert sum(bool(case["stopped"]) for case in CASES) >= 100
    assert any(case["stopped"] is None for case in CASES)
    assert {case["early_terminate"].get("strict") for case in CASES} == {True, False, None}


@pytest.mark.parametrize(
    ("hyperband", "longest", "bands"),
    [
        (Hyperband(min_iter=3, eta=3), 30, (3, 9, 27)),
        (Hyperband(min_iter=3, eta=3), 2, ()),
        (Hyperband(min_iter=1, eta=1.5), 5, (1, 2, 3, 5)),
        (Hyperband(min_iter=1, eta=1.01), 10**6, (1, 2)),
        (Hyperband(max_iter=27, s=2), 27, (3, 9)),
        (Hyperband(max_iter=27, s=9, eta=2), 5, (1, 3)),
    ],
)
def test_bands_are_those_that_a_trial_has_reached(hyperband, longest, bands):
    assert hyperband.bands(longest) == bands


def test_a_trial_without_rivals_is_never_stopped():
    assert not should_stop(Hyperband(min_iter=1), [0.5, 0.4, 0.3], [])


def test_values_that_are_no_numbers_do_not_count_as_iterations():
    hyperband = Hyperband(min_iter=2, eta=2)
    rivals = [[0.8, 0.9], [0.8, 0.9]]
    assert not should_stop(hyperband, [0.1, math.nan], rivals)
    assert should_stop(hyperband, [0.1, math.nan, 0.1], rivals)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, 'needs "min_iter", or "max_iter" and "s"'),
        ({"min_iter": 0}, "must be at least 1, got 0"),
        ({"max_iter": 9}, 'max_iter requires "s"'),
        ({"max_iter": 2, "s": 2}, "leaves no band"),
        ({"max_iter": 9, "s": 0}, "must be at least 1, got 0"),
        ({"min_iter": 3, "eta": 1.0}, "must be at least 1.01, got 1.0"),
    ],
)
def test_a_hyperband_that_cannot_decide_cannot_be_made(arguments, message):
    with pytest.raises(ValueError, match=message):
        Hyperband(**arguments)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            **{key: st.integers(-1, 50) for key in ("min_iter", "max_iter", "s")},
            "eta": st.floats(0.9, 60) | st.integers(-1, 60),
            "strict": st.booleans(),
        },
    )
)
def test_every_hyperband_that_can_be_made_has_a_band_that_a_trial_can_reach(arguments):
    try:
        hyperband = Hyperband(**arguments)
    except ValueError:
        return
    assert hyperband.first_evaluation >= 1
    assert hyperband.bands(hyperband.first_evaluation) == (hyperband.first_evaluation,)
    assert hyperband.bands(hyperband.first_evaluation - 1) == ()


@pytest.mark.parametrize(
    ("hyperband", "first", "description"),
    [
        (Hyperband(min_iter=3), 3, "hyperband: after 3, 9, 27, 81 evaluations, the best 1 in 3 continue"),
        (Hyperband(max_iter=27, s=2, eta=2.5), 4, "hyperband: after 4, 10 evaluations, the best 1 in 2.5 continue"),
        (Hyperband(min_iter=200), 200, "hyperband: after 200 evaluations, the best 1 in 3 continue"),
    ],
)
def test_a_hyperband_says_when_it_first_judges_and_what_it_does(hyperband, first, description):
    assert (hyperband.first_evaluation, hyperband.describe()) == (first, description)


class TestExpectedShares:
    """The share of trials that is expected to be run, for forecasts."""

    @pytest.mark.parametrize("rule", [Hyperband(min_iter=3), Hyperband(min_iter=2, eta=2), Hyperband(max_iter=27, s=2)])
    def test_it_is_the_share_that_runs_when_values_come_in_random_order(self, rule):
        trials, evaluations, sweeps = 30, 27, 60
        expected = sum(rule.expected_shares([evaluations] * trials)) * evaluations
        rng = np.random.default_rng(0)
        runs = [evaluations_run(rule, rng.random(trials), evaluations) for _ in range(sweeps)]
        assert expected == pytest.approx(np.mean(runs), rel=0.15)

    def test_the_first_trial_has_no_rivals_and_runs_to_its_end(self):
        shares = Hyperband(min_iter=1).expected_shares([9] * 20)
        assert shares[0] == 1
        assert shares[-1] < 0.5

    def test_a_trial_that_ends_before_the_first_band_runs_to_its_end(self):
        assert Hyperband(min_iter=5).expected_shares([4, 5, 5]) == [1, 1, 1]


def evaluations_run(rule, values, evaluations):
    """Run trials one after the other, each with one value for all of its evaluations; count these."""
    histories = []
    for value in values:
        history = []
        while len(history) < evaluations and not rule.should_stop("minimize", history, histories):
            history.append(value)
        histories.append(history)
    return sum(map(len, histories))
