"""Search methods are an open set: one that is declared can be named in a sweep file."""

import pytest
from bertnado_config import InvalidInputError, Problem, check_sweep_config, declare_method, search_methods

PARAMETERS = {"x": {"min": 0.0, "max": 1.0}}


@pytest.fixture(autouse=True)
def declared(monkeypatch):
    """Forget what a test declares."""
    monkeypatch.setattr(search_methods, "_SPACE_CHECKS", dict(search_methods._SPACE_CHECKS))


def problems_of(file):
    return [str(problem) for problem in check_sweep_config(file).problems]


def test_a_method_is_valid_once_it_is_declared():
    file = {"method": "halton", "parameters": PARAMETERS}
    assert problems_of(file) == ["method: must be 'grid', 'random' or 'bayes', got 'halton'"]
    declare_method("halton")
    assert problems_of(file) == []
    assert check_sweep_config(file).require().method == "halton"
    assert check_sweep_config(file).require().to_wandb()["method"] == "halton"


def test_messages_list_the_declared_methods():
    declare_method("halton")
    assert problems_of({"method": "haltn", "parameters": PARAMETERS}) == [
        "method: must be 'grid', 'random', 'bayes' or 'halton', got 'haltn'; did you mean 'halton'?"
    ]
    assert problems_of({"parameters": PARAMETERS}) == [
        'method: is missing; write "method": "grid", "random", "bayes" or "halton"'
    ]


def test_a_method_names_what_it_cannot_search():
    declare_method("cmaes", lambda space: [Problem("parameters", f"needs two parameters, got {len(space)}")])
    assert problems_of({"method": "cmaes", "parameters": PARAMETERS}) == ["parameters: needs two parameters, got 1"]


def test_a_method_is_declared_once():
    with pytest.raises(ValueError, match="search method 'grid' is already declared"):
        declare_method("grid")


def test_the_error_is_raised_where_a_file_must_be_valid():
    with pytest.raises(InvalidInputError, match="got 'halton'"):
        check_sweep_config({"method": "halton", "parameters": PARAMETERS}).require()
