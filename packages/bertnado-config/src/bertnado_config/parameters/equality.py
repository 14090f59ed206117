"""When two values of a sweep file are the same one."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from bertnado_config.literals import show


def identity(value: Any) -> str:
    """Give a text that only equal values share: 1 and 1.0 are equal, 1 and true are not."""
    return json.dumps(_canonical(value), sort_keys=True, default=repr)


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in cast("Sequence[Any]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def repeated(values: Sequence[Any]) -> list[Any]:
    """List every value that `values` has had before, in order."""
    seen: set[str] = set()
    found: list[Any] = []
    for value in values:
        name = identity(value)
        if name in seen:
            found.append(value)
        seen.add(name)
    return found


def place_of(value: Any, values: Sequence[Any]) -> int:
    """Find the index of `value` in `values`.

    Raises:
        ValueError: It is not there.
    """
    names = [identity(candidate) for candidate in values]
    try:
        return names.index(identity(value))
    except ValueError:
        msg = f"{show(value)} is not one of {', '.join(map(show, values))}"
        raise ValueError(msg) from None
