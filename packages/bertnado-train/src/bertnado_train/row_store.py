"""Arrays that grow row by row, in files that other processes map into memory, or in memory alone."""

from __future__ import annotations

import os
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

CHUNK = 1 << 20
"""Values, or bytes, that are handled at a time."""


class UnwritableCacheError(Exception):
    """A file of the cache cannot be written."""


class ArrayFacts(NamedTuple):
    """What must be known of an array to map its file."""

    dtype: str
    shape: Sequence[int]
    checksum: int
    """CRC-32 of its bytes."""


class GrowingArray:
    """An array that is written in parts."""

    def __init__(self, dtype: Any, file: BinaryIO) -> None:
        self.dtype = np.dtype(dtype)
        self._file = file
        self._rows = 0
        self._row_shape: tuple[int, ...] = ()
        self._checksum = 0

    def append(self, values: NDArray[Any]) -> None:
        """Add values: shape (rows, ...), of which all but the number of rows is the same each time.

        Raises:
            UnwritableCacheError: The file cannot be written.
        """
        data = np.ascontiguousarray(values, self.dtype)
        self._rows += len(data)
        self._row_shape = data.shape[1:]
        content = data.reshape(-1).view(np.uint8).data
        self._checksum = zlib.crc32(content, self._checksum)
        try:
            self._file.write(content)
        except OSError as error:
            raise UnwritableCacheError(str(error)) from error

    @property
    def facts(self) -> ArrayFacts:
        """What has been written so far."""
        return ArrayFacts(self.dtype.str, (self._rows, *self._row_shape), self._checksum)

    def finish(self) -> NDArray[Any]:
        """Return the whole array, which cannot be written to.

        Raises:
            UnwritableCacheError: The file cannot be written.
        """
        if isinstance(self._file, BytesIO):
            return np.ndarray(self.facts.shape, self.dtype, self._file.getbuffer().toreadonly())
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            return _map(self._file, self.facts)
        except OSError as error:
            raise UnwritableCacheError(str(error)) from error


class RowStore:
    """Named arrays in a directory, or in memory."""

    def __init__(self, directory: Path | None = None) -> None:
        """Make an empty store.

        Args:
            directory: An empty directory for the files; by default there are none.
        """
        self._directory = directory
        self._arrays: dict[str, GrowingArray] = {}

    def array(self, name: str, dtype: Any) -> GrowingArray:
        """Begin an array.

        Raises:
            UnwritableCacheError: Its file cannot be written.
        """
        self._arrays[name] = GrowingArray(dtype, self._open(name))
        return self._arrays[name]

    def converted(self, name: str, dtype: Any) -> GrowingArray:
        """Begin an array anew with another type, and the values that it has.

        Raises:
            UnwritableCacheError: Its file cannot be written.
        """
        old = self._arrays[name].finish()
        self.remove(name)
        new = self.array(name, dtype)
        for part in chunks(old):
            new.append(part)
        return new

    def remove(self, name: str) -> None:
        """Remove an array."""
        del self._arrays[name]
        if self._directory is not None:
            (self._directory / name).unlink()

    def finish(self) -> dict[str, NDArray[Any]]:
        """Return all arrays, which cannot be written to.

        Raises:
            UnwritableCacheError: A file cannot be written.
        """
        return {name: array.finish() for name, array in self._arrays.items()}

    @property
    def facts(self) -> dict[str, ArrayFacts]:
        """What `map_arrays` must know."""
        return {name: array.facts for name, array in self._arrays.items()}

    def _open(self, name: str) -> BinaryIO:
        if self._directory is None:
            return BytesIO()
        try:
            return (self._directory / name).open("x+b")
        except OSError as error:
            raise UnwritableCacheError(str(error)) from error


def map_arrays(directory: Path, facts: Mapping[str, ArrayFacts]) -> dict[str, NDArray[Any]]:
    """Map the files of a store, which cannot be written to.

    Raises:
        ValueError: A file is not what was written.
        OSError: A file cannot be read.
    """
    return {name: _map_checked(directory / name, found) for name, found in facts.items()}


def _map_checked(path: Path, facts: ArrayFacts) -> NDArray[Any]:
    with path.open("rb") as file:
        checksum, buffer = 0, bytearray(CHUNK)
        while count := file.readinto(buffer):
            checksum = zlib.crc32(memoryview(buffer)[:count], checksum)
        if checksum != facts.checksum:
            raise ValueError(f"{path.name} is damaged")
        return _map(file, facts)


def _map(file: BinaryIO, facts: ArrayFacts) -> NDArray[Any]:
    if not np.prod(facts.shape):  # an empty file cannot be mapped
        return np.zeros(facts.shape, facts.dtype)
    return np.asarray(np.memmap(file, facts.dtype, "r", shape=tuple(facts.shape)))


def chunks(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Divide an array into parts of at most `CHUNK` rows."""
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))
