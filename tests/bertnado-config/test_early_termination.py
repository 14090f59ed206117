"""Early termination rules are an open set: one that is declared can be named in a sweep file."""

import pytest
from bertnado_config import Hyperband, check_sweep_config, declare_rule, early_termination
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

PARAMETERS = {"x": {"value": 1}}


@dataclass(frozen=True, config={"extra": "forbid"})
class Patience:
    """Stop a trial that has not improved for some evaluations."""

    type: str = "patience"
    evaluations: PositiveInt = 3

    warnings = ()

    @property
    def first_evaluation(self):
        return self.evaluations + 1

    def describe(self):
        return f"patience: {self.evaluations} evaluations"

    def should_stop(self, goal, history, others):
        best = max if goal == "maximize" else min
        return len(history) > self.evaluations and best(history) not in history[-self.evaluations :]


@pytest.fixture(autouse=True)
def declared(monkeypatch):
    """Forget what a test declares."""
    monkeypatch.setattr(early_termination, "EARLY_TERMINATION_RULES", dict(early_termination.EARLY_TERMINATION_RULES))


def checked(section):
    return check_sweep_config({"method": "random", "parameters": PARAMETERS, "early_terminate": section})


def problems_of(section):
    return [str(problem) for problem in checked(section).problems]


def test_a_rule_is_valid_once_it_is_declared():
    section = {"type": "patience", "evaluations": "2"}
    assert problems_of(section) == ["early_terminate.type: must be 'hyperband', got 'patience'"]
    declare_rule(Patience)
    config = checked(section).require()
    assert config.early_terminate == Patience(evaluations=2)
    assert config.to_wandb()["early_terminate"] == {"type": "patience", "evaluations": 2}
    assert config.early_terminate.should_stop("maximize", [0.5, 0.4, 0.4], [])
    assert not config.early_terminate.should_stop("minimize", [0.5, 0.4, 0.4], [])


def test_the_mistakes_of_a_section_are_those_of_the_rule_that_it_names():
    declare_rule(Patience)
    assert problems_of({"type": "patience", "evaluations": 0, "min_iter": 3}) == [
        "early_terminate.evaluations: input should be greater than 0, got 0",
        "early_terminate.min_iter: unknown key 'min_iter' in early_terminate; choose from type, evaluations",
    ]
    assert problems_of({"type": "patient"}) == [
        "early_terminate.type: must be 'hyperband' or 'patience', got 'patient'; did you mean 'patience'?"
    ]


def test_hyperband_is_the_rule_that_needs_no_name():
    declare_rule(Patience)
    assert checked({"min_iter": 3}).require().early_terminate == Hyperband(min_iter=3)


def test_a_rule_that_would_ignore_mistyped_keys_cannot_be_declared():
    @dataclass
    class Careless:
        type: str = "careless"

    with pytest.raises(ValueError, match="must forbid unknown keys; give Careless"):
        declare_rule(Careless)


def test_a_rule_is_declared_once():
    with pytest.raises(ValueError, match="early termination rule 'hyperband' is already declared"):
        declare_rule(Hyperband)
