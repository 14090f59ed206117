"""Which processes work in an output directory: locks that the kernel releases when their holder is gone.

Removing and repairing files is safe only while no other process works there, or starts to. So a process first takes the
beginners' lock, one process at a time: while it is held, no other can start. Then it takes the workers' lock, shared
with all others until it ends: a process that gets it exclusively is the only one there.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from .locks import lock, open_to_lock, unlock

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_BEGINNERS, _WORKERS, _TURN = ".beginners.lock", ".workers.lock", ".turn.lock"
"""The empty files that are locked; they are never removed."""


class Presence:
    """The presence of a process in an output directory, which others see from `come` until `leave`."""

    def __init__(self, output_dir: Path) -> None:
        self._path = output_dir / _WORKERS
        self._file = open_to_lock(self._path, os.O_RDONLY)  # a file open for writing prevents unmounting

    def come(self) -> None:
        """Share the directory with others; wait while a process has it exclusively."""
        lock(self._file, self._path, fcntl.LOCK_SH)

    def is_alone(self) -> bool:
        """Return True if no other process is present; then none can come until `come` or `leave` is called."""
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
            self.leave()  # NFS grants exclusive locks only on files open for writing (man 2 flock)
            self._file = open_to_lock(self._path, os.O_RDWR)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def leave(self) -> None:
        """End the presence."""
        file, self._file = self._file, -1
        if file >= 0:
            unlock(file)


@contextmanager
def beginning(output_dir: Path) -> Generator[None]:
    """Keep other processes from starting in an output directory, and from tidying it, while the block runs."""
    path = output_dir / _BEGINNERS
    file = open_to_lock(path, os.O_RDWR)
    try:
        lock(file, path)
        yield
    finally:
        unlock(file)


@contextmanager
def present(output_dir: Path) -> Generator[None]:
    """Share an output directory with other processes while the block runs."""
    presence = Presence(output_dir)
    try:
        with beginning(output_dir):
            presence.come()
        yield
    finally:
        presence.leave()


class Turn:
    """The turn to find out if a sweep has begun in an output directory, and to begin it; one process at a time has it.

    Use it as a context manager. If its holder cannot begin the sweep, the next process tries.
    """

    def __init__(self, output_dir: Path) -> None:
        self._path = output_dir / _TURN
        self._file = -1

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open_to_lock(self._path, os.O_RDWR)
        lock(self._file, self._path)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Let the next process have its turn; also at the end of the block."""
        file, self._file = self._file, -1
        if file >= 0:
            unlock(file)


@contextmanager
def try_beginning(output_dir: Path) -> Generator[bool]:
    """Lock the directory itself while the block runs; yield False if another process has locked it.

    On a file system that cannot lock directories (NFS) it always yields True.
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
