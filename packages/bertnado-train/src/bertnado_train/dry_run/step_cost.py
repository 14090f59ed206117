"""The seconds of optimiser steps, from a few that were measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class MeasuredBatch:
    """Forward and backward passes over batches of one shape."""

    rows: int
    tokens: int
    """Tokens in the batch, padding included."""
    seconds: float
    """The median, without the optimiser."""
    steps: int
    """The number of steps that it is the median of."""


@dataclass(frozen=True)
class StepCost:
    """A line through what was measured: a batch takes `batch + tokens * token` seconds."""

    optimiser: float
    """Seconds of the optimiser, once a step."""
    batch: float
    """Seconds of a batch, however small."""
    token: float
    """Seconds of each token, padding included."""

    @classmethod
    def fitted(cls, optimiser: float, measured: Sequence[MeasuredBatch]) -> StepCost:
        """Return the line with the smallest relative errors; neither of its parts is negative.

        Args:
            optimiser: Seconds of the optimiser, once a step.
            measured: At least one shape.
        """
        tokens = np.array([batch.tokens for batch in measured], dtype=float)
        seconds = np.array([batch.seconds for batch in measured])
        ones = np.ones(len(measured))
        if np.ptp(tokens) > 0:
            relative = np.stack([1 / seconds, tokens / seconds], axis=1)
            (batch, token), *_ = np.linalg.lstsq(relative, ones, rcond=None)
            if batch >= 0 and token >= 0:
                return cls(optimiser, float(batch), float(token))
            if token < 0:
                return cls(optimiser, float(seconds.mean()), 0.0)
        return cls(optimiser, 0.0, float((seconds / tokens).mean()))

    def seconds(self, steps: float, batches: float, tokens: float) -> float:
        """Return the seconds of so many optimiser steps, with the batches and tokens of all of them."""
        return steps * self.optimiser + batches * self.batch + tokens * self.token
