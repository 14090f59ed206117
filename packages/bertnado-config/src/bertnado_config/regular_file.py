"""Regular files of limited size; anything else at a path is rejected before it is read."""

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
    """A path that does not lead to a readable regular file; the message has no cure."""


def read_regular_file(path: Path, *, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes.

    It never blocks: a named pipe is not opened, and one that has replaced the file in the meantime is not read.

    Raises:
        UnfitFileError: The file is not regular, or larger, or its name is invalid.
        OSError: The file cannot be read.
    """
    try:
        _require_regular(path.stat().st_mode)
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (ValueError, OverflowError) as error:
        if isinstance(error, UnfitFileError):
            raise
        raise UnfitFileError("must be a valid file name, got one with an invalid character") from None
    with os.fdopen(handle, "rb") as file:
        _require_regular(os.fstat(handle).st_mode)
        content = file.read(limit + 1)
    if len(content) > limit:
        size = f"{limit // MEBIBYTE} MiB" if limit >= MEBIBYTE else f"{limit} bytes"
        raise UnfitFileError(f"must be at most {size}, got more")
    return content


def _require_regular(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError
    if not stat.S_ISREG(mode):
        raise UnfitFileError(f"must be a regular file, got {_KINDS.get(stat.S_IFMT(mode), 'another kind')}")


def require_regular_file(path: Path) -> None:
    """Reject a file that would block a reader, or never end.

    Raises:
        UnfitFileError: The path leads to something else: a named pipe, a device, a directory, ...
        OSError: The file does not exist or cannot be accessed.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise UnfitFileError("must be a regular file, got a directory")
    _require_regular(mode)


def path_exists(name: str | os.PathLike[str]) -> bool:
    """Return True if something exists under that name; False too if it is blank or nothing can be named so."""
    try:
        return bool(os.fspath(name).strip()) and Path(name).exists()
    except (OSError, ValueError):
        return False


def path_problem(name: str | os.PathLike[str], wanted: str) -> str | None:
    """Return why a path cannot exist, as `must name WANTED, got ...; ...`; `None` if it can."""
    text = os.fspath(name)
    if not text.strip():
        return f"must name {wanted}, got {text!r}; give its name"
    try:
        Path(text).stat()
    except ValueError:
        return f"must name {wanted}, got {reprlib.repr(text)} with an invalid character; remove it"
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            shown = reprlib.repr(text)
            return f"must name {wanted}, got {shown} of {len(text):,} characters, which is too long"
    return None
