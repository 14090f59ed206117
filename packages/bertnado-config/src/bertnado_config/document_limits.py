"""Limits of every document: its size, its depth and its characters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import cast

from .errors import Problem

MOST_NESTED = 64
"""The maximum depth of nesting in a file that people write."""
MOST_VALUES = 100_000
"""The maximum number of values in a document."""
LONGEST_KEY = 1_000
"""The maximum number of characters in a key."""
MOST_DIGITS = 4_300
"""The maximum number of digits in an integer: the limit of Python's conversion to and from text."""

_MOST_BITS = 14_000  # an integer of that many bits has fewer digits than the limit
_SHOWN_DIGITS = 12

TOO_MANY = f"must hold at most {MOST_VALUES:,} values, got more; remove some"


def content_problems(value: object) -> list[Problem]:
    """Find, by path, what in `value` exceeds a limit or is not a JSON value.

    A structure that contains itself is reported as nested too deeply.
    """
    problems: list[Problem] = []
    pending: list[tuple[object, tuple[str, ...]]] = [(value, ())]
    depths = [0]
    for _ in range(MOST_VALUES):
        if not pending:
            return problems
        item, path = pending.pop()
        depth = depths.pop()
        if depth > MOST_NESTED:
            return [Problem("", too_deep(MOST_NESTED))]
        problems += (Problem(joined(path), message) for message in _mistakes(item))
        inside = list(_inside(item, path))
        pending += reversed(inside)
        depths += [depth + 1] * len(inside)
    return [Problem("", TOO_MANY)] if pending else problems


def is_too_long(number: int) -> bool:
    """Return whether an integer is too long for Python to convert to text."""
    return number.bit_length() > _MOST_BITS


def printable(text: str) -> str:
    r"""Escape lone surrogates, as `\\ud800`: they can be neither printed nor written to a UTF-8 file."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def joined(path: tuple[str, ...]) -> str:
    """Join the names of a path by dots."""
    return printable(".".join(filter(None, path)))


def too_deep(most_nested: int) -> str:
    """Return the message for a document that is nested too deeply."""
    return f"must be nested at most {most_nested} levels deep, got more; flatten it"


def too_many_digits(digits: str) -> str:
    """Return the message for an integer that is too long."""
    shown = digits[:_SHOWN_DIGITS]
    return f"an integer must have at most {MOST_DIGITS:,} digits, got {len(digits):,} ({shown}...); write a shorter one"


def _inside(item: object, path: tuple[str, ...]) -> Iterator[tuple[object, tuple[str, ...]]]:
    if isinstance(item, Mapping):
        for key, value in cast("Mapping[object, object]", item).items():
            yield value, (*path, _shown_key(key))
    elif isinstance(item, list | tuple):
        for value in cast("list[object]", item):
            yield value, path


def _shown_key(key: object) -> str:
    if isinstance(key, int) and is_too_long(key):
        return "an integer"
    return str(key)[:LONGEST_KEY]


def _mistakes(item: object) -> Iterator[str]:
    """Yield the mistakes in one value, and in its keys if it is an object."""
    if isinstance(item, Mapping):
        for key in cast("Mapping[object, object]", item):
            yield from _key_mistakes(key)
    elif isinstance(item, str):
        if printable(item) != item:
            yield _surrogate("must be valid Unicode text", item)
    elif isinstance(item, int):
        if is_too_long(item):
            yield f"an integer must have at most {MOST_DIGITS:,} digits, got more; write a shorter one"
    elif not (item is None or isinstance(item, float | list | tuple | Enum | Path) or hasattr(item, "tolist")):
        yield f"must be a JSON value, got {type(item).__name__}; write a number, a string, a list or an object"


def _key_mistakes(key: object) -> Iterator[str]:
    if isinstance(key, int) and is_too_long(key):
        yield "a key must be a string, got an integer; write a name"
    elif isinstance(key, str) and len(key) > LONGEST_KEY:
        yield f"a key must have at most {LONGEST_KEY:,} characters, got {len(key):,}; write a shorter one"
    elif isinstance(key, str) and printable(key) != key:
        yield _surrogate("a key must be valid Unicode text", key)


def _surrogate(rule: str, text: str) -> str:
    lone = next(character for character in text if "\ud800" <= character <= "\udfff")
    return rf"{rule}, got \u{ord(lone):x}, half of a surrogate pair; write the character itself"
