"""Who is at work in an output directory, told by locks that the kernel frees when their holder is gone.

Removing and repairing is safe only while nobody else is there, or comes in the meantime. Whoever begins to work takes
the lock of the beginners first, one at a time; as long as it is held, nobody comes. Then the lock of the workers,
shared with all others until the work is over: whoever gets it alone is the only one there.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .locks import lock, open_to_lock, unlock

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_BEGINNERS, _WORKERS = ".beginners.lock", ".workers.lock"
"""The empty files that are locked; they stay."""


class Presence:
    """A worker's presence in an output directory, until it leaves; from `come` on others see it."""

    def __init__(self, output_dir: Path) -> None:
        self._path = output_dir / _WORKERS
        self._file = open_to_lock(self._path, os.O_RDONLY)  # one open for writing keeps a disk from being unmounted

    def come(self) -> None:
        """Be there beside others; wait while somebody is alone there."""
        lock(self._file, self._path, fcntl.LOCK_SH)

    def is_alone(self) -> bool:
        """Return whether nobody else is there; if so, nobody comes until `come` or `leave` is called."""
        try:
            self._lock_alone()
        except BlockingIOError:
            return False
        return True

    def _lock_alone(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            self.leave()  # NFS locks for one alone only what is open for writing (man 2 flock)
            self._file = open_to_lock(self._path, os.O_RDWR)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def leave(self) -> None:
        """Be there no more."""
        file, self._file = self._file, -1
        if file >= 0:
            unlock(file)


@contextmanager
def beginning(output_dir: Path) -> Generator[None]:
    """Let nobody else begin to work in an output directory, nor tidy it, while the block runs."""
    path = output_dir / _BEGINNERS
    file = open_to_lock(path, os.O_RDWR)
    try:
        lock(file, path)
        yield
    finally:
        unlock(file)


@contextmanager
def try_beginning(output_dir: Path) -> Generator[bool]:
    """Let nobody else do this at the same time; whether that worked is handed out.

    It is the directory itself that is locked. Where the file system does not lock one (NFS), it always works.
    """
    directory = os.open(output_dir, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield _is_locked(directory)
    finally:
        os.close(directory)


def _is_locked(directory: int) -> bool:
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
