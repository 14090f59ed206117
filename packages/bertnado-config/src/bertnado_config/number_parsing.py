"""Numbers and words that a file spells as strings.

PyYAML reads YAML 1.1, in which `1e-5` is a string (a number needs a dot, `1.0e-5`), and people quote numbers in JSON.
A quoted number in the place of a number is read as that number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from typing import Any, cast

from .value_text import show

_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,299})")
_DECIMAL = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WORDS: Mapping[str, Any] = {
    "None": None,
    "null": None,
    "True": True,
    "true": True,
    "False": False,
    "false": False,
}


def number_in(text: str) -> int | float | None:
    """Return the number that `text` spells in plain decimal or exponent form; `None` if it spells none.

    `"007"`, `"1_000"`, `"0x10"`, `"nan"` and `"inf"` stay strings: they are names, not numbers.
    """
    text = text.strip()
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return None


def read_number(value: object) -> int | float:
    """Convert `value` to a finite number; integers stay integers.

    Raises:
        ValueError: `value` is not a finite number.
    """
    number = number_in(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, Real):
        msg = f"must be a number, got {show(value)}"
        raise ValueError(msg)
    try:
        is_finite = math.isfinite(number)
    except OverflowError:
        is_finite = False
    if not is_finite:
        msg = f"must be a finite number, got {show(value)}"
        raise ValueError(msg)
    return int(number) if isinstance(number, Integral) else float(number)


def read_whole_number(value: object) -> int:
    """Convert `value` to an integer; `3.0` and `"3"` are 3.

    Raises:
        ValueError: `value` is not a whole number.
    """
    number = read_number(value)
    if number != int(number):
        msg = f"must be an integer, got {show(value)}"
        raise ValueError(msg)
    return int(number)


def read_words(value: Any) -> tuple[Any, list[str]]:
    """Convert strings in `value` that spell numbers or words, in lists and objects too.

    `"1e-5"`, which is what YAML makes of 1e-5, is converted without a remark; other quoted numbers and a quoted
    `None`, `true`, ... with one remark each. The string `none` in lower case stays a string: many libraries use it as
    the name of a choice.

    Returns:
        The converted value and the remarks.
    """
    remarks: dict[str, None] = {}
    return _read_leaves(value, remarks), list(remarks)


def _read_leaves(value: Any, remarks: dict[str, None]) -> Any:
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {key: _read_leaves(item, remarks) for key, item in items}
    if isinstance(value, list | tuple):
        return [_read_leaves(item, remarks) for item in cast("list[Any]", value)]
    if not isinstance(value, str):
        return value
    if value in _WORDS:
        word = _WORDS[value]
        remarks[f"the string {show(value)} is read as {show(word)}; write it without quotes"] = None
        return word
    number = number_in(value)
    if number is None:
        return value
    if "e" not in value.lower():
        remarks[f"the string {show(value)} is read as the number {number!r}; write it without quotes"] = None
    return number


def non_finite_leaves(value: Any) -> Iterator[float]:
    """Yield every NaN and infinity in `value`, in lists and objects too."""
    if isinstance(value, Mapping):
        for item in cast("Mapping[Any, Any]", value).values():
            yield from non_finite_leaves(item)
    elif isinstance(value, list | tuple):
        for item in cast("list[Any]", value):
            yield from non_finite_leaves(item)
    elif isinstance(value, float) and not math.isfinite(value):
        yield value
