"""What may be shown and written down of URLs and command lines that hold passwords."""

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
"""What stands in the place of a secret."""

_NAMES = r"pass|pwd|secret|token|key|credential"

_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
"""Which arguments are secrets, by a part of their name."""

_SECRET_FLAG = re.compile(rf"--?[\w-]*({_NAMES})[\w-]*", re.IGNORECASE)
_ASSIGNMENT = re.compile(rf"(?P<name>[\w-]*({_NAMES})[\w-]*\s*=\s*)(?P<value>[^\s&;?]+)", re.IGNORECASE)
"""A secret beside its name: `password=...`, in a flag, an URL's query or a database's list of words."""

_WITH_USER = re.compile(r"(?P<scheme>\w[\w+.-]*://)(?P<user>\S*)@")
"""An URL with a user, up to the last @: an earlier one, or a slash, may be a part of the password."""

_STORAGE_FLAG = "--storage"


def masked_url(url: str) -> str:
    """Return an URL without its passwords; of one that cannot be read nothing is shown."""
    parsed = _parse(url)
    if parsed is None or _looks_misread(parsed):
        return HIDDEN
    hidden = {name: HIDDEN for name in parsed.query if _SECRET_NAME.search(name)}
    if hidden:
        parsed = parsed.update_query_dict(hidden)
    return parsed.render_as_string(hide_password=True).replace("%2A%2A%2A", HIDDEN)


def is_masked(url: str) -> bool:
    """Return whether something is left out of an URL."""
    return HIDDEN in url


def url_problem(url: str) -> str | None:
    """Say what is wrong with the URL of a database, without repeating it; `None` where nothing is."""
    parsed = _parse(url)
    cure = (
        "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with special characters of the password "
        "percent-encoded (%40 for @, %2F for /, %3A for :)"
    )
    if parsed is None:
        return f"what is given, not shown since it may hold a password, is no URL of a database; {cure}"
    if _looks_misread(parsed):
        return f"the host of the URL holds an @ (not shown, it may be a part of the password); {cure}"
    return None


def without_secrets(text: str, url: str) -> str:
    """Return what a driver says of an URL without the passwords in that, as they are and as they are written there."""
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
    """Let W&B's client, which writes down `sys.argv` with every run, see no passwords there."""
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
    """Return whether a part of the password has probably been read as the host's."""
    return "@" in (url.host or "") or "@" in (url.database or "")
