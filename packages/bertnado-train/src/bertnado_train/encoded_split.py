"""A split of a dataset as flat arrays of token ids without padding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np
from torch.utils.data import Dataset

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray


class Row(TypedDict):
    """One row, without padding at its end."""

    input_ids: NDArray[np.integer[Any]]
    attention_mask: NDArray[np.uint8]
    token_type_ids: NotRequired[NDArray[np.uint8]]
    labels: NDArray[np.float32] | NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class EncodedSplit(Dataset[Row]):
    """One split of a dataset as token ids, without the padding at the end of its rows.

    The arrays of a whole split may be files that are mapped into memory, and cannot be written to.
    """

    tokens: NDArray[np.integer[Any]]
    """The token ids of all rows, concatenated, in uint16 or int32: shape (tokens,)."""
    mask: NDArray[np.uint8] | None
    """1 for each token that the model attends to, otherwise 0: shape (tokens,); `None` if all are 1."""
    starts: NDArray[np.int64]
    """The offset of each row in `tokens`, and the end of the last one: shape (rows + 1,)."""
    labels: NDArray[np.float32] | NDArray[np.int64]
    """Shape (rows,), or (rows, labels) for a multilabel task."""
    widths: NDArray[np.int64] | None = None
    """The stored width of each row, with the padding at its end: shape (rows,); `None` if no row had any."""
    types: NDArray[np.uint8] | None = None
    """The token type of each token: shape (tokens,); `None` if all are 0, as models take them to be without."""
    highest: int | None = None
    """The highest token id; `None` if it has not been looked for."""

    @classmethod
    def from_padded(
        cls,
        tokens: NDArray[np.integer[Any]],
        mask: NDArray[np.uint8],
        lengths: NDArray[np.int64],
        labels: NDArray[np.float32] | NDArray[np.int64],
        types: NDArray[np.uint8] | None = None,
    ) -> EncodedSplit:
        """Drop the padding at the end of each row.

        Args:
            tokens: The stored rows, concatenated: shape (stored tokens,).
            mask: The stored attention masks, concatenated: shape (stored tokens,).
            lengths: The stored length of each row: shape (rows,).
            labels: One label, or one row of labels, per row.
            types: The stored token types, concatenated, if there are any: shape (stored tokens,).
        """
        ends = np.cumsum(lengths)
        real = np.flatnonzero(mask)
        before = np.searchsorted(real, ends)  # real tokens up to the end of each row
        last = real[np.maximum(before - 1, 0)] if len(real) else np.zeros(len(ends), np.int64)
        has_any = np.diff(before, prepend=0) > 0
        real_lengths = np.where(has_any, last + 1 - (ends - lengths), 0)
        starts = np.concatenate([[0], np.cumsum(real_lengths)])
        kept = _places(ends - lengths, starts)
        attended = mask[kept]
        own_types = None if types is None else types[kept]
        return cls(
            tokens=tokens[kept],
            mask=None if (attended == 1).all() else attended,
            starts=starts,
            labels=labels,
            widths=None if len(kept) == len(tokens) else lengths,
            types=own_types if own_types is not None and own_types.any() else None,
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> Row:
        tokens = slice(self.starts[index], self.starts[index + 1])
        ids = self.tokens[tokens]
        row: Row = {
            "input_ids": ids,
            "attention_mask": np.ones(len(ids), np.uint8) if self.mask is None else self.mask[tokens],
            "labels": self.labels[index],
        }
        return row if self.types is None else {**row, "token_type_ids": self.types[tokens]}

    def __getitems__(self, indices: Sequence[int]) -> EncodedSplit:
        """Return the rows at `indices`, in that order. A `DataLoader` passes them to its collator as one batch."""
        chosen = np.asarray(indices, dtype=np.int64)
        places, starts = self.places_of(chosen)
        widths = None if self.widths is None else self.widths[chosen]
        return self._at(places, starts, self.labels[chosen], widths)

    def places_of(self, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the tokens of some rows are, and where each of these rows begins among them.

        Args:
            chosen: The indices of the rows: shape (chosen,).

        Returns:
            The places in `tokens`, row after row: shape (chosen tokens,); the offset of each row in these, and the end
            of the last one: shape (chosen + 1,).
        """
        begins = self.starts[chosen]
        starts = np.concatenate([[0], np.cumsum(self.starts[chosen + 1] - begins)])
        return _places(begins, starts), starts

    def shortened(self, most: int, closing: Collection[int] = ()) -> EncodedSplit:
        """Return the split with the ends of its longer rows cut off.

        Args:
            most: The most tokens of a row.
            closing: Token ids that stay at the end of a row that ends with one of them.
        """
        lengths = np.minimum(self.lengths, most)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        places = _places(self.starts[:-1], starts)
        is_closed = (self.lengths > most) & np.isin(self.tokens[self.starts[1:] - 1], list(closing))
        places[starts[1:][is_closed] - 1] = self.starts[1:][is_closed] - 1
        widths = None if self.widths is None else np.minimum(self.widths, most)
        return self._at(places, starts, self.labels, widths)

    def joined(self, other: EncodedSplit) -> EncodedSplit:
        """Return the rows of both splits, these first."""
        has_widths = self.widths is not None or other.widths is not None
        has_mask = self.mask is not None or other.mask is not None
        has_types = self.types is not None or other.types is not None
        labels: Any = np.concatenate([self.labels, other.labels])
        return EncodedSplit(
            np.concatenate([self.tokens, other.tokens]),
            np.concatenate([self.attention, other.attention]) if has_mask else None,
            np.concatenate([self.starts, self.starts[-1] + other.starts[1:]]),
            labels,
            np.concatenate([self.stored_lengths, other.stored_lengths]) if has_widths else None,
            np.concatenate([_types_of(self), _types_of(other)]) if has_types else None,
        )

    def _at(
        self,
        places: NDArray[np.int64],
        starts: NDArray[np.int64],
        labels: NDArray[np.float32] | NDArray[np.int64],
        widths: NDArray[np.int64] | None,
    ) -> EncodedSplit:
        types = None if self.types is None else self.types[places]
        mask = None if self.mask is None else self.mask[places]
        return EncodedSplit(self.tokens[places], mask, starts, labels, widths, types)

    @property
    def attention(self) -> NDArray[np.uint8]:
        """The mask, also if all of it is 1: shape (tokens,)."""
        return np.ones(len(self.tokens), np.uint8) if self.mask is None else self.mask

    @cached_property
    def highest_token(self) -> int:
        """The highest token id."""
        return int(self.tokens.max()) if self.highest is None else self.highest

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """The number of tokens in each row, without padding: shape (rows,)."""
        return np.diff(self.starts)

    @property
    def stored_lengths(self) -> NDArray[np.int64]:
        """The number of tokens in each row as it is stored, with the padding at its end: shape (rows,)."""
        return self.lengths if self.widths is None else self.widths

    @cached_property
    def longest_first(self) -> NDArray[np.int64]:
        """The indices of the rows, longest row first, equally long rows in their order: shape (rows,)."""
        return np.argsort(-self.lengths, kind="stable")


def _types_of(split: EncodedSplit) -> NDArray[np.uint8]:
    return np.zeros(len(split.tokens), np.uint8) if split.types is None else split.types


def _places(begins: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of the tokens of some rows: shape (tokens,).

    Args:
        begins: The place of the first token of each row: shape (rows,).
        starts: The offset that each row is to have, and the end of the last one: shape (rows + 1,).
    """
    return np.arange(starts[-1]) + np.repeat(begins - starts[:-1], np.diff(starts))
