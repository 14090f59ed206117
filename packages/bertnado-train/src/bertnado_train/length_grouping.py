"""The effect of grouping training rows by length: padding saved, and how far batches become alike in their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .encoded_split import EncodedSplit

_BATCHES_PER_MEGABATCH = 50
"""The sampler of transformers sorts this many batches by length at a time (`get_length_grouped_indices`)."""

_MEASURED = 100_000
"""Of more rows than this, so many are measured, chosen at random."""

_NOTICEABLE = 0.1
"""The `label_share` from which grouping is reported as biased."""


@dataclass(frozen=True)
class LengthGrouping:
    """Batches of rows of similar length, compared with batches of random rows."""

    batch: int
    """The rows in a batch."""
    saved: float
    """The fraction of tokens, including padding, that need not be computed, below 1."""
    label_share: float
    """The fraction of the labels' variance that lies between such batches, beyond chance: 0 for labels that are
    independent of length, 1 if all labels of a batch are the same."""

    @property
    def is_biased(self) -> bool:
        """Whether an optimiser step would mostly see rows with similar labels."""
        return self.label_share > _NOTICEABLE


def measure_grouping(split: EncodedSplit, batch: int, accumulation: int = 1) -> LengthGrouping:
    """Arrange rows in batches as the random and the grouping sampler would, and compare the batches.

    Args:
        split: The training rows.
        batch: Rows in a batch, at least 1.
        accumulation: Batches per optimiser step, at least 1.
    """
    shuffled = np.random.default_rng(0).permutation(len(split))[:_MEASURED]
    grouped = sorted_in_megabatches(shuffled, split.lengths, batch * accumulation)
    saved = 1 - padded_tokens(split.lengths[grouped], batch) / padded_tokens(split.lengths[shuffled], batch)
    columns = _label_columns(split.labels)
    by_chance, by_length = (_variance_between_batches(columns[order], batch) for order in (shuffled, grouped))
    beyond = (by_length - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0
    return LengthGrouping(batch, float(saved), float(max(beyond, 0.0)))


def sorted_in_megabatches(rows: NDArray[np.int64], lengths: NDArray[np.int64], batch: int) -> NDArray[np.int64]:
    """Return shuffled rows in the order of the grouping sampler.

    Args:
        rows: Indices of rows, in random order.
        lengths: The tokens of each row.
        batch: Rows in an optimiser step, at least 1.
    """
    size = _BATCHES_PER_MEGABATCH * batch
    megabatches = [rows[start : start + size] for start in range(0, len(rows), size)]
    return np.concatenate([part[np.argsort(-lengths[part], kind="stable")] for part in megabatches])


def padded_tokens(lengths: NDArray[np.int64], batch: int) -> int:
    """Return the tokens of rows, padding included, that are cut into batches in this order."""
    starts = np.arange(0, len(lengths), batch)
    return int((np.maximum.reduceat(lengths, starts) * np.diff(starts, append=len(lengths))).sum())


def _label_columns(labels: NDArray[np.float32] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the labels with one column per class or label: shape (rows, columns)."""
    if labels.dtype.kind == "i":
        return (labels[:, None] == np.unique(labels)).astype(np.float64)
    return labels.reshape(len(labels), -1).astype(np.float64)


def _variance_between_batches(labels: NDArray[np.float64], batch: int) -> float:
    """Return the fraction of the variance that lies between batches: 1 - within / total."""
    starts = np.arange(0, len(labels), batch)
    sizes = np.diff(starts, append=len(labels))
    means = np.add.reduceat(labels, starts, axis=0) / sizes[:, None]
    total = ((labels - labels.mean(axis=0)) ** 2).sum()
    within = ((labels - np.repeat(means, sizes, axis=0)) ** 2).sum()
    return float(1 - within / total) if total else 0.0
