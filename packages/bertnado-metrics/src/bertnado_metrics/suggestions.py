"""Suggestions for names that nobody knows."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHORTEST_ABBREVIATION = 3


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """Find the choice that `name` was most likely meant to be; `None` where nothing is near.

    Case and the signs between words do not count: `ROC-AUC` is nearest to `roc_auc`. A choice that begins
    with `name` is near however long it is: `max` is nearest to `maximize`.
    """
    plain = {_plain(choice): choice for choice in choices}
    wanted = _plain(name)
    close = difflib.get_close_matches(wanted, plain, n=1)
    if len(wanted) >= _SHORTEST_ABBREVIATION:
        close += [choice for choice in plain if choice.startswith(wanted)]
    return plain[close[0]] if close else None


def did_you_mean(name: str, choices: Iterable[str], *, suggestion: str | None = None) -> str:
    """Write the half sentence that follows an unknown name: the nearest choice, then all of them.

    Args:
        name: The unknown name.
        choices: The names that are known.
        suggestion: What was meant, where the caller knows better than `nearest`.
    """
    known = list(choices)
    found = suggestion or nearest(name, known)
    listed = ", ".join(known)
    return f"did you mean {found!r}? ({listed})" if found else f"the choices are {listed}"


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.casefold())
