"""Any value in the types that JSON has."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from enum import Enum
from math import isfinite
from pathlib import Path
from typing import Any, cast

from .document_limits import MOST_DIGITS, is_too_long

RECORD_NESTED = 128
"""How deep a record is nested at most; what a document holds has room in it."""
_MOST_VALUES = 1_000_000


def to_json_types(value: Any) -> Any:
    """Turn `value` into the types that JSON has.

    NaN and infinities become null, paths strings, tuples lists, numpy's numbers and arrays plain ones.

    Raises:
        TypeError: `value` holds something that has no place in JSON.
        ValueError: `value` contains itself, is nested more than 128 deep, or is too long for any record.
    """
    return _Conversion().convert(value, 0)


class _Conversion:
    """One value on its way; what it holds is counted, so that parts which are shared again and again come to an end."""

    def __init__(self) -> None:
        self._values = 0

    def convert(self, value: Any, depth: int) -> Any:
        self._count(depth)
        if value is None or (isinstance(value, bool | str) and not isinstance(value, Enum)):
            return value
        if isinstance(value, Enum):
            return self.convert(value.value, depth + 1)
        if isinstance(value, int):
            return _whole(value)
        if isinstance(value, float):
            return float(value) if isfinite(value) else None
        if isinstance(value, Path):
            return str(value)
        return self._convert_many(value, depth + 1)

    def _convert_many(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            items = cast("Mapping[Any, Any]", value).items()
            return {str(_short(key)): self.convert(item, depth) for key, item in items}
        if isinstance(value, list | tuple):
            return [self.convert(item, depth) for item in cast("list[Any]", value)]
        if hasattr(value, "tolist") and not isinstance(value, type):
            return self.convert(value.tolist(), depth)
        msg = f"{type(value).__name__} has no place in JSON: {reprlib.repr(value)}"
        raise TypeError(msg)

    def _count(self, depth: int) -> None:
        self._values += 1
        if depth > RECORD_NESTED:
            msg = f"a record must be nested at most {RECORD_NESTED} deep, and this value goes deeper or contains itself"
            raise ValueError(msg)
        if self._values > _MOST_VALUES:
            msg = f"a record must hold at most {_MOST_VALUES:,} values, and this one holds more"
            raise ValueError(msg)


def _whole(value: int) -> int:
    if is_too_long(value):
        msg = f"an integer in a record must have at most {MOST_DIGITS:,} digits, and this one has more"
        raise ValueError(msg)
    return value


def _short(key: Any) -> Any:
    return _whole(key) if isinstance(key, int) else key
