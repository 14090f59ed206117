"""When a running trial has to stop: hyperband as W&B runs it.

A band is a number of iterations (evaluations) after which a trial must be among the best 1/eta of all
trials that came as far. The rules, odd corners included, are those of W&B's engine (the package `sweeps`,
`hyperband_stopping.py`), after Li et al., "Hyperband" (https://arxiv.org/abs/1603.06560).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_config import Hyperband
    from bertnado_metrics import Goal


@dataclass(frozen=True)
class EarlyTermination:
    """Early termination of the worse trials at growing numbers of iterations.

    Args:
        goal: Whether higher or lower values are better.
        min_iter: The first band; the others are `min_iter * eta ** k`. At least 1.
        max_iter: Or where the bands end: they are `max_iter / eta ** k` for k = 1, ..., s, down to 1.
            It decides where both are given.
        s: The number of bands below `max_iter`.
        eta: The share of trials that goes on past a band is 1/eta; above 1.
        strict: Judge a trial by its value at the band. Otherwise by the best of its whole history.

    Raises:
        ValueError: Neither `min_iter` nor both of `max_iter` and `s` are given, or they leave no band.
    """

    goal: Goal
    min_iter: int | None = None
    max_iter: int | None = None
    s: int | None = None
    eta: float = 3.0
    strict: bool = True

    def __post_init__(self) -> None:
        if not self.eta > 1:
            raise ValueError(f"eta is {self.eta}; it has to be above 1 (of eta trials, one goes on)")
        if self.max_iter is not None:
            if self.s is None:
                raise ValueError("max_iter needs s, the number of bands below it")
            if not _bands_below(self.max_iter, self.s, self.eta):
                raise ValueError(
                    f"max_iter {self.max_iter} with eta {self.eta:g} and s {self.s} leaves no band of at least "
                    "one evaluation; raise max_iter or s, or lower eta"
                )
        elif self.min_iter is None or self.min_iter < 1:
            raise ValueError("hyperband needs a min_iter of at least 1, or max_iter together with s")

    @classmethod
    def from_section(cls, section: Hyperband, goal: Goal) -> EarlyTermination:
        """Build it from the `early_terminate` section of a sweep file."""
        return cls(goal, section.min_iter, section.max_iter, section.s, section.eta, section.strict)

    def bands(self, longest: int) -> list[int]:
        """The bands, in increasing order, that a trial of `longest` iterations has reached."""
        if self.max_iter is not None and self.s is not None:
            return [band for band in _bands_below(self.max_iter, self.s, self.eta) if band <= longest]
        return _bands_from(self.min_iter or 1, self.eta, longest)

    def threshold(self, band: int, histories: Sequence[Sequence[float]]) -> float:
        """The worst loss with which a trial goes on past `band`; infinite where none came as far.

        Args:
            band: A number of iterations, from 1.
            histories: The losses (lower is better) of every trial, the judged one included.
        """
        reached = sorted(history[band - 1] for history in histories if len(history) >= band)
        return reached[int(1.0 / self.eta * len(reached))] if reached else math.inf

    def should_stop(self, history: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
        """Whether the trial with `history` has to stop, judged at the last band that it has reached.

        Args:
            history: The trial's objective, one value an evaluation; values that are not finite do not count.
            others: The histories of all other trials, whatever became of them.
        """
        losses = self._losses(history)
        bands = self.bands(len(losses))
        if not bands:
            return False
        histories = [losses, *(self._losses(other) for other in others)]
        judged = losses[bands[-1] - 1] if self.strict else min(losses)
        return judged > self.threshold(bands[-1], histories)

    def _losses(self, history: Sequence[float]) -> list[float]:
        sign = -1.0 if self.goal == "maximize" else 1.0
        return [sign * value for value in history if math.isfinite(value)]


def _bands_below(max_iter: int, s: int, eta: float) -> list[int]:
    bands: list[int] = []
    band: float = max_iter
    for _ in range(s):
        band /= eta
        if band < 1:
            break
        bands.append(int(band))
    return sorted(bands)


def _bands_from(min_iter: int, eta: float, longest: int) -> list[int]:
    bands: list[int] = []
    band: float = min_iter
    while int(band) <= longest and len(bands) < _MOST_BANDS:
        bands.append(int(band))
        band *= eta
    return bands


_MOST_BANDS = 100
"""W&B's engine counts no further."""
