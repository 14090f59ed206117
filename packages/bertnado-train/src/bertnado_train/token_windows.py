"""Rows that are too long for a model, as overlapping windows of their tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .encoded_split import EncodedSplit

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray


class Windows(NamedTuple):
    """Windows of rows, in the order of the rows."""

    split: EncodedSplit
    owners: NDArray[np.int64]
    """The row that each window belongs to: shape (windows,)."""


def cut_windows(rows: EncodedSplit, most: int, framing: Collection[int]) -> Windows:
    """Cut longer rows into windows of `most` tokens, each of which overlaps the next by half.

    The special tokens at either end of a row are at the ends of each of its windows, and the last window ends where the
    row ends.

    Args:
        rows: The rows, without token types.
        most: The most tokens of a row.
        framing: The special tokens.

    Raises:
        ValueError: `most` leaves no room for a token between special ones.
    """
    special = np.fromiter(framing, np.int64)
    pieces: list[NDArray[np.integer]] = []
    owners: list[int] = []
    for row in range(len(rows)):
        tokens = rows.tokens[rows.starts[row] : rows.starts[row + 1]]
        windows = [tokens] if len(tokens) <= most else _windows(tokens, most, special)
        pieces += windows
        owners += [row] * len(windows)
    lengths = [len(piece) for piece in pieces]
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    chosen = np.array(owners, dtype=np.int64)
    return Windows(EncodedSplit(np.concatenate(pieces), None, starts, rows.labels[chosen]), chosen)


def _windows(tokens: NDArray[np.integer], most: int, special: NDArray[np.int64]) -> list[NDArray[np.integer]]:
    inner = np.flatnonzero(~np.isin(tokens, special))
    first, last = (int(inner[0]), int(inner[-1]) + 1) if len(inner) else (0, len(tokens))
    before, body, after = tokens[:first], tokens[first:last], tokens[last:]
    size = most - len(before) - len(after)
    if size < 1:
        raise ValueError(f"a window of {most} tokens has no room for a token beside {most - size} special ones")
    begins = [*range(0, len(body) - size, max(size // 2, 1)), len(body) - size]
    return [np.concatenate([before, body[begin : begin + size], after]) for begin in begins]


def mean_by_owner(logits: NDArray[np.float64], owners: NDArray[np.int64], rows: int) -> NDArray[np.float64]:
    """Return the mean logits of each row's windows: shape (rows, logits).

    Args:
        logits: Those of the windows: shape (windows, logits).
        owners: The row of each window: shape (windows,).
        rows: The number of rows, each of which has a window.
    """
    sums = np.zeros((rows, logits.shape[1]))
    np.add.at(sums, owners, logits)
    return sums / np.bincount(owners, minlength=rows)[:, None]
