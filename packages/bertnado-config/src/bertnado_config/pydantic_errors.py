"""Pydantic's errors as problems that state the rule, the value, the choices and the cure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bertnado_metrics import did_you_mean, nearest

from .errors import Problem
from .parameters import InvalidParameterError
from .value_text import show

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


_NOT_AN_OBJECT = frozenset({"dataclass_type", "dict_type", "model_type"})
"""The types of pydantic's errors for a value that must be an object."""


@dataclass(frozen=True)
class Vocabulary:
    """The keys that are valid in a part of a file, for messages about others."""

    owner: str
    """The owner of the keys: `a sweep file`, `q_uniform`."""
    keys: Mapping[str, Sequence[str]]
    """The valid keys of each place in the part, by that place; the part itself is the empty one."""
    cures: Mapping[str, str] = field(default_factory=dict[str, str])
    """The cure for a key that is missing, unknown or not an object, by its place."""


def join_path(*parts: str | int) -> str:
    """Join the non-empty parts by dots."""
    return ".".join(str(part) for part in parts if part != "")


def problems_of(error: ValidationError, *, path: str, vocabulary: Vocabulary) -> list[Problem]:
    """Convert pydantic's error to problems.

    Args:
        error: The error that pydantic raised.
        path: The place of the validated part in the file; empty for the whole file.
        vocabulary: The keys that are valid there.
    """
    found: list[Problem] = []
    for details in error.errors(include_url=False):
        place = join_path(path, *details["loc"])
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, InvalidParameterError):
            found += [Problem(join_path(place, mistake.key), mistake.message) for mistake in cause.mistakes]
        else:
            found.append(Problem(place, _message(details, vocabulary)))
    return found


def _message(details: ErrorDetails, vocabulary: Vocabulary) -> str:
    kind, place = details["type"], join_path(*details["loc"])
    cure = vocabulary.cures.get(place)
    if kind == "value_error":
        return str(details.get("ctx", {})["error"])
    if kind == "missing":
        return f"is missing; {cure or f'{vocabulary.owner} requires it'}"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return cure or _unknown_key(details, vocabulary)
    if kind == "invalid_key":
        return "a key must be a string"
    if kind not in _NOT_AN_OBJECT:
        return f"{details['msg'][0].lower()}{details['msg'][1:]}, got {show(details['input'])}"
    rule = f"must be an object, got {show(details['input'])}"
    return f"{rule}; {cure}" if cure else rule


def _unknown_key(details: ErrorDetails, vocabulary: Vocabulary) -> str:
    *parents, name = map(str, details["loc"])
    owner = parents[-1] if parents else vocabulary.owner
    choices = vocabulary.keys.get(join_path(*parents), ())
    unknown = f"unknown key {name!r} in {owner}"
    if "parameters" in choices and isinstance(details["input"], Mapping) and not nearest(name, choices):
        return f'{unknown}; parameters belong under "parameters"'
    return f"{unknown}; {did_you_mean(name, choices)}"
