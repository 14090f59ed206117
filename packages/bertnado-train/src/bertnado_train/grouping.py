"""What grouping the training rows by their length would save, and what it would do to the batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .encoded import EncodedSplit

_STRETCH = 50
"""Batches in a stretch that the sampler of transformers sorts by length (`get_length_grouped_indices`)."""

_NOTICEABLE = 0.1


@dataclass(frozen=True)
class LengthGrouping:
    """Batches of rows of like length, beside batches of rows as they come."""

    batch: int
    """Rows in a batch."""
    saved: float
    """The share of the tokens, padding included, that training would no longer compute, below 1."""
    label_share: float
    """The share of the labels' variance that lies between such batches, beyond chance: 0 for labels that have nothing
    to do with length, 1 where each batch holds one label alone."""

    @property
    def is_biased(self) -> bool:
        """Whether a step would see rows of one kind more than of the others."""
        return self.label_share > _NOTICEABLE


def measure_grouping(split: EncodedSplit, batch: int, accumulation: int = 1) -> LengthGrouping:
    """Lay rows out as the two samplers would, and compare.

    Args:
        split: The training rows.
        batch: Rows in a batch, at least 1.
        accumulation: Batches that one optimiser step takes, at least 1.
    """
    mixed = np.random.default_rng(0).permutation(len(split))
    stretch = _STRETCH * batch * accumulation
    parts = [mixed[start : start + stretch] for start in range(0, len(mixed), stretch)]
    grouped = np.concatenate([part[np.argsort(-split.lengths[part], kind="stable")] for part in parts])
    saved = 1 - _padded_tokens(split.lengths[grouped], batch) / _padded_tokens(split.lengths[mixed], batch)
    by_chance, by_length = (_share_between(_columns(split.labels)[order], batch) for order in (mixed, grouped))
    beyond = (by_length - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0
    return LengthGrouping(batch, float(saved), float(max(beyond, 0.0)))


def _padded_tokens(lengths: NDArray[np.int64], batch: int) -> int:
    starts = np.arange(0, len(lengths), batch)
    return int((np.maximum.reduceat(lengths, starts) * np.diff([*starts, len(lengths)])).sum())


def _columns(labels: NDArray[np.float32] | NDArray[np.int64]) -> NDArray[np.float64]:
    """The labels as numbers, one column for each class or label: shape (rows, columns)."""
    if labels.dtype.kind == "i":
        return (labels[:, None] == np.unique(labels)).astype(np.float64)
    return labels.reshape(len(labels), -1).astype(np.float64)


def _share_between(labels: NDArray[np.float64], batch: int) -> float:
    """The share of the variance that lies between batches: 1 - within / all."""
    starts = np.arange(0, len(labels), batch)
    sizes = np.diff([*starts, len(labels)])
    means = np.add.reduceat(labels, starts, axis=0) / sizes[:, None]
    everything = ((labels - labels.mean(axis=0)) ** 2).sum()
    within = ((labels - np.repeat(means, sizes, axis=0)) ** 2).sum()
    return float(1 - within / everything) if everything else 0.0
