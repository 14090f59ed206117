"""What W&B's own engine made of the same parameters, grids and files, recorded by `record_wandb_cases.py`."""

import json
from pathlib import Path

import pytest
from bertnado_config import grid_parameters, parse_sweep_config

CASES = json.loads((Path(__file__).parent / "data" / "wandb_cases.json").read_text())


def form_of(parameter):
    return parse_sweep_config({"method": "random", "parameters": {"x": parameter}}).space["x",]


@pytest.mark.parametrize("case", CASES["quantiles"], ids=lambda case: json.dumps(case["parameter"]))
def test_a_quantile_is_the_one_that_wandb_samples(case):
    form = form_of(case["parameter"])
    for u, value in case["values"]:
        expected = pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value
        assert form.from_unit(u) == expected


@pytest.mark.parametrize("case", CASES["out_of_bounds"], ids=lambda case: json.dumps(case["parameter"]))
def test_where_wandb_leaves_the_bounds_the_nearest_multiple_inside_is_taken(case):
    form, declared = form_of(case["parameter"]), case["parameter"]
    lowest, highest = form.bounds
    assert any(not declared["min"] <= value <= declared["max"] for _, value in case["values"])
    assert [form.from_unit(u) for u, _ in case["values"]] == [
        min(max(value, lowest), highest) for _, value in case["values"]
    ]


@pytest.mark.parametrize("case", CASES["grids"], ids=lambda case: ",".join(case["parameters"]))
def test_a_grid_has_the_points_of_wandbs_in_its_order(case):
    config = parse_sweep_config({"method": "grid", "parameters": case["parameters"]})
    assert list(grid_parameters(config)) == case["points"]


@pytest.mark.parametrize("case", CASES["early_terminates"], ids=lambda case: json.dumps(case["declared"]))
def test_early_termination_has_wandbs_defaults(case):
    section = parse_sweep_config(
        {"method": "random", "early_terminate": case["declared"], "parameters": {"x": {"value": 1}}}
    ).early_terminate
    assert {key: getattr(section, key) for key in case["filled"]} == case["filled"]


@pytest.mark.parametrize("case", CASES["normalised"], ids=lambda case: case["file"]["method"])
def test_wandb_takes_a_normalised_file_without_a_word(case):
    """And what is normal already stays as it is: the files that W&B was asked about are what `to_wandb` gives."""
    assert case["violations"] == []
    assert parse_sweep_config(case["file"]).to_wandb() == case["file"]
