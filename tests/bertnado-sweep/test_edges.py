"""The end of a sweep says when the best values of a parameter lie at an edge of its range."""

import random
from pathlib import Path

import pytest
from bertnado_config import TrialResult, parse_sweep_config
from bertnado_metrics import Objective
from bertnado_sweep import Trial, run_sweep
from bertnado_sweep.running.events import Note
from bertnado_sweep.search.edges import edge_notes

AUC, LOSS = Objective("eval/roc_auc", "maximize"), Objective("eval/loss", "minimize")
RATE = {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-3}


def notes(form, values, objective=AUC):
    """Return what is said of trials with these values, the best first."""
    config = parse_sweep_config({"method": "random", "parameters": {"x": form}})
    sign = -1 if objective.greater_is_better else 1
    trials = [
        Trial(number, f"t{number}", "completed", {"x": x}, Path("t"), "2026-01-01T00:00:00Z", value=sign * number / 100)
        for number, x in enumerate(values)
    ]
    return edge_notes(config, trials, objective)


@pytest.mark.parametrize("objective", [AUC, LOSS])
def test_the_line_names_the_edge_the_best_value_and_the_range(objective):
    (line,) = notes(RATE, [9.8e-4, 7e-4, 9e-4, 1e-5, 1e-4, 2e-5, 3e-5, 5e-5], objective)
    assert line == (
        "the best trials lie at the upper edge of x, the best at 0.00098 of 1e-05 to 0.001; "
        "widen it, better values may lie above 0.001"
    )


@pytest.mark.parametrize(
    ("form", "best"),
    [
        (RATE, [1e-4, 1.1e-5, 1.2e-5]),  # the best is inside
        (RATE, [1e-5, 1e-5, 4e-4]),  # one of the best three is not near
        ({"values": [4, 8, 16, 32]}, [8, 4, 4, 4]),
        ({"values": [4, 32]}, [4, 4, 4, 4]),  # two values are both edges
        ({"values": ["a", "b", "c"]}, ["a"] * 4),  # without an order
        ({"min": 0.0, "max": 0.5}, [0.0, 0.01, 0.0, 0.01]),  # nothing lies below 0
        ({"min": 0.5, "max": 1.0}, [1.0, 0.99, 0.99, 1.0]),
        ({"distribution": "normal", "mu": 0, "sigma": 1}, [9.0, 5.0, 5.0, 5.0]),  # there is no edge
        ({"value": 3}, [3] * 4),
    ],
)
def test_nothing_is_said(form, best):
    assert notes(form, [*best, *best[-1:] * 4]) == []


def test_ordered_choices_and_whole_numbers_have_edges():
    assert "the lower edge of x, the best at 4 of 4 to 32;" in notes({"values": [4, 8, 16, 32]}, [4, 4, 4, 8] * 2)[0]
    assert "the upper edge of x, the best at 30 of 2 to 30;" in notes({"min": 2, "max": 30}, [30, 29, 29, 3] * 2)[0]


def test_nothing_is_said_of_few_trials():
    assert notes(RATE, [1e-5] * 7) == []
    assert len(notes(RATE, [1e-5] * 8)) == 1


def test_a_parameter_without_effect_is_rarely_named():
    chance = random.Random(0)
    said = sum(bool(notes({"min": 2.0, "max": 3.0}, [chance.uniform(2, 3) for _ in range(16)])) for _ in range(500))
    assert said / 500 < 0.08


def test_a_sweep_ends_with_it(tmp_path):
    def train(parameters, report):
        report(1, parameters["x"])
        return TrialResult(parameters["x"], 1)

    heard = []
    config = {
        "method": "grid",
        "metric": {"name": "eval/roc_auc", "goal": "maximize"},
        "parameters": {"x": {"values": [0.1 * step for step in range(1, 9)]}},
    }
    run_sweep(train, config, output_dir=tmp_path, backend="local", workers=1, observer=heard.append)
    assert any("the upper edge of x" in event.text for event in heard if isinstance(event, Note))
