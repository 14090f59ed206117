"""Rows together with their reverse complements: both of each row, or one of the two at random."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from .encoded_split import EncodedSplit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


def _no_epoch() -> torch.Tensor:
    return torch.zeros(1, dtype=torch.int64).share_memory_()


_NO_ROWS = EncodedSplit(np.zeros(0, np.uint16), None, np.zeros(1, np.int64), np.zeros(0, np.float32))


@dataclass(frozen=True, eq=False)
class BothStrands(EncodedSplit):
    """A split with the reverse complement of each row. Taken as a split, it is the rows as they are."""

    forward: EncodedSplit = _NO_ROWS
    """The rows as they are."""
    reverse: EncodedSplit = _NO_ROWS
    """Their reverse complements, in the same order."""

    @classmethod
    def of(cls, forward: EncodedSplit, reverse: EncodedSplit, **further: Any) -> Self:
        """Put rows and their reverse complements together.

        Raises:
            ValueError: They are not those of the same rows.
        """
        if not np.array_equal(forward.labels, reverse.labels):
            raise ValueError(f"the labels of {len(reverse)} reverse complements are not those of {len(forward)} rows")
        own = {field.name: getattr(forward, field.name) for field in fields(EncodedSplit)}
        return cls(**own, forward=forward, reverse=reverse, **further)

    def __getitems__(self, indices: Sequence[int]) -> EncodedSplit:
        """Return the rows at `indices` with their reverse complements, in that order."""
        return BothStrands.of(self.forward.__getitems__(indices), self.reverse.__getitems__(indices))


@dataclass(frozen=True, eq=False)
class RandomStrand(BothStrands):
    """A split that gives each row as it is or as its reverse complement, with probability 1/2.

    Seed, epoch and place of the row decide, so that a training run that continues sees what it would have seen.
    """

    seed: int = 0
    epoch: torch.Tensor = field(default_factory=_no_epoch)
    """The number of the epoch, in memory that the processes of a data loader share."""

    def begin_epoch(self, epoch: int) -> None:
        """Draw the strands of an epoch, counted from 0."""
        self.epoch.fill_(epoch)

    def __getitems__(self, indices: Sequence[int]) -> EncodedSplit:
        """Return the rows at `indices`, in that order, each on the strand that was drawn for it."""
        chosen = np.asarray(indices, dtype=np.int64)
        is_turned = draw_strands(self.seed, int(self.epoch), len(self))[chosen]
        forward = self.forward.__getitems__(chosen[~is_turned].tolist())
        both = forward.joined(self.reverse.__getitems__(chosen[is_turned].tolist()))
        order = np.argsort(np.argsort(is_turned, kind="stable"))
        return replace(both.__getitems__(order.tolist()), labels=self.labels[chosen])


@lru_cache(maxsize=2)
def draw_strands(seed: int, epoch: int, rows: int) -> NDArray[np.bool_]:
    """Return for each row whether an epoch shows its reverse complement: shape (rows,)."""
    return np.random.default_rng((seed, epoch)).integers(0, 2, rows, dtype=np.int8).astype(np.bool_)


def strands_of(rows: EncodedSplit) -> tuple[EncodedSplit, ...]:
    """Return the rows as they are and, if they are known, their reverse complements."""
    return (rows.forward, rows.reverse) if isinstance(rows, BothStrands) else (rows,)


def mean_over_strands(rows: EncodedSplit, compute: Callable[[EncodedSplit], Any]) -> Any:
    """Return the logits of rows; of `BothStrands`, the mean of those of each row and of its reverse complement.

    Args:
        rows: The rows.
        compute: Returns the logits of rows on one strand.
    """
    computed = [compute(strand) for strand in strands_of(rows)]
    return sum(computed[1:], computed[0]) / len(computed)
