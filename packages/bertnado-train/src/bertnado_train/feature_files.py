"""Features on disk: for each model and dataset a directory, shared by the processes of a machine, of bounded size."""

from __future__ import annotations

import fcntl
import math
import os
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from .cache_directory import cache_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

LIMIT = "BERTNADO_FEATURES_GB"
"""The environment variable with the most gigabytes that all features may take on disk."""
DEFAULT_LIMIT = 20.0
_GB = 10**9
_SECONDS_BETWEEN_TRIES = 0.2


class NotCachedError(Exception):
    """Features are not kept on disk; the message says why."""


def features_directory() -> Path:
    """Return the directory of all features."""
    return cache_directory() / "features"


def size_limit() -> int:
    """Return the most bytes that all features may take on disk.

    Raises:
        NotCachedError: The variable is not a number.
    """
    given = os.environ.get(LIMIT, "").strip() or str(DEFAULT_LIMIT)
    try:
        limit = float(given)
    except ValueError:
        limit = math.nan
    if not 0 <= limit < math.inf:
        raise NotCachedError(f"{LIMIT} must be a number of gigabytes, at least 0, got {given!r}")
    return int(limit * _GB)


def require_room(needed: int) -> int:
    """Return how many bytes may be left to other features beside these.

    Raises:
        NotCachedError: Even alone, these exceed the limit.
    """
    room = size_limit() - needed
    if room < 0:
        raise NotCachedError(f"{needed / _GB:.3g} GB are more than the {size_limit() / _GB:.3g} GB of {LIMIT}")
    return room


def are_kept(key: str, names: Iterable[str]) -> bool:
    """Return whether there are files of these names, which need not be whole."""
    return all((features_directory() / key / f"{name}.npy").is_file() for name in names)


class FeatureFiles:
    """The features of one model for one dataset. Files appear whole or not at all."""

    def __init__(self, key: str) -> None:
        """Open the directory of a key, which names everything that the features depend on.

        Raises:
            NotCachedError: It cannot be made.
        """
        self.directory = features_directory() / key
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            os.utime(self.directory)  # the one that was used last is the last to be removed
        except OSError as error:
            raise NotCachedError(f"{self.directory} cannot be written: {error.strerror}") from error

    @contextmanager
    def locked(self, is_stopped: Callable[[], bool]) -> Generator[None]:
        """Wait until no other process computes these features; without locks both compute them.

        Raises:
            NotCachedError: The trial was stopped while it waited, or the directory cannot be written.
        """
        try:
            descriptor = os.open(self.directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise NotCachedError(f"{self.directory} cannot be written: {error.strerror}") from error
        try:
            while not _lock(descriptor):
                if is_stopped():
                    raise NotCachedError("the trial was stopped")
                time.sleep(_SECONDS_BETWEEN_TRIES)
            yield
        finally:
            _unlock(descriptor)

    def read(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any] | None:
        """Return features, mapped into memory; `None` if there are none of this shape and type, or the file is torn."""
        try:
            features = np.load(self._path(name), mmap_mode="r")
        except (OSError, ValueError, EOFError):
            return None
        return features if (features.shape, features.dtype) == (shape, dtype) else None

    def write(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], fill: Callable[[NDArray[Any]], None]
    ) -> NDArray[Any]:
        """Write features, and return them mapped into memory.

        Raises:
            NotCachedError: They would exceed the limit, or cannot be written.
        """
        self._make_room(math.prod(shape) * dtype.itemsize)
        scratch = self.directory / f".{uuid4().hex}.tmp"
        try:
            made = np.lib.format.open_memmap(scratch, "w+", dtype, shape)
            _reserve(scratch)  # a full disk would otherwise end the process, with a signal
            fill(made)
            made.flush()
            written = np.load(scratch, mmap_mode="r")  # stays, whoever makes room
            scratch.replace(self._path(name))
        except OSError as error:
            raise NotCachedError(f"{self.directory} cannot be written: {error.strerror}") from error
        finally:
            scratch.unlink(missing_ok=True)
        return written

    @property
    def size(self) -> int:
        """The bytes that the features of this key take."""
        return _size(self.directory)

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.npy"

    def _make_room(self, needed: int) -> None:
        """Remove what a killed process has left here, then the features that were used longest ago.

        Raises:
            NotCachedError: Even alone, these features exceed the limit.
        """
        for left in self.directory.glob(".*.tmp"):
            left.unlink(missing_ok=True)
        room = require_room(needed + _size(self.directory))
        others = [path for path in features_directory().iterdir() if path.is_dir() and path != self.directory]
        for path in sorted(others, key=_used_at, reverse=True):
            room -= _size(path)
            if room < 0:
                shutil.rmtree(path, ignore_errors=True)  # processes that have mapped its files keep them


def _lock(descriptor: int) -> bool:
    """Try to lock a file; return whether there is nothing to wait for."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # the file system has no locks
        return True
    return True


def _unlock(descriptor: int) -> None:
    """Release a lock, which processes that were forked in the meantime share, and close the file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _reserve(path: Path) -> None:
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _used_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(directory: Path) -> int:
    found = 0
    for path in directory.glob("*"):
        try:
            found += path.stat().st_size
        except OSError:  # another process has removed it
            continue
    return found
