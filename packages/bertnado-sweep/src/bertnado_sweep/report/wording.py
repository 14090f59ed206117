"""Numbers, times and lists in words."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

NOTHING = "\N{EN DASH}"
"""In place of a value that there is not."""


def number_text(value: float | None, digits: int = 4) -> str:
    """Return a number with so many significant digits; a dash for None."""
    if value is None:
        return NOTHING
    if isinstance(value, int) or (math.isfinite(value) and float(value).is_integer() and abs(value) < 1e6):
        return str(int(value))
    return f"{value:.{digits}g}"


def metric_text(value: float | None) -> str:
    """Return a value of a metric with four decimals, or four significant digits if it is small; a dash for None."""
    if value is None:
        return NOTHING
    return f"{value:.4f}" if value == 0 or abs(value) >= 0.01 else f"{value:.4g}"


def value_text(value: Any) -> str:
    """Return the value of a parameter: strings as they are, numbers short, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return json.dumps(value, ensure_ascii=False, default=str)
    return number_text(value)


def seconds_text(seconds: float | None) -> str:
    """Return a time in words: `42 s`, `12 min`, `3.4 h`; a dash for None."""
    if seconds is None:
        return NOTHING
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:,.1f} h"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: `1 trial`, `2 trials`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(words: Sequence[str]) -> str:
    """Return words as a list: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def clipped(text: str, most: int = 40) -> str:
    """Return a text of at most so many characters; the middle of a longer one is left out."""
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[len(text) - (most - head - 1) :]}"
