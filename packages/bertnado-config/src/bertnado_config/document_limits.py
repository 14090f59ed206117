"""What a document may hold, whatever it is about: so much, so deep, and in characters that can be written again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import cast

from .errors import Problem

MOST_NESTED = 64
"""How deep what people write is nested at most."""
MOST_VALUES = 100_000
"""How many values it holds at most."""
LONGEST_KEY = 1_000
"""How many characters a key has at most."""
MOST_DIGITS = 4_300
"""How many digits an integer has at most: Python writes and reads no more."""

_MOST_BITS = 14_000  # every integer of so many has fewer digits than that
_SHOWN_DIGITS = 12

TOO_MANY = f"must hold at most {MOST_VALUES:,} values, and holds more; write fewer"


def content_problems(value: object) -> list[Problem]:
    """Name, by path, what in `value` no sweep and no record of one can go on with.

    A structure that contains itself is one that is nested too deeply.
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
    """Whether Python cannot write the integer in digits."""
    return number.bit_length() > _MOST_BITS


def printable(text: str) -> str:
    r"""Spell lone surrogates out, `\\ud800`: no terminal and no UTF-8 file can hold them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def joined(path: tuple[str, ...]) -> str:
    """Join the names that lead to a place by dots."""
    return printable(".".join(filter(None, path)))


def too_deep(most_nested: int) -> str:
    """Say that a document is nested too deeply."""
    return f"must be nested at most {most_nested} deep, and goes deeper; write it flatter"


def too_many_digits(digits: str) -> str:
    """Say that an integer is too long."""
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
    """Yield what is wrong with one value, and with the keys where it is an object."""
    if isinstance(item, Mapping):
        for key in cast("Mapping[object, object]", item):
            yield from _key_mistakes(key)
    elif isinstance(item, str):
        if printable(item) != item:
            yield _surrogate("must be text that UTF-8 can hold", item)
    elif isinstance(item, int):
        if is_too_long(item):
            yield f"an integer must have at most {MOST_DIGITS:,} digits, and has more; write a shorter one"
    elif not (item is None or isinstance(item, float | list | tuple | Enum | Path) or hasattr(item, "tolist")):
        yield f"must be a value that JSON has, got {type(item).__name__}; write a number, a string, a list or an object"


def _key_mistakes(key: object) -> Iterator[str]:
    if isinstance(key, int) and is_too_long(key):
        yield "a key must be a string, got an integer; write a name"
    elif isinstance(key, str) and len(key) > LONGEST_KEY:
        yield f"a key must have at most {LONGEST_KEY:,} characters, got {len(key):,}; write a shorter one"
    elif isinstance(key, str) and printable(key) != key:
        yield _surrogate("a key must be text that UTF-8 can hold", key)


def _surrogate(rule: str, text: str) -> str:
    lone = next(character for character in text if "\ud800" <= character <= "\udfff")
    return rf"{rule}, got \u{ord(lone):x}, one half of a surrogate pair; write the character itself"
