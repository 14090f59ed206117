"""Equality of values of a sweep file."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from bertnado_config.value_text import show


def value_key(value: Any, *, exact: bool = False) -> str:
    """Return a string that two values share if and only if they are equal.

    Objects are equal whatever the order of their keys, NaN equals NaN, and True never equals 1.

    Args:
        value: A number, a word, or lists and objects of them.
        exact: Distinguish 1 from 1.0; by default they are equal, because a trial cannot distinguish them.
    """
    return json.dumps(_canonical(value, exact), sort_keys=True, default=repr)


def _canonical(value: Any, exact: bool) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _canonical(item, exact) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_canonical(item, exact) for item in cast("Sequence[Any]", value)]
    return int(value) if not exact and isinstance(value, float) and value.is_integer() else value


def repeated(values: Sequence[Any]) -> list[Any]:
    """Return the duplicates in `values`, in order."""
    seen: set[str] = set()
    found: list[Any] = []
    for value in values:
        name = value_key(value)
        if name in seen:
            found.append(value)
        seen.add(name)
    return found


def index_of(value: Any, values: Sequence[Any]) -> int:
    """Return the index of `value` in `values`.

    Raises:
        ValueError: It is not one of them.
    """
    names = [value_key(candidate) for candidate in values]
    try:
        return names.index(value_key(value))
    except ValueError:
        msg = f"must be one of {', '.join(map(show, values))}, got {show(value)}"
        raise ValueError(msg) from None
