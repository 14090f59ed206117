"""`configs/sweep_config.schema.json`, by which editors complete and check a sweep file.

After a change to the fields of a sweep file:

    uv run python -m bertnado_config.json_schema > configs/sweep_config.schema.json
"""

import json
from pathlib import Path

import pytest
from bertnado_config import FORMS
from bertnado_config.json_schema import sweep_config_json_schema

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def validator():
    jsonschema = pytest.importorskip("jsonschema")
    schema = sweep_config_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_schema_in_configs_is_current():
    assert json.loads((CONFIGS / "sweep_config.schema.json").read_text()) == sweep_config_json_schema()


def test_every_form_and_every_field_is_described():
    schema = sweep_config_json_schema()
    described = [schema, *(schema["$defs"][name] for name in (*FORMS, "MetricSection", "Hyperband", "Controller"))]
    for part in described:
        assert part["description"]
        for name, field in part["properties"].items():
            assert "description" in field or "$ref" in field, name


@pytest.mark.parametrize("name", ["sweep_config.json", "quickstart.json"])
def test_the_example_files_are_valid(validator, name):
    validator.validate(json.loads((CONFIGS / name).read_text()))


RECORDED = json.loads((Path(__file__).parent / "data" / "wandb_cases.json").read_text())


@pytest.mark.parametrize("case", RECORDED["quantiles"], ids=lambda case: json.dumps(case["parameter"]))
def test_every_form_that_wandb_takes_is_valid(validator, case):
    validator.validate({"method": "random", "parameters": {"outer": {"parameters": {"x": case["parameter"]}}}})


@pytest.mark.parametrize(
    "file",
    [
        {"parameters": {"x": {"value": 1}}},
        {"method": "grid"},
        {"method": "grid", "parameters": {}},
        {"method": "grid", "parameters": {"x": 1}},
        {"method": "grid", "parameters": {"1x": {"value": 1}}},
        {"method": "grid", "parameters": {"x": {"vales": [1]}}},
        {"method": "grid", "parameters": {"x": {"distribution": "uniform", "min": 0, "max": 1, "q": 1}}},
        {"method": "grid", "parameters": {"x": {"parameters": {"y": 1}}}},
        {"method": "grid", "parameters": {"x": {"value": 1}}, "count": 5},
        {"method": "grid", "parameters": {"x": {"value": 1}}, "metric": {"name": "loss", "goal": "down"}},
        {"method": "grid", "parameters": {"x": {"value": 1}}, "early_terminate": "hyperband"},
    ],
    ids=str,
)
def test_a_mistake_that_an_editor_can_see_is_invalid(validator, file):
    assert not validator.is_valid(file)
