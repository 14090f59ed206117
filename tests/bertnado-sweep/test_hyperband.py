"""Early termination is W&B's, decision by decision."""

import json
import math
from pathlib import Path

import pytest
from bertnado_sweep.search.early_stopping import EarlyTermination

CASES = json.loads((Path(__file__).parent / "data" / "hyperband_cases.json").read_text())


def hyperband_of(case):
    section = {key: value for key, value in case["early_terminate"].items() if key != "type"}
    return EarlyTermination(goal=case["goal"], **section)


def histories_of(case):
    return [[float(value) for value in trial["history"]] for trial in case["trials"]]


def stopped_of(case):
    """The running trials that are stopped; `None` where the section is refused."""
    try:
        hyperband = hyperband_of(case)
    except ValueError:
        return None
    histories = histories_of(case)
    return [
        number
        for number, trial in enumerate(case["trials"])
        if trial["running"] and hyperband.should_stop(histories[number], histories[:number] + histories[number + 1 :])
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
        (EarlyTermination("maximize", min_iter=3, eta=3), 30, [3, 9, 27]),
        (EarlyTermination("maximize", min_iter=3, eta=3), 2, []),
        (EarlyTermination("maximize", max_iter=27, s=2), 27, [3, 9]),
        (EarlyTermination("maximize", max_iter=27, s=9, eta=2), 5, [1, 3]),
    ],
)
def test_bands_are_those_that_a_trial_has_reached(hyperband, longest, bands):
    assert hyperband.bands(longest) == bands


def test_a_trial_without_rivals_is_never_stopped():
    assert not EarlyTermination("maximize", min_iter=1).should_stop([0.5, 0.4, 0.3], [])


def test_values_that_are_no_numbers_do_not_count_as_iterations():
    hyperband = EarlyTermination("maximize", min_iter=2, eta=2)
    rivals = [[0.8, 0.9], [0.8, 0.9]]
    assert not hyperband.should_stop([0.1, math.nan], rivals)
    assert hyperband.should_stop([0.1, math.nan, 0.1], rivals)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "min_iter of at least 1, or max_iter together with s"),
        ({"min_iter": 0}, "min_iter of at least 1"),
        ({"max_iter": 9}, "max_iter needs s"),
        ({"max_iter": 2, "s": 2}, "leaves no band"),
        ({"min_iter": 3, "eta": 1.0}, "above 1"),
    ],
)
def test_a_hyperband_that_cannot_decide_cannot_be_made(arguments, message):
    with pytest.raises(ValueError, match=message):
        EarlyTermination("maximize", **arguments)
