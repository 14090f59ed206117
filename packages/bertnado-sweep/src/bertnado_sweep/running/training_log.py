"""The training log of a trial: what training logged between evaluations, in a bounded number of rows."""

from __future__ import annotations

import math
from contextlib import suppress
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_ROWS = 500
"""The most rows of a training log."""

TRAINING_LOSS = "train/loss"

LOGGED = (TRAINING_LOSS, "train/learning_rate", "train/grad_norm")
"""The metrics that are kept."""


class TrainingLog:
    """The rows of a training log, thinned evenly: when there are too many, every other one goes."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._latest: dict[str, Any] | None = None
        self._distance = 0.0
        """The least number of steps between two rows that are kept."""

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """The rows in the order of training, the latest one included: `step`, and each metric by its name."""
        if self._latest is None or self._rows[-1] is self._latest:
            return tuple(self._rows)
        return (*self._rows, self._latest)

    def continue_from(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Forget everything, and begin with the rows of an earlier attempt."""
        self._rows = [dict(row) for row in rows]
        self._latest = self._rows[-1] if self._rows else None
        is_thinned = len(self._rows) >= MOST_ROWS // 2
        self._distance = _usual_distance(self._rows) if is_thinned else 0.0
        if is_thinned and self._rows[-1]["step"] - self._rows[-2]["step"] < self._distance:
            self._rows.pop()  # it was there as the latest one

    def add(self, step: float, metrics: Mapping[str, Any]) -> None:
        """Add what training logged at a step, if that is any of the metrics that are kept."""
        row: dict[str, Any] = {}
        for name in LOGGED:
            with suppress(KeyError, TypeError, ValueError):  # a trainer may log anything
                number = float(metrics[name])
                row[name] = number if math.isfinite(number) else None
        if row:
            self._take({"step": step, **row})

    def _take(self, row: dict[str, Any]) -> None:
        self._latest = row
        if not self._rows or row["step"] - self._rows[-1]["step"] >= self._distance:
            self._rows.append(row)
        if len(self._rows) >= MOST_ROWS:
            self._rows = self._rows[::2]
            self._distance = _usual_distance(self._rows)


def _usual_distance(rows: Iterable[Mapping[str, Any]]) -> float:
    return median(after["step"] - before["step"] for before, after in pairwise(rows))
