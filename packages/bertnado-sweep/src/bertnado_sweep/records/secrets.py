"""Masking the passwords in URLs and command lines before they are shown or recorded."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from sqlalchemy.engine import URL

HIDDEN = "***"
"""Replaces a secret."""

_NAMES = r"pass|pwd|secret|token|key|credential"

_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
"""Parts of the names of secret arguments."""

_SECRET_FLAG = re.compile(rf"--?[\w-]*({_NAMES})[\w-]*", re.IGNORECASE)
_ASSIGNMENT = re.compile(rf"(?P<name>[\w-]*({_NAMES})[\w-]*\s*=\s*)(?P<value>[^\s&;?]+)", re.IGNORECASE)
"""A secret with its name, `password=...`, in a flag, the query of a URL or a list of keywords."""

_WITH_USER = re.compile(r"(?P<scheme>\w[\w+.-]*://)(?P<user>\S*)@")
"""A URL with a user, up to the last @: an earlier @ or a slash may be part of the password."""

_STORAGE_FLAG = "--storage"


def masked_url(url: str) -> str:
    """Return a URL without its passwords; a URL that cannot be parsed is masked completely."""
    parsed = _parse(url)
    if parsed is None or _looks_misread(parsed):
        return HIDDEN
    hidden = {name: HIDDEN for name in parsed.query if _SECRET_NAME.search(name)}
    if hidden:
        parsed = parsed.update_query_dict(hidden)
    return parsed.render_as_string(hide_password=True).replace("%2A%2A%2A", HIDDEN)


def is_masked(url: str) -> bool:
    """Return True if part of a URL is masked."""
    return HIDDEN in url


def url_problem(url: str) -> str | None:
    """Return what is wrong with the URL of a database, without repeating it; None if it is valid."""
    parsed = _parse(url)
    cure = (
        "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with special characters of the password "
        "percent-encoded (%40 for @, %2F for /, %3A for :)"
    )
    if parsed is None:
        return f"{{storage}} must be the URL of a database (it is not shown, because it may contain a password); {cure}"
    if _looks_misread(parsed):
        return f"the host in {{storage}} must not contain an @ (not shown, it may be part of the password); {cure}"
    return None


def without_secrets(text: str, url: str) -> str:
    """Return a driver's message on a URL without the passwords in it, plain or percent-encoded."""
    parsed = _parse(url)
    if parsed is None:
        return text
    named = [value for name, value in parsed.query.items() if _SECRET_NAME.search(name)]
    for secret in filter(None, [parsed.password and str(parsed.password), *map(str, named)]):
        for form in (secret, quote(secret, safe=""), quote_plus(secret)):
            text = text.replace(form, HIDDEN)
    return text


def masked_words(words: Sequence[str]) -> list[str]:
    """Return a command line without the passwords in it."""
    masked: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        if before == _STORAGE_FLAG:
            masked.append(masked_url(word))
        elif word.startswith(f"{_STORAGE_FLAG}="):
            masked.append(f"{_STORAGE_FLAG}={masked_url(word.partition('=')[2])}")
        elif _SECRET_FLAG.fullmatch(before) and not word.startswith("-"):
            masked.append(HIDDEN)
        else:
            masked.append(_ASSIGNMENT.sub(rf"\g<name>{HIDDEN}", _WITH_USER.sub(rf"\g<scheme>{HIDDEN}@", word)))
    return masked


@contextmanager
def masked_command_line() -> Generator[None]:
    """Hide the passwords in `sys.argv` from W&B's client, which records it with every run."""
    before = sys.argv
    sys.argv = masked_words(before)
    try:
        yield
    finally:
        sys.argv = before


def _parse(url: str) -> URL | None:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        return None


def _looks_misread(url: URL) -> bool:
    """Return True if part of the password has probably been parsed as the host."""
    return "@" in (url.host or "") or "@" in (url.database or "")
