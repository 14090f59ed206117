"""Masking of secrets in a file, so that messages do not repeat them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

_SECRET = re.compile(r"(token|secret|password|api_?key)s?", re.IGNORECASE)
_HUB_TOKEN = re.compile(r"hf_[A-Za-z0-9]{20,}")
_MASK = "***"


def mask_secrets(value: Any) -> tuple[Any, int]:
    """Replace every secret by `***`; return the result and the number of secrets.

    A secret is a string that is a token of the Hugging Face hub, or that is under a key that ends in `token`,
    `secret`, `password` or `api_key`.
    """
    hidden: list[None] = []
    return _mask(value, hidden, is_secret=False), len(hidden)


def _mask(value: Any, hidden: list[None], *, is_secret: bool) -> Any:
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {key: _mask(item, hidden, is_secret=is_secret or _names_secret(key)) for key, item in items}
    if isinstance(value, list | tuple):
        return [_mask(item, hidden, is_secret=is_secret) for item in cast("list[Any]", value)]
    if not (isinstance(value, str) and (is_secret or _HUB_TOKEN.fullmatch(value.strip()))):
        return value
    hidden.append(None)
    return _MASK


def _names_secret(key: object) -> bool:
    return isinstance(key, str) and any(match.end() == len(key) for match in _SECRET.finditer(key))
