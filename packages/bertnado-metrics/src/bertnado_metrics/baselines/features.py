"""The numbers that linear baselines predict from, as sparse matrices of the shape (rows, columns)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bertnado_metrics.lazy_imports import scipy_sparse

from .letters import OTHER, Letters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from .rows import Rows

LONGEST_KMER = 6
MOST_POSITIONS = 2000
"""The length from which on sequences have too many positions."""
_BASES = 4
_AT_ONCE = 2000
"""Rows that are counted at a time."""


@dataclass(frozen=True)
class Features:
    """A way to turn rows into numbers."""

    words: str
    """The numbers, in a few words."""
    columns: Callable[[Rows], int]
    """The number of columns, told from the training rows."""
    count: Callable[[Rows, int], Any]
    """Makes the matrix of some rows, with that many columns."""
    obstacle: Callable[[Sequence[Rows]], str | None]
    """Tells why it cannot be made of some splits."""

    def matrix(self, rows: Rows, columns: int) -> Any:
        """Return the matrix of all rows, in double precision and compressed by rows."""
        return scipy_sparse().vstack(list(self.parts(rows, columns)), format="csr")

    def parts(self, rows: Rows, columns: int) -> Iterator[Any]:
        """Iterate over the matrices of a few rows at a time."""
        for first in range(0, len(rows), _AT_ONCE):
            yield self.count(rows.select(np.arange(first, min(first + _AT_ONCE, len(rows)))), columns)


def _composition(rows: Rows, columns: int) -> Any:
    """Return the logarithm of each length, and the shares of A, C, G, T and other letters."""
    letters = Letters.of(_sequences(rows))
    lengths = letters.lengths
    shares = [letters.counts(letters.codes == code) / np.maximum(lengths, 1) for code in range(OTHER + 1)]
    table = np.stack([np.log1p(lengths), *shares], axis=1)
    assert table.shape[1] == columns  # noqa: S101  (`columns` is told by this module)
    return scipy_sparse().csr_matrix(table)


def _kmers(rows: Rows, columns: int) -> Any:
    """Return how often each k-mer of 1 to `LONGEST_KMER` letters occurs; those with other letters do not count."""
    letters = Letters.of(_sequences(rows))
    bases, is_valid = letters.codes.astype(np.int32), letters.codes < OTHER
    codes, valid, parts = bases, is_valid, list[Any]()
    for length in range(1, LONGEST_KMER + 1):
        if length > 1:
            codes = codes[:-1] * _BASES + bases[length - 1 :]
            valid = valid[:-1] & is_valid[length - 1 :]
        parts.append(_count(codes[valid], letters.before(valid), _BASES**length))
    found = scipy_sparse().hstack(parts, format="csr")
    assert found.shape[1] == columns  # noqa: S101  (`columns` is told by this module)
    return found


def _positions(rows: Rows, columns: int) -> Any:
    """Return 1 for the letter at each position, 0 for the other three: shape (rows, 4 * length)."""
    letters = Letters.of(_sequences(rows))
    places = np.arange(len(letters.codes)) - np.repeat(letters.starts[:-1], np.diff(letters.starts))
    valid = letters.codes < OTHER
    codes = places * _BASES + letters.codes
    return _count(codes[valid], letters.before(valid), columns)


def _tokens(rows: Rows, columns: int) -> Any:
    """Return how often each token occurs; those above all training tokens do not count."""
    tokens, starts = rows.tokens, rows.starts
    assert tokens is not None  # noqa: S101  (`obstacle` was asked)
    assert starts is not None  # noqa: S101  (the same)
    known = tokens < columns
    return _count(tokens[known], np.concatenate([[0], np.cumsum(known)])[starts], columns)


def _count(codes: NDArray[Any], starts: NDArray[np.int64], columns: int) -> Any:
    """Count how often each code occurs in each row."""
    ones = np.ones(len(codes))
    found = scipy_sparse().csr_matrix((ones, codes.astype(np.int32), starts), shape=(len(starts) - 1, columns))
    found.sum_duplicates()
    return found


def _sequences(rows: Rows) -> Sequence[str]:
    assert rows.sequences is not None  # noqa: S101  (`obstacle` was asked)
    return rows.sequences


def _needs_sequences(splits: Sequence[Rows]) -> str | None:
    return "needs sequences, but only token ids are known" if any(rows.sequences is None for rows in splits) else None


def _needs_tokens(splits: Sequence[Rows]) -> str | None:
    return "needs token ids, but only sequences are known" if any(rows.tokens is None for rows in splits) else None


def _needs_one_length(splits: Sequence[Rows]) -> str | None:
    unknown = _needs_sequences(splits)
    if unknown:
        return unknown
    lengths = {len(sequence) for rows in splits for sequence in _sequences(rows)}
    if len(lengths) > 1:
        return f"needs sequences of one length, but they have {min(lengths):,} to {max(lengths):,} letters"
    if max(lengths, default=0) > MOST_POSITIONS:
        return f"needs sequences of at most {MOST_POSITIONS:,} letters, but they have {max(lengths):,}"
    return None


COMPOSITION = Features(
    "length and base composition",
    lambda _: 2 + OTHER,
    _composition,
    _needs_sequences,
)
KMERS = Features(
    f"counts of k-mers of 1 to {LONGEST_KMER} letters",
    lambda _: sum(_BASES**length for length in range(1, LONGEST_KMER + 1)),
    _kmers,
    _needs_sequences,
)
TOKENS = Features(
    "counts of tokens",
    lambda train: int(np.max(train.tokens, initial=0)) + 1 if train.tokens is not None else 0,
    _tokens,
    _needs_tokens,
)
POSITIONS = Features(
    "the letter at each position",
    lambda train: _BASES * len(_sequences(train)[0]),
    _positions,
    _needs_one_length,
)
