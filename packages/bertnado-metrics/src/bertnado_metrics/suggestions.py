"""Suggestions for unknown names."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHORTEST_ABBREVIATION = 3


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """Return the choice that `name` was most likely meant to be; `None` if none is close.

    Case and punctuation are ignored: `ROC-AUC` is nearest to `roc_auc`. A choice that begins with `name` is
    close however long it is: `max` is nearest to `maximize`.
    """
    normalised = {_normalise(choice): choice for choice in choices}
    wanted = _normalise(name)
    close = difflib.get_close_matches(wanted, normalised, n=1)
    if len(wanted) >= _SHORTEST_ABBREVIATION:
        close += [choice for choice in normalised if choice.startswith(wanted)]
    return normalised[close[0]] if close else None


def did_you_mean(name: str, choices: Iterable[str], *, suggestion: str | None = None) -> str:
    """Return the half sentence that follows an unknown name: the nearest choice, then all of them.

    Args:
        name: The unknown name.
        choices: The known names.
        suggestion: The nearest choice, if the caller knows better than `nearest`.
    """
    known = list(choices)
    found = suggestion or nearest(name, known)
    listed = ", ".join(known)
    return f"did you mean {found!r}? ({listed})" if found else f"choose from {listed}"


def _normalise(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.casefold())
