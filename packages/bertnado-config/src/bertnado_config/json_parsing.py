"""JSON with the place of every mistake, duplicate keys included."""

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
    """Read a JSON text. NaN and infinities are read too; who uses a number refuses them, with its path.

    Raises:
        InvalidInputError: The syntax is broken, an object has a key twice (with line and column), or it is nested
            deeper than `most_nested`.
    """
    has_duplicates = False

    def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal has_duplicates
        made = dict(pairs)
        has_duplicates = has_duplicates or len(made) < len(pairs)
        return made

    try:
        content = json.loads(text, parse_int=_whole_number, object_pairs_hook=make_object)
    except json.JSONDecodeError as error:
        raise InvalidInputError([Problem("", _explained(error, text))], source=source) from None
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
    return _Places(text).of(position)


class _Places:
    """Lines and columns of a text, which is searched for its line breaks once."""

    def __init__(self, text: str) -> None:
        self._breaks = [place for place, character in enumerate(text) if character == "\n"]

    def of(self, position: int) -> str:
        lines = bisect_left(self._breaks, position)
        column = position - (self._breaks[lines - 1] if lines else -1)
        return f"line {lines + 1}, column {column}"


@dataclass
class _Open:
    """An object or a list whose end has not come yet."""

    is_object: bool
    path: tuple[str, ...]
    declared: dict[str, int] = field(default_factory=dict[str, int])
    key: str | None = None


def duplicate_keys(text: str) -> list[Problem]:
    """Find every key that an object of this JSON text, whose syntax is right, has had before."""
    again: list[tuple[str, int, int]] = []
    stack: list[_Open] = []
    string: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        kind = token.group()
        if kind in "{[":
            parent = stack[-1] if stack else None
            path = (*parent.path, *_named(parent)) if parent else ()
            stack.append(_Open(kind == "{", path))
        elif kind in "}]":
            stack.pop()
        elif kind == ":" and string is not None:
            again += _declare(stack[-1], string)
        elif kind not in ",:":
            string = token
    places = _Places(text)
    return [
        Problem(path, f"is declared twice, first in {places.of(first)}, then in {places.of(then)}")
        for path, first, then in again
    ]


def _named(place: _Open) -> tuple[str, ...]:
    return (place.key,) if place.key else ()


def _declare(place: _Open, token: re.Match[str]) -> list[tuple[str, int, int]]:
    """Note the key; one that was there before comes back with its path and both places."""
    key = json.loads(token.group())
    place.key = key
    if key not in place.declared:
        place.declared[key] = token.start()
        return []
    return [(joined((*place.path, key)), place.declared[key], token.start())]
