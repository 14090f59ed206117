"""The rows that baselines learn from and are evaluated on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_TRAINED, MOST_EVALUATED = 20_000, 50_000
"""Rows of a split that baselines learn from, and that they are evaluated on; of more, some are drawn at random."""
_SEED = 0


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a dataset."""

    labels: NDArray[Any]
    """Shape (rows,), or (rows, labels): labels of the task."""
    sequences: Sequence[str] | None = None
    """The letters of each row, in either case; white space separates the two of a pair. `None` if they are unknown."""
    tokens: NDArray[np.integer[Any]] | None = None
    """The token ids of all rows, concatenated: shape (tokens,). `None` if there are none."""
    starts: NDArray[np.int64] | None = None
    """The offset of each row in `tokens`, and the end of the last one: shape (rows + 1,)."""
    total: int | None = None
    """The number of rows that these were drawn from; `None` if they are all."""

    def __post_init__(self) -> None:
        counts = {
            "sequences": None if self.sequences is None else len(self.sequences),
            "starts": None if self.starts is None else len(self.starts) - 1,
        }
        for name, count in counts.items():
            if count is not None and count != len(self):
                raise ValueError(f"{name} must be those of {len(self)} rows, as many as there are labels, got {count}")
        if (self.tokens is None) != (self.starts is None):
            raise ValueError("tokens and starts must be given together, got one of them")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def drawn_from(self) -> int:
        """The number of rows that these were drawn from."""
        return len(self) if self.total is None else self.total

    def select(self, chosen: NDArray[np.int64]) -> Rows:
        """Return the rows with these indices, in that order."""
        indices: list[int] = chosen.tolist()
        sequences = None if self.sequences is None else [self.sequences[row] for row in indices]
        tokens, starts = self.tokens, self.starts
        if tokens is not None and starts is not None:
            begins, lengths = starts[chosen], np.diff(starts)[chosen]
            starts = np.concatenate([[0], np.cumsum(lengths)])
            tokens = tokens[np.arange(starts[-1]) + np.repeat(begins - starts[:-1], lengths)]
        return Rows(self.labels[chosen], sequences, tokens, starts, self.drawn_from)

    def sampled(self, most: int) -> Rows:
        """Return at most that many of the rows, drawn at random, the same each time."""
        return self if len(self) <= most else self.select(sampled_rows(len(self), most))


def sampled_rows(rows: int, most: int) -> NDArray[np.int64]:
    """Return the indices of at most `most` of so many rows, in order: drawn at random, the same each time."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(_SEED).permutation(rows)[:most])
