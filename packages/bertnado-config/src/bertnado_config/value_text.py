"""Values as messages show them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

_MAX_LENGTH = 60


def show(value: object) -> str:
    """Return `value` as text for a message, with the words of JSON; long text is cut."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, list | tuple | Mapping):
        return as_json(cast("Any", value))
    return _shorten(repr(value))


def as_json(value: Any) -> str:
    """Return `value` as JSON, ready for a file; long text is cut."""
    return _shorten(json.dumps(value, default=repr, skipkeys=True, ensure_ascii=False))


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 3]}..."


def either(names: Iterable[str], quote: Callable[[str], str] = repr) -> str:
    """Return the names in quotes, with `or` before the last."""
    *others, last = map(quote, names)
    return f"{', '.join(others)} or {last}" if others else last
