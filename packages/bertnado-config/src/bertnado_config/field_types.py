"""The types of the fields of a sweep file: each converts a value, or raises a `ValueError` that states the rule."""

from collections.abc import Callable
from typing import Annotated, Any, cast, get_args

from bertnado_metrics import Goal, Objective, nearest
from pydantic import BeforeValidator, ConfigDict, PlainValidator, WithJsonSchema

from .number_parsing import read_number, read_whole_number
from .search_methods import BUILT_IN_METHODS, method_names
from .value_text import either, show
from .wandb_names import entity_problem, project_problem

SECTION_CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True)
"""The configuration of a section: unknown keys are forbidden, and doc strings go into the JSON Schema."""

LEAST_ETA = 1.01
"""The smallest eta: closer to 1, the number of bands would explode."""


def one_of(choices: object) -> Callable[[object], object]:
    """Return the validator of a `Literal`; its error lists the choices and the nearest one."""
    names: tuple[str, ...] = get_args(choices)
    return lambda value: read_choice(value, names)


def read_choice(value: object, names: tuple[str, ...]) -> str:
    """Return `value` if it is one of `names`.

    Raises:
        ValueError: It is not; the error lists the choices and the nearest one.
    """
    if isinstance(value, str) and value in names:
        return value
    near = nearest(value, names) if isinstance(value, str) else None
    hint = f"; did you mean {near!r}?" if near else ""
    msg = f"must be {either(names)}, got {show(value)}{hint}"
    raise ValueError(msg)


def _read_method(value: object) -> str:
    names = method_names()
    if value == "custom" and "custom" not in names:
        msg = f"'custom' selects W&B's own schedulers, which are not supported; use {either(names)}"
        raise ValueError(msg)
    return read_choice(value, names)


def _read_goal(value: Any) -> Goal:
    return Objective("metric", value).goal


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        msg = f"must be a string, got {show(value)}"
        raise ValueError(msg)
    return value


def _read_name(value: object) -> str:
    name = _read_text(value)
    if not name.strip():
        msg = "must not be empty"
        raise ValueError(msg)
    return name


def _read_project(value: object) -> str:
    return _read_wandb_name(value, project_problem)


def _read_entity(value: object) -> str:
    return _read_wandb_name(value, entity_problem)


def _read_wandb_name(value: object, problem_of: Callable[[str], str | None]) -> str:
    name = _read_text(value)
    problem = problem_of(name)
    if problem:
        raise ValueError(problem)
    return name


def _read_count(value: object) -> int:
    number = read_whole_number(value)
    if number < 1:
        msg = f"must be at least 1, got {show(value)}"
        raise ValueError(msg)
    return number


def _read_eta(value: object) -> float:
    number = read_number(value)
    if number < LEAST_ETA:
        msg = f"must be at least {LEAST_ETA}, got {show(value)}"
        raise ValueError(msg)
    return number


def _read_flag(value: object) -> bool:
    words = {"true": True, "false": False}
    flag = words.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        msg = f"must be true or false, got {show(value)}"
        raise ValueError(msg)
    return flag


def _read_command(value: object) -> list[Any]:
    if not isinstance(value, list):
        msg = f"must be a list of words, got {show(value)}"
        raise ValueError(msg)
    return cast("list[Any]", value)


Text = Annotated[str, PlainValidator(_read_text), WithJsonSchema({"type": "string"})]
Name = Annotated[str, PlainValidator(_read_name), WithJsonSchema({"type": "string", "minLength": 1})]
Project = Annotated[
    str,
    PlainValidator(_read_project),
    WithJsonSchema({"type": "string", "maxLength": 128, "pattern": "^[^/\\\\#?%:]+$"}),
]
Entity = Annotated[str, PlainValidator(_read_entity), WithJsonSchema({"type": "string", "pattern": r"^[^/\s]+$"})]
Finite = Annotated[float, PlainValidator(read_number), WithJsonSchema({"type": "number"})]
Count = Annotated[int, PlainValidator(_read_count), WithJsonSchema({"type": "integer", "minimum": 1})]
Eta = Annotated[float, PlainValidator(_read_eta), WithJsonSchema({"type": "number", "minimum": LEAST_ETA})]
Flag = Annotated[bool, PlainValidator(_read_flag), WithJsonSchema({"type": "boolean"})]
Command = Annotated[list[Any], PlainValidator(_read_command), WithJsonSchema({"type": "array"})]
MethodName = Annotated[
    str, PlainValidator(_read_method), WithJsonSchema({"enum": [*BUILT_IN_METHODS], "type": "string"})
]
GoalField = Annotated[Goal, BeforeValidator(_read_goal)]
