"""The rows of a split in a store of arrays, as compact as they can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .encoded_split import EncodedSplit
from .row_store import CHUNK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .row_store import GrowingArray, RowStore

_MOST_IN_16_BITS = np.iinfo(np.uint16).max


class SplitWriter:
    """Writes the rows of a split: token ids in 16 bits if all fit, mask and token types only if they say something."""

    def __init__(self, store: RowStore, name: str) -> None:
        """Begin a split.

        Args:
            store: Gets its arrays.
            name: The name of the split.
        """
        self._store = store
        self._name = name
        self._tokens = store.array(f"{name}.tokens", np.uint16)
        self._starts = store.array(f"{name}.starts", np.int64)
        self._widths = store.array(f"{name}.widths", np.int64)
        self._mask = _RarelyDifferent(store, f"{name}.mask", 1)
        self._types = _RarelyDifferent(store, f"{name}.types", 0)
        self._end = 0
        self.highest = 0
        """The highest token id."""
        self._is_padded = False
        self._starts.append(np.zeros(1, np.int64))

    def append(self, rows: EncodedSplit) -> None:
        """Write more rows."""
        self.highest = max(self.highest, int(rows.tokens.max(initial=0)))
        if self._tokens.dtype == np.uint16 and self.highest > _MOST_IN_16_BITS:
            self._tokens = self._store.converted(f"{self._name}.tokens", np.int32)
        self._tokens.append(rows.tokens)
        self._starts.append(self._end + rows.starts[1:])
        self._widths.append(rows.stored_lengths)
        self._mask.append(rows.mask, len(rows.tokens))
        self._types.append(rows.types, len(rows.tokens))
        self._end += len(rows.tokens)
        self._is_padded |= rows.widths is not None

    def finish(self) -> None:
        """End the split."""
        self._mask.finish()
        self._types.finish()
        if not self._is_padded:
            self._store.remove(f"{self._name}.widths")


class _RarelyDifferent:
    """An array of a single value, which is written only when another one appears."""

    def __init__(self, store: RowStore, name: str, value: int) -> None:
        self._store = store
        self._name = name
        self._value = value
        self._array: GrowingArray | None = None
        self._unwritten = 0

    def append(self, values: NDArray[np.uint8] | None, count: int) -> None:
        """Add `count` values; `None` if all are the usual one."""
        if values is None:
            self._unwritten += count
            return
        array = self._array = self._array or self._store.array(self._name, np.uint8)
        self._catch_up(array)
        array.append(values)

    def finish(self) -> None:
        """End the array, if there is one."""
        if self._array is not None:
            self._catch_up(self._array)

    def _catch_up(self, array: GrowingArray) -> None:
        while self._unwritten:
            part = min(self._unwritten, CHUNK)
            array.append(np.full(part, self._value, np.uint8))
            self._unwritten -= part


def assemble_split(arrays: Mapping[str, NDArray[Any]], name: str, highest: int) -> EncodedSplit:
    """Return a split whose arrays, those of a `SplitWriter` and its labels, are in a store.

    Args:
        arrays: The arrays of the store.
        name: The name of the split.
        highest: Its highest token id.
    """
    return EncodedSplit(
        arrays[f"{name}.tokens"],
        arrays.get(f"{name}.mask"),
        arrays[f"{name}.starts"],
        arrays[f"{name}.labels"],
        arrays.get(f"{name}.widths"),
        arrays.get(f"{name}.types"),
        highest,
    )
