"""A file with mistakes still says what its valid part describes, so that it can be checked further."""

import pytest
from bertnado_config import (
    Categorical,
    CheckedSweepConfig,
    Hyperband,
    InvalidInputError,
    Problem,
    check_sweep_config,
    load_sweep_config,
    parse_sweep_config,
)

VALID = {"method": "random", "parameters": {"x": {"values": [1, 2]}}}


def test_a_valid_file_has_no_problems_and_is_the_same_however_it_is_given(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text("method: random\nparameters: {x: {values: [1, 2]}}\n")
    config = parse_sweep_config(VALID)
    assert check_sweep_config(config) == check_sweep_config(VALID) == CheckedSweepConfig(config)
    assert check_sweep_config(path) == check_sweep_config(str(path)) == CheckedSweepConfig(config, source=str(path))


def test_the_valid_part_of_a_file_is_a_sweep_beside_the_problems():
    file = VALID | {"method": "baies", "run_cap": 0, "early_terminate": {"min_iter": 3}}
    file["parameters"] = {"x": {"values": [1, 2]}, "y": {"min": 2, "max": 1}}
    checked = check_sweep_config(file)
    assert [problem.path for problem in checked.problems] == ["method", "run_cap", "parameters.y.min"]
    assert checked.config is not None
    assert checked.config.space == {("x",): Categorical((1, 2))}
    assert checked.config.early_terminate == Hyperband(min_iter=3)


@pytest.mark.parametrize("content", [[], {}, {"method": "random"}, {"method": "random", "parameters": {"x": 1}}])
def test_a_file_without_a_valid_parameter_describes_no_sweep(content):
    checked = check_sweep_config(content)
    assert checked.config is None
    assert checked.problems


def test_a_file_that_cannot_be_read_is_a_problem_of_that_file(tmp_path):
    checked = check_sweep_config(tmp_path / "sweep.txt")
    assert checked.config is None
    assert checked.source == str(tmp_path / "sweep.txt")
    assert len(checked.problems) == 1


def test_loading_raises_what_checking_finds(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text("method: random\nparameters: {x: 1, y: {values: [1]}}\n")
    with pytest.raises(InvalidInputError) as caught:
        load_sweep_config(path)
    checked = check_sweep_config(path)
    assert (caught.value.problems, caught.value.source) == (checked.problems, checked.source)
    with pytest.raises(InvalidInputError):
        checked.require()


def test_warnings_are_no_problems():
    checked = check_sweep_config({"method": "random", "parameters": {"x": {"value": [1]}}})
    assert checked.problems == ()
    assert [type(warning) for warning in checked.require().warnings] == [Problem]
