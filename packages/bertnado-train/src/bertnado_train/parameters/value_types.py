"""Types of parameter values, converted by pydantic, with messages that have the rule and the value."""

from __future__ import annotations

import math
import types
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from bertnado_metrics import did_you_mean
from pydantic import BeforeValidator, Field, Strict, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from annotated_types import Interval

_LONGEST_SHOWN = 80
_OUT_OF_BOUNDS = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})
_BROKEN_RULE = "rule"


def broken_rule(message: str) -> PydanticCustomError:
    """Return an error that a validator raises to have its message reported unchanged."""
    return PydanticCustomError(_BROKEN_RULE, "{message}", {"message": message})


def show(value: Any) -> str:
    """Return `repr(value)`, shortened if it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def _read_number(value: Any) -> Any:
    """Accept finite numbers, and strings because YAML reads 1e-5 as one. Pydantic would also accept a bool."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError
    try:
        number = float(value)
    except OverflowError:
        raise ValueError from None
    if not math.isfinite(number):
        raise ValueError
    return number if isinstance(value, str) else value


def _read_flag(value: Any) -> Any:
    """Accept a bool, 0, 1, and the strings true and false. Pydantic would also accept yes, off and others."""
    if isinstance(value, str) and value.strip().lower() not in ("true", "false"):
        raise ValueError
    return value.strip().lower() if isinstance(value, str) else value


Number = Annotated[float, BeforeValidator(_read_number)]
WholeNumber = Annotated[int, BeforeValidator(_read_number)]
TrueOrFalse = Annotated[bool, BeforeValidator(_read_flag)]
Text = Annotated[str, Strict()]

_CONVERTING: Mapping[Any, tuple[Any, str]] = {
    bool: (TrueOrFalse, "true or false"),
    int: (WholeNumber, "an integer"),
    float: (Number, "a number"),
    list: (list[Any], "a list"),
    dict: (dict[str, Any], "an object"),
    str: (Text, "a string"),
}
"""The type that converts to each plain type, and its description, in the order in which a union tries them."""


@dataclass(frozen=True)
class ValueType:
    """The type of a parameter's value."""

    adapter: TypeAdapter[Any]
    description: str
    """A description of the accepted values for messages, such as `a number`."""
    is_optional: bool = False
    """Accept `None` as well."""
    bounds: Interval | None = None
    """The bounds of a number."""

    def convert(self, value: Any) -> Any:
        """Convert `value` to this type.

        Raises:
            ValueError: `value` cannot be converted; the message has the rule and the value.
        """
        if value is None and self.is_optional:
            return None
        try:
            return self.adapter.validate_python(value)
        except ValidationError as error:
            raise ValueError(self._message(error, value)) from None

    def _message(self, error: ValidationError, value: Any) -> str:
        found = {details["type"]: details["msg"] for details in error.errors(include_url=False)}
        if _BROKEN_RULE in found:
            return found[_BROKEN_RULE]
        if self.bounds is not None and _OUT_OF_BOUNDS & found.keys():
            return f"must be {_within(self.bounds)}, got {show(value)}"
        return f"must be {self.description}, got {show(value)}"


def value_type(annotation: Any, *, bounds: Interval | None = None, rule: Any = None) -> ValueType:
    """Make a type from the annotation of a field, a type or a union of types.

    Args:
        annotation: For example `float | None`.
        bounds: The bounds of a number.
        rule: A further validator of pydantic.
    """
    members = union_members(annotation)
    kinds = [kind for kind in _CONVERTING if any((get_origin(member) or member) is kind for member in members)]
    if not kinds:  # a type that a newer transformers introduced, and checks itself
        return ValueType(TypeAdapter(Any), "a value")
    converting: Any = reduce(or_, (_CONVERTING[kind][0] for kind in kinds))
    if len(kinds) > 1:  # otherwise pydantic prefers the string "true" to the bool
        converting = Annotated[converting, Field(union_mode="left_to_right")]
    for extra in (bounds, rule):
        converting = converting if extra is None else Annotated[converting, extra]
    description = " or ".join(_CONVERTING[kind][1] for kind in kinds)
    return ValueType(TypeAdapter(converting), description, types.NoneType in members, bounds)


def choice_type(choices: Sequence[str], *, misnomers: Mapping[str, str], is_optional: bool) -> ValueType:
    """Make a type that accepts one of a few strings.

    Args:
        choices: The strings.
        misnomers: Other strings, in lower case, to suggest a choice for.
        is_optional: Accept `None` as well.
    """

    def choose(value: Any) -> Any:
        given = value.value if isinstance(value, Enum) else value
        if given in choices:
            return given
        meant = misnomers.get(str(given).lower())
        hint = did_you_mean(str(given), choices, suggestion=meant if meant in choices else None)
        raise broken_rule(f"unknown value {show(given)}; {hint}")

    return ValueType(TypeAdapter(Annotated[Any, BeforeValidator(choose)]), "one of the choices", is_optional)


def union_members(annotation: Any) -> tuple[Any, ...]:
    """Return the types in a union, or the one type that `annotation` is."""
    is_union = isinstance(annotation, types.UnionType) or get_origin(annotation) is Union
    return get_args(annotation) if is_union else (annotation,)


def _within(bounds: Interval) -> str:
    words = {"above": bounds.gt, "at least": bounds.ge, "below": bounds.lt, "at most": bounds.le}
    return " and ".join(f"{word} {bound:.10g}" for word, bound in words.items() if bound is not None)
