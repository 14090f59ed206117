"""Early termination rules: when a running trial is stopped because it falls behind the others."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Annotated, Any, Protocol, TypeVar, cast

from bertnado_metrics import Goal
from pydantic import BaseModel, PlainValidator, TypeAdapter, WithJsonSchema

from .errors import Problem
from .field_types import read_choice
from .value_text import show


class EarlyTerminationRule(Protocol):
    """A rule that decides, from what trials have reported so far, whether one of them is stopped.

    It is a frozen dataclass of pydantic, with the configuration `{"extra": "forbid"}`. Its fields are the keys of
    `early_terminate` in a sweep file; the default of `type` is the name of the rule. `declare_rule` makes it known.

    A rule may have the method `expected_shares(evaluations)`, for forecasts: given the number of evaluations of each
    trial, it returns the share of each trial that will probably be run.
    """

    @property
    def type(self) -> str:
        """Name of the rule."""
        ...

    @property
    def first_evaluation(self) -> int:
        """The earliest evaluation, counted from 1, after which a trial can be stopped."""
        ...

    @property
    def warnings(self) -> Sequence[Problem]:
        """Warnings about the section, by key."""
        ...

    def describe(self) -> str:
        """Return a description of the rule, in one line."""
        ...

    def should_stop(self, goal: Goal, history: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
        """Decide, after an evaluation, whether a running trial is stopped.

        Args:
            goal: The direction in which the objective improves.
            history: The values of the trial's objective, one per evaluation; some may not be finite.
            others: The histories of all other trials, running or finished.
        """
        ...


EARLY_TERMINATION_RULES: dict[str, type[EarlyTerminationRule]] = {}
"""Every declared rule by the `type` that names it in a sweep file."""

Rule = TypeVar("Rule", bound=type[EarlyTerminationRule])


def declare_rule(rule: Rule) -> Rule:
    """Make a rule available to sweep files in this process; works as a decorator.

    Raises:
        ValueError: The name is already declared, or the rule does not forbid unknown keys.
    """
    if getattr(rule, "__pydantic_config__", {}).get("extra") != "forbid":
        msg = f"an early termination rule must forbid unknown keys; give {rule.__name__} the configuration extra=forbid"
        raise ValueError(msg)
    name = next(str(field.default) for field in fields(cast("Any", rule)) if field.name == "type")
    if name in EARLY_TERMINATION_RULES:
        msg = f"early termination rule {name!r} is already declared; choose another name"
        raise ValueError(msg)
    EARLY_TERMINATION_RULES[name] = rule
    return rule


class _Named(BaseModel):
    """The key that names the rule of a section; W&B knows only hyperband."""

    type: Annotated[str, PlainValidator(lambda value: read_choice(value, tuple(EARLY_TERMINATION_RULES)))] = "hyperband"


def rule_keys(section: object) -> tuple[str, ...]:
    """Return the keys of the rule that an `early_terminate` section names; none if the rule is unknown."""
    name = cast("Mapping[object, object]", section).get("type", "hyperband") if isinstance(section, Mapping) else None
    rule = EARLY_TERMINATION_RULES.get(name) if isinstance(name, str) else None
    return tuple(field.name for field in fields(cast("Any", rule))) if rule else ()


def _read_rule(section: object) -> EarlyTerminationRule:
    if not isinstance(section, Mapping):
        msg = f'must be an object, got {show(section)}; write {{"type": "hyperband", "min_iter": 3}}'
        raise ValueError(msg)
    content = dict(cast("Mapping[Any, Any]", section))
    rule = EARLY_TERMINATION_RULES[_Named.model_validate(content).type]
    return _adapter(rule).validate_python(content)


@cache
def _adapter(rule: type[EarlyTerminationRule]) -> TypeAdapter[EarlyTerminationRule]:
    return TypeAdapter(rule)


RuleField = Annotated[EarlyTerminationRule, PlainValidator(_read_rule), WithJsonSchema({})]
"""An `early_terminate` section, read as the rule that its `type` names."""
