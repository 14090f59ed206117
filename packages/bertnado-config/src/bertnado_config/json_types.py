"""Conversion of values to JSON types."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from enum import Enum
from math import isfinite
from pathlib import Path
from typing import Any, cast

from .document_limits import MOST_DIGITS, is_too_long

RECORD_NESTED = 128
"""The maximum depth of nesting in a record; deeper than a document, which a record contains."""
_MOST_VALUES = 1_000_000


def to_json_types(value: Any) -> Any:
    """Convert `value` to JSON types.

    NaN and infinities become null, paths become strings, tuples become lists, numpy's numbers and arrays become plain
    ones.

    Raises:
        TypeError: `value` holds something that is not a JSON value.
        ValueError: `value` contains itself, is nested more than 128 levels deep, or is too long for a record.
    """
    return _Conversion().convert(value, 0)


class _Conversion:
    """The conversion of one value. It counts what it converts, because nested shared parts can expand without end."""

    def __init__(self) -> None:
        self._values = 0

    def convert(self, value: Any, depth: int) -> Any:
        self._count(depth)
        if value is None or (isinstance(value, bool | str) and not isinstance(value, Enum)):
            return value
        if isinstance(value, Enum):
            return self.convert(value.value, depth + 1)
        if isinstance(value, int):
            return _check_length(value)
        if isinstance(value, float):
            return float(value) if isfinite(value) else None
        if isinstance(value, Path):
            return str(value)
        return self._convert_many(value, depth + 1)

    def _convert_many(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            items = cast("Mapping[Any, Any]", value).items()
            return {str(_check_key(key)): self.convert(item, depth) for key, item in items}
        if isinstance(value, list | tuple):
            return [self.convert(item, depth) for item in cast("list[Any]", value)]
        if hasattr(value, "tolist") and not isinstance(value, type):
            return self.convert(value.tolist(), depth)
        msg = f"a record must hold JSON values, got {type(value).__name__}: {reprlib.repr(value)}"
        raise TypeError(msg)

    def _count(self, depth: int) -> None:
        self._values += 1
        if depth > RECORD_NESTED:
            msg = f"a record must be nested at most {RECORD_NESTED} levels deep, got a deeper or circular one"
            raise ValueError(msg)
        if self._values > _MOST_VALUES:
            msg = f"a record must hold at most {_MOST_VALUES:,} values, got more"
            raise ValueError(msg)


def _check_length(value: int) -> int:
    if is_too_long(value):
        msg = f"an integer in a record must have at most {MOST_DIGITS:,} digits, got more"
        raise ValueError(msg)
    return value


def _check_key(key: Any) -> Any:
    return _check_length(key) if isinstance(key, int) else key
