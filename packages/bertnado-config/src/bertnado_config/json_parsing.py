"""JSON parsing with the location of every mistake, duplicate keys included."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any, cast

from .document_limits import MOST_DIGITS, MOST_NESTED, joined, too_deep, too_many_digits
from .errors import InvalidInputError, Problem

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]', re.DOTALL)


def parse_json(text: str, *, source: str | None = None, most_nested: int = MOST_NESTED) -> Any:
    """Parse JSON. NaN and infinities are accepted here; whatever uses a number rejects them, with the path.

    Raises:
        InvalidInputError: There is a syntax error or a duplicate key (with line and column), or the nesting is deeper
            than `most_nested`.
    """
    has_duplicates = False

    def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal has_duplicates
        content = dict(pairs)
        has_duplicates = has_duplicates or len(content) < len(pairs)
        return content

    try:
        content = json.loads(text, parse_int=_whole_number, object_pairs_hook=make_object)
    except json.JSONDecodeError as error:
        raise InvalidInputError([Problem("", _explain(error, text))], source=source) from None
    except ValueError as error:
        raise InvalidInputError([Problem("", str(error))], source=source) from None
    except RecursionError:
        raise InvalidInputError([Problem("", too_deep(most_nested))], source=source) from None
    if _is_deeper(content, most_nested):
        raise InvalidInputError([Problem("", too_deep(most_nested))], source=source)
    if has_duplicates:
        raise InvalidInputError(duplicate_keys(text), source=source)
    return content


def _is_deeper(content: object, most_nested: int) -> bool:
    level: list[object] = [content]
    for _ in range(most_nested + 1):
        level = [inner for item in level for inner in _inside(item)]
    return bool(level)


def _inside(item: object) -> list[object]:
    if isinstance(item, dict):
        return list(cast("dict[str, object]", item).values())
    return cast("list[object]", item) if isinstance(item, list) else []


def _whole_number(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(too_many_digits(digits))
    return int(digits)


def _explain(error: json.JSONDecodeError, text: str) -> str:
    """Return the location and the mistake, with a cure for the common ones."""
    place, message = error.pos, f"{error.msg[0].lower()}{error.msg[1:]}"
    comma = place if text[place : place + 1] == "," else len(text[:place].rstrip()) - 1
    if text[comma : comma + 1] == "," and text[comma + 1 :].lstrip()[:1] in ("}", "]"):
        place, message = comma, "trailing comma before the closing bracket; remove it"
    elif text[place : place + 1] == "'":
        message = "strings must be in double quotes"
    elif text[place : place + 1] in ("/", "#"):
        message = "JSON does not allow comments; remove it, or write the file as YAML"
    return f"{_place(text, place)}: {message}"


def _place(text: str, position: int) -> str:
    return _Locations(text).of(position)


class _Locations:
    """The lines and columns of a text."""

    def __init__(self, text: str) -> None:
        self._breaks = [place for place, character in enumerate(text) if character == "\n"]

    def of(self, position: int) -> str:
        lines = bisect_left(self._breaks, position)
        column = position - (self._breaks[lines - 1] if lines else -1)
        return f"line {lines + 1}, column {column}"


@dataclass
class _Container:
    """An object or a list that has not been closed yet."""

    is_object: bool
    path: tuple[str, ...]
    declared: dict[str, int] = field(default_factory=dict[str, int])
    key: str | None = None


def duplicate_keys(text: str) -> list[Problem]:
    """Find the duplicate keys in a JSON text without syntax errors."""
    duplicates: list[tuple[str, int, int]] = []
    stack: list[_Container] = []
    string: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        kind = token.group()
        if kind in "{[":
            parent = stack[-1] if stack else None
            path = (*parent.path, *_named(parent)) if parent else ()
            stack.append(_Container(kind == "{", path))
        elif kind in "}]":
            stack.pop()
        elif kind == ":" and string is not None:
            duplicates += _declare(stack[-1], string)
        elif kind not in ",:":
            string = token
    places = _Locations(text)
    return [
        Problem(path, f"is declared twice, first in {places.of(first)}, then in {places.of(second)}")
        for path, first, second in duplicates
    ]


def _named(place: _Container) -> tuple[str, ...]:
    return (place.key,) if place.key else ()


def _declare(place: _Container, token: re.Match[str]) -> list[tuple[str, int, int]]:
    """Add a key; return its path and both locations if it is a duplicate."""
    key = json.loads(token.group())
    place.key = key
    if key not in place.declared:
        place.declared[key] = token.start()
        return []
    return [(joined((*place.path, key)), place.declared[key], token.start())]
