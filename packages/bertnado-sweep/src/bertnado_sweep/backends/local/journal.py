"""The journal of a local sweep: Optuna's file storage, made to survive the death of whoever writes it."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from bertnado_sweep.records.files import JOURNAL_FILE, require_journal
from bertnado_sweep.records.locks import lock, open_to_lock, unlock
from bertnado_sweep.running.limits import StorageError

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager


def open_journal(output_dir: Path) -> SweepJournal:
    """Open the journal in a sweep's output directory; an empty one is made where there is none.

    Raises:
        OSError: It cannot be made.
    """
    return open_journal_file(output_dir.resolve() / JOURNAL_FILE)


def open_journal_file(path: Path) -> SweepJournal:
    """Open a journal by its absolute path; an empty one is made where there is none.

    Raises:
        OSError: It cannot be made.
    """
    return SweepJournal(_File(str(path)))


class SweepJournal(JournalStorage):
    """Optuna's journal storage, which can write several lines at once."""

    def __init__(self, file: _File) -> None:
        self._file = file
        super().__init__(file)

    def together(self) -> AbstractContextManager[None]:
        """Write what this thread writes in the block at its end, by one append; nothing, if the block raises.

        An append costs milliseconds, since it reaches the disk before it returns. And lines that are written together
        are there together, unless the machine itself goes down.

        The calls in the block report no refusal: whether a line had an effect shows when it is read. An entry that
        somebody else has finished in the meantime stays as it is.
        """
        return self._file.together()


class _File(JournalFileBackend):
    """Optuna's file, with errors that name it, and as long as it is the file that was opened."""

    def __init__(self, path: str) -> None:
        require_journal(Path(path))
        super().__init__(path, lock_obj=_WriteLock(path))  # pyright: ignore[reportArgumentType] (its base class is private)
        self._path = path
        self._opened = Path(path).open("rb")  # noqa: SIM115 (as long as it is open, no other file has its number)
        self._held_back = _HeldBack()

    @contextmanager
    def together(self) -> Generator[None]:
        """See `SweepJournal.together`."""
        lines = self._held_back.lines = list[dict[str, Any]]()
        try:
            yield
        finally:
            self._held_back.lines = None
        if lines:
            # Optuna raises for a refused line when the thread that wrote it reads it, which here may be at any later
            # call, for another entry; so these lines are nobody's.
            self.append_logs([line | {"worker_id": ""} for line in lines])

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write lines, see `JournalFileBackend`."""
        if self._held_back.lines is not None:
            self._held_back.lines.extend(logs)
            return
        self._require_same()
        try:
            super().append_logs(logs)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._path) from error

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any]]:
        """Read lines, see `JournalFileBackend`."""
        self._require_same()
        try:
            yield from super().read_logs(log_number_from)
        except ValueError as error:
            raise StorageError(
                f"{self._path} is damaged ({error}); end all that work on this sweep, then --resume repairs it"
            ) from error

    def _require_same(self) -> None:
        """See to it that nobody has put another file in its place: a sweep that was begun anew there, for example."""
        try:
            is_same = os.path.samestat(Path(self._path).stat(), os.fstat(self._opened.fileno()))
        except OSError:
            is_same = False
        if not is_same:
            raise StorageError(
                f"{self._path} was removed or replaced while this sweep worked with it, so it ends here; "
                "--resume goes on with what is in the directory"
            )


class _HeldBack(threading.local):
    """The lines that a thread has still to write, while it writes several together."""

    lines: list[dict[str, Any]] | None = None


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
        descriptor = open_to_lock(Path(self._path), os.O_RDWR)
        try:
            lock(descriptor, self._path)
            _cut_unfinished_line(descriptor)
        except BaseException:
            unlock(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let the next one in."""
        unlock(self._descriptor)


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
