"""The work of a trial: its optimiser steps, its batches, and their tokens with padding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from bertnado_train.length_grouping import padded_tokens, sorted_in_megabatches
from bertnado_train.schedule import trial_schedule

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import TrainingArguments

_MOST_ROWS = 50_000
"""More rows are represented by as many of them."""


@dataclass(frozen=True)
class Workload:
    """What one trial computes."""

    steps: int
    """Optimiser steps."""
    batches: float
    """Batches that are trained at once; several in a step that accumulates gradients."""
    tokens: float
    """The tokens of all batches, padding included."""
    evaluations: int


class RowLengths:
    """The lengths of the training rows, and what batches of them come to with padding."""

    def __init__(self, lengths: NDArray[np.int64]) -> None:
        """Take the tokens of each training row: shape (rows,), at least one."""
        self.rows = len(lengths)
        chance = np.random.default_rng(0)
        self._lengths = lengths if self.rows <= _MOST_ROWS else chance.choice(lengths, _MOST_ROWS, replace=False)
        self._shuffled = chance.permutation(len(self._lengths))
        self.tokens_a_row = lru_cache(self._tokens_a_row)
        """Return the mean tokens of a row in batches of a size, padding included."""

    def workload(self, arguments: TrainingArguments) -> Workload:
        """Return what a trial with these arguments computes."""
        schedule = trial_schedule(arguments, self.rows)
        batch, accumulation = arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps
        an_epoch = max(self.rows // batch if arguments.dataloader_drop_last else -(-self.rows // batch), 1)
        epochs = schedule.steps / -(-an_epoch // accumulation)
        is_grouped = arguments.train_sampling_strategy == "group_by_length"
        rows = min(an_epoch * batch, self.rows)
        tokens = rows * self.tokens_a_row(batch, accumulation if is_grouped else None)
        return Workload(schedule.steps, epochs * an_epoch, epochs * tokens, schedule.evaluations)

    def _tokens_a_row(self, batch: int, grouped_over: int | None) -> float:
        order = self._shuffled
        if grouped_over is not None:
            order = sorted_in_megabatches(order, self._lengths, batch * grouped_over)
        return float(padded_tokens(self._lengths[order], batch) / len(order))
