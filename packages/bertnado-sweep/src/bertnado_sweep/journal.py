"""The journal of a local sweep: Optuna's file storage, made to survive the death of whoever writes it."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from .limits import StorageError
from .record import JOURNAL_FILE

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


def open_journal(output_dir: Path) -> JournalStorage:
    """Open the journal in a sweep's output directory; an empty one is made where there is none.

    Raises:
        OSError: It cannot be made.
    """
    return open_journal_file(output_dir.resolve() / JOURNAL_FILE)


def open_journal_file(path: Path) -> JournalStorage:
    """Open a journal by its absolute path; an empty one is made where there is none.

    Raises:
        OSError: It cannot be made.
    """
    return JournalStorage(_File(str(path)))


class _File(JournalFileBackend):
    """Optuna's file, with errors that name it."""

    def __init__(self, path: str) -> None:
        super().__init__(path, lock_obj=_WriteLock(path))  # pyright: ignore[reportArgumentType] (its base class is private)
        self._path = path

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write lines, see `JournalFileBackend`."""
        try:
            super().append_logs(logs)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._path) from error

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any]]:
        """Read lines, see `JournalFileBackend`."""
        try:
            yield from super().read_logs(log_number_from)
        except ValueError as error:
            raise StorageError(
                f"{self._path} is damaged ({error}); end all that work on this sweep, then --resume repairs it"
            ) from error


class _WriteLock:
    """Lets one process or thread append at a time. The lock of one that dies is free at once, the kernel sees to it.

    Optuna's own locks are files that outlive their owner. Whoever gets this one also cuts off the line that another
    has not written to its end: Optuna reads no further than such a line once something follows it.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1

    def acquire(self) -> bool:
        """Wait for the lock."""
        descriptor = os.open(self._path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _cut_unfinished_line(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let the next one in."""
        os.close(self._descriptor)


_BLOCK = 65536


def _cut_unfinished_line(descriptor: int) -> None:
    """Truncate a file behind its last line break."""
    size = os.fstat(descriptor).st_size
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    end = size
    while end:
        start = max(end - _BLOCK, 0)
        line_break = os.pread(descriptor, end - start, start).rfind(b"\n")
        if line_break >= 0:
            end = start + line_break + 1
            break
        end = start
    os.ftruncate(descriptor, end)
