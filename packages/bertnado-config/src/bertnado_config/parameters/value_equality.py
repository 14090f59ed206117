"""When two values of a sweep file are the same."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from bertnado_config.value_text import show


def value_key(value: Any, *, exact: bool = False) -> str:
    """Return a text that two values share if and only if they are the same value.

    Objects are compared whatever the order of their keys, and NaN is NaN. True is never 1.

    Args:
        value: A number, a word, or lists and objects of them.
        exact: Tell 1 from 1.0; by default they are the same, because no trial can tell them apart.
    """
    return json.dumps(_canonical(value, exact), sort_keys=True, default=repr)


def _canonical(value: Any, exact: bool) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _canonical(item, exact) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_canonical(item, exact) for item in cast("Sequence[Any]", value)]
    return int(value) if not exact and isinstance(value, float) and value.is_integer() else value


def repeated(values: Sequence[Any]) -> list[Any]:
    """List every value that `values` has had before, in order."""
    seen: set[str] = set()
    found: list[Any] = []
    for value in values:
        name = value_key(value)
        if name in seen:
            found.append(value)
        seen.add(name)
    return found


def place_of(value: Any, values: Sequence[Any]) -> int:
    """Find the index of `value` in `values`.

    Raises:
        ValueError: It is not there.
    """
    names = [value_key(candidate) for candidate in values]
    try:
        return names.index(value_key(value))
    except ValueError:
        msg = f"{show(value)} is not one of {', '.join(map(show, values))}"
        raise ValueError(msg) from None
