"""Which names of projects and entities W&B takes."""

import pytest
from bertnado_config import SweepConfigError, entity_problem, parse_sweep_config, project_problem


@pytest.mark.parametrize("name", ["dna", "dna peaks", "GROVER-1.2_x", "ä", "a" * 128, "lab@home"])
def test_a_project_that_wandb_takes_has_no_problem(name):
    assert project_problem(name) is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "lab/dna",
            r"must not contain any of / \ # ? % :, got 'lab/dna'; give the project alone, and the team as entity",
        ),
        ("dna#2", r"must not contain any of / \ # ? % :, got 'dna#2'; remove the character"),
        ("50%", r"must not contain any of / \ # ? % :, got '50%'; remove the character"),
        ("a" * 129, "must have at most 128 characters, got 129; choose a shorter name"),
        ("", "must name a project, got ''; write a name, or omit it"),
        (" \t", r"must name a project, got ' \t'; write a name, or omit it"),
        ("dna\udcff", r"must contain only printable characters, got 'dna\udcff'; remove the others"),
        ("dna\0", r"must contain only printable characters, got 'dna\x00'; remove the others"),
    ],
)
def test_one_that_it_refuses_has_a_problem(name, problem):
    assert project_problem(name) == problem


@pytest.mark.parametrize("name", ["lab", "lab-2", "jane.doe"])
def test_an_entity_that_may_be_has_no_problem(name):
    assert entity_problem(name) is None


@pytest.mark.parametrize("name", ["lab/dna", "my lab", "lab\n"])
def test_an_entity_is_one_name(name):
    rule = "must not contain / or white space"
    assert entity_problem(name) == f"{rule}, got {name!r}; give the name of a user or a team"


def test_the_sweep_file_may_name_neither():
    with pytest.raises(SweepConfigError) as caught:
        parse_sweep_config({"method": "grid", "parameters": {"x": {"value": 1}}, "project": "a/b", "entity": ""})
    assert [problem.path for problem in caught.value.problems] == ["project", "entity"]
