"""The journal of a local sweep: Optuna's file storage, made to survive the death of a process that writes to it."""

from __future__ import annotations

import os
import threading
import weakref
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
    """Open the journal in a sweep's output directory; create an empty one if it is missing.

    Raises:
        OSError: It cannot be created.
    """
    return open_journal_file(output_dir.resolve() / JOURNAL_FILE)


def open_journal_file(path: Path) -> SweepJournal:
    """Open a journal by its absolute path; create an empty one if it is missing.

    Raises:
        OSError: It cannot be created.
    """
    return SweepJournal(_File(str(path)))


class SweepJournal(JournalStorage):
    """Optuna's journal storage, which can write several lines at once."""

    def __init__(self, file: _File) -> None:
        self._file = file
        super().__init__(file)

    def together(self) -> AbstractContextManager[None]:
        """Collect what this thread writes in the block, and append it at the end at once; nothing if the block raises.

        An append takes milliseconds, because it returns only when the lines are on the disk. Lines that are appended at
        once are also read at once, unless the machine itself crashes in between.

        A call in the block does not fail if its line has no effect, for example because another process has finished
        the trial in the meantime. To find out, read the trial afterwards.
        """
        return self._file.together()


class _File(JournalFileBackend):
    """Optuna's file, with errors that name it; it refuses to work once another file has taken its place."""

    def __init__(self, path: str) -> None:
        require_journal(Path(path))
        super().__init__(path, lock_obj=_WriteLock(path))  # pyright: ignore[reportArgumentType] (its base class is private)
        self._path = path
        self._opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # as long as it is open, no other file has its number
        weakref.finalize(self, os.close, self._opened)
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
            # For a line without effect Optuna raises an error when the thread that wrote it reads it. Here that would
            # happen in some later call for another trial, so these lines belong to no thread.
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
                f"{self._path} is damaged ({error}); end all processes of this sweep, then repair it with --resume"
            ) from error

    def _require_same(self) -> None:
        """Check that it is still the file that was opened, and not, for example, that of a new sweep."""
        try:
            is_same = os.path.samestat(Path(self._path).stat(), os.fstat(self._opened))
        except OSError:
            is_same = False
        if not is_same:
            raise StorageError(
                f"{self._path} was removed or replaced while this sweep worked with it, so it ends here; "
                "continue with what is in the directory with --resume"
            )


class _HeldBack(threading.local):
    """The lines that a thread has collected and not written yet; None if it does not collect."""

    lines: list[dict[str, Any]] | None = None


class _WriteLock:
    """Lets one process or thread append at a time; the kernel releases the lock of a process that dies.

    Optuna's own locks are files that outlive a dead owner. The holder of this lock also removes the unfinished line of
    a process that died while writing: Optuna cannot read past such a line once another one follows.
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
        """Release the lock."""
        unlock(self._descriptor)


_BLOCK = 65536


def _cut_unfinished_line(descriptor: int) -> None:
    """Truncate a file after its last line break."""
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
