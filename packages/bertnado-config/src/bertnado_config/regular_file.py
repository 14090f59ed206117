"""The bytes of a regular file of limited size; whatever else a path may lead to is refused before it is read."""

from __future__ import annotations

import errno
import os
import reprlib
import stat
from pathlib import Path

MEBIBYTE = 2**20

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class UnfitFileError(ValueError):
    """A path that leads to no file that can be read as one; the message lacks a cure."""


def read_regular_file(path: Path, *, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes.

    Nothing waits: a named pipe is not opened, and one that took the file's place meanwhile is not read.

    Raises:
        UnfitFileError: It is no regular file, or larger, or no file can have that name.
        OSError: It cannot be read.
    """
    try:
        _require_regular(path.stat().st_mode)
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (ValueError, OverflowError) as error:
        if isinstance(error, UnfitFileError):
            raise
        raise UnfitFileError("must be the name of a file, got one with a character that no name has") from None
    with os.fdopen(handle, "rb") as file:
        _require_regular(os.fstat(handle).st_mode)
        content = file.read(limit + 1)
    if len(content) > limit:
        size = f"{limit // MEBIBYTE} MiB" if limit >= MEBIBYTE else f"{limit} bytes"
        raise UnfitFileError(f"must be at most {size}, and is larger")
    return content


def _require_regular(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError
    if not stat.S_ISREG(mode):
        raise UnfitFileError(f"must be a regular file, got {_KINDS.get(stat.S_IFMT(mode), 'another kind')}")


def require_regular_file(path: Path) -> None:
    """Refuse what would keep a reader waiting, or never end.

    Raises:
        UnfitFileError: It is there and no regular file: a named pipe, a device, a directory, ...
        OSError: It is not there.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise UnfitFileError("must be a regular file, got a directory")
    _require_regular(mode)


def path_problem(name: str | os.PathLike[str], wanted: str) -> str | None:
    """Say why nothing can lie at that path, `must name WANTED, got ...; ...`; `None` where something may."""
    text = os.fspath(name)
    if not text.strip():
        return f"must name {wanted}, got {text!r}; write its name"
    try:
        Path(text).stat()
    except ValueError:
        return f"must name {wanted}, got {reprlib.repr(text)} with a character that no name has; write it without"
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            shown = reprlib.repr(text)
            return f"must name {wanted}, got {shown} of {len(text):,} characters, too long for any; write its name"
    return None
