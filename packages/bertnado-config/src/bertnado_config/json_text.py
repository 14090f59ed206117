"""JSON with the place of every mistake, duplicate keys included."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from .errors import Problem, SweepConfigError

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]', re.DOTALL)


def parse_json(text: str, *, source: str | None = None) -> Any:
    """Read a JSON text. NaN and infinities are read too; who uses a number refuses them, with its path.

    Raises:
        SweepConfigError: The syntax is broken or an object has a key twice; with line and column.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise SweepConfigError([Problem("", _explained(error, text))], source=source) from None
    except RecursionError:
        raise SweepConfigError([Problem("", "is nested too deeply")], source=source) from None
    except ValueError as error:
        raise SweepConfigError([Problem("", str(error))], source=source) from None
    problems = duplicate_keys(text)
    if problems:
        raise SweepConfigError(problems, source=source)
    return content


def _explained(error: json.JSONDecodeError, text: str) -> str:
    """Name the place and the mistake; the usual ones by their cure."""
    place, message = error.pos, f"{error.msg[0].lower()}{error.msg[1:]}"
    comma = place if text[place : place + 1] == "," else len(text[:place].rstrip()) - 1
    if text[comma : comma + 1] == "," and text[comma + 1 :].lstrip()[:1] in ("}", "]"):
        place, message = comma, "a comma before the closing bracket; take it out"
    elif text[place : place + 1] == "'":
        message = "strings are written in double quotes"
    elif text[place : place + 1] in ("/", "#"):
        message = "JSON has no comments; take it out, or write the file as YAML"
    return f"{_place(text, place)}: {message}"


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return f"line {line}, column {column}"


@dataclass
class _Open:
    """An object or a list whose end has not come yet."""

    is_object: bool
    path: str
    declared: dict[str, int] = field(default_factory=dict[str, int])
    key: str | None = None


def duplicate_keys(text: str) -> list[Problem]:
    """Find every key that an object of this JSON text, whose syntax is right, has had before."""
    problems: list[Problem] = []
    stack: list[_Open] = []
    string: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        kind = token.group()
        if kind in "{[":
            parent = stack[-1] if stack else None
            path = ".".join(filter(None, (parent.path, parent.key))) if parent else ""
            stack.append(_Open(kind == "{", path))
        elif kind in "}]":
            stack.pop()
        elif kind == ":" and string is not None:
            problems += _declare(stack[-1], string)
        elif kind not in ",:":
            string = token
    return problems


def _declare(place: _Open, token: re.Match[str]) -> list[Problem]:
    key = json.loads(token.group())
    place.key = key
    if key not in place.declared:
        place.declared[key] = token.start()
        return []
    path = ".".join(filter(None, (place.path, key)))
    first, again = (_place(token.string, start) for start in (place.declared[key], token.start()))
    return [Problem(path, f"is declared twice, first in {first}, then in {again}")]
