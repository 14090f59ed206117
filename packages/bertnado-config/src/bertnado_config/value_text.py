"""Values as messages show them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, cast

_LONGEST_SHOWN = 60


def show(value: object) -> str:
    """Write `value` as a person reads it in a message: JSON's words, long ones cut short."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, list | tuple | Mapping):
        return as_json(cast("Any", value))
    return _shortened(repr(value))


def as_json(value: Any) -> str:
    """Write `value` as a cure shows it, ready for a file; long ones cut short."""
    return _shortened(json.dumps(value, default=repr, skipkeys=True, ensure_ascii=False))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def either(names: tuple[str, ...], quote: Callable[[str], str] = repr) -> str:
    """List the names in quotes, with `or` before the last."""
    *others, last = map(quote, names)
    return f"{', '.join(others)} or {last}" if others else last
