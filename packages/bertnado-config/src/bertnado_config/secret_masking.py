"""Secrets that got into a file, kept out of what is said of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

_SECRET = re.compile(r"(token|secret|password|api_?key)s?", re.IGNORECASE)
_HUB_TOKEN = re.compile(r"hf_[A-Za-z0-9]{20,}")
_MASK = "***"


def mask_secrets(value: Any) -> tuple[Any, int]:
    """Put `***` in the place of every text that is a secret, and count them.

    It is one where it is a token of the Hugging Face hub, or lies below a key that ends in `token`, `secret`,
    `password` or `api_key`.
    """
    hidden: list[None] = []
    return _masked(value, hidden, is_secret=False), len(hidden)


def _masked(value: Any, hidden: list[None], *, is_secret: bool) -> Any:
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {key: _masked(item, hidden, is_secret=is_secret or _names_secret(key)) for key, item in items}
    if isinstance(value, list | tuple):
        return [_masked(item, hidden, is_secret=is_secret) for item in cast("list[Any]", value)]
    if not (isinstance(value, str) and (is_secret or _HUB_TOKEN.fullmatch(value.strip()))):
        return value
    hidden.append(None)
    return _MASK


def _names_secret(key: object) -> bool:
    return isinstance(key, str) and any(match.end() == len(key) for match in _SECRET.finditer(key))
