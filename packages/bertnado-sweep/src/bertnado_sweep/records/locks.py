"""File locks that the kernel releases when their holder is gone, and that a forked child does not inherit."""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import threading
from typing import TYPE_CHECKING

from bertnado_config import ArgumentProblem, InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)

SAY_AFTER = 10.0
"""Seconds of waiting after which a message names what is waited for."""

_open: set[int] = set()
"""The descriptors of this process that may hold locks."""


def open_to_lock(path: Path, mode: int) -> int:
    """Open a file to lock it; create an empty one if it is missing.

    Raises:
        InvalidInputError: It is not a regular file.
        OSError: It cannot be opened.
    """
    flags = mode | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidInputError([ArgumentProblem("output_dir", f"{path} must be a regular file; remove it")])
    _open.add(descriptor)
    return descriptor


def lock(descriptor: int, path: Path | str, how: int = fcntl.LOCK_EX) -> None:
    """Wait for a lock; after a while log which file it waits for.

    Raises:
        OSError: The file system does not support locks.
    """
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        timer = threading.Timer(SAY_AFTER, _log.warning, ["waiting for a process that holds the lock of %s", path])
        timer.daemon = True
        timer.start()
        try:
            fcntl.flock(descriptor, how)
        finally:
            timer.cancel()


def unlock(descriptor: int) -> None:
    """Release the lock, even if a child forked in the meantime has the descriptor too, and close it."""
    _open.discard(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _close_in_child() -> None:
    for descriptor in _open:
        try:
            os.close(descriptor)
        except OSError:
            continue
    _open.clear()


os.register_at_fork(after_in_child=_close_in_child)
