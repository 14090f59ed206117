"""Hyperband early termination, compatible with W&B."""

import math
import random
from bisect import insort
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Annotated, Literal

from bertnado_metrics import Goal
from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from .early_termination import declare_rule
from .errors import Problem
from .field_types import SECTION_CONFIG, Count, Eta, Flag, one_of

_MOST_BANDS = 100
"""The number of bands from `min_iter` after which W&B's engine stops counting."""
_SIMULATIONS = 50
"""Sweeps to simulate for `expected_shares`."""
_FAR = 100
"""The last evaluation up to which `describe` lists bands."""


@declare_rule
@dataclass(frozen=True, config=SECTION_CONFIG)
class Hyperband:
    """Hyperband: at each band, a trial continues if it is among the best 1/eta of the trials that got as far.

    A band is a number of evaluations. The bands are `min_iter`, `min_iter * eta`, `min_iter * eta**2`, ... or, with
    `max_iter` and `s`, `max_iter / eta`, ..., `max_iter / eta**s`, rounded down. After Li et al. 2018,
    https://arxiv.org/abs/1603.06560. It decides exactly as W&B's engine does (`hyperband_stopping.py` in the package
    `sweeps`).
    """

    type: Annotated[Literal["hyperband"], BeforeValidator(one_of(Literal["hyperband"]))] = "hyperband"
    """The early termination rule."""
    min_iter: Count | None = None
    """The first band."""
    max_iter: Count | None = None
    """The number of evaluations of a whole trial; needs `s` and takes precedence over `min_iter`."""
    s: Count | None = None
    """The number of bands below `max_iter`."""
    eta: Eta = 3
    """The ratio between neighbouring bands; 1/eta is the share of trials that continue. At least 1.01."""
    strict: Flag = True
    """True to judge a trial by its value at the band, false to judge it by its best value so far."""

    def __post_init__(self) -> None:
        for mistake in self._mistakes():
            raise ValueError(mistake)

    def _mistakes(self) -> Iterator[str]:
        if self.max_iter is None and self.min_iter is None:
            yield 'needs "min_iter", or "max_iter" and "s"'
        elif self.max_iter is not None and self.s is None:
            yield 'max_iter requires "s", the number of bands below it; or give "min_iter" alone'
        elif self.max_iter is not None and not self.bands(self.max_iter):
            yield f"max_iter {self.max_iter} with eta {self.eta:g} leaves no band; raise max_iter or lower eta"

    @property
    def first_evaluation(self) -> int:
        """The first band."""
        return self.bands(self.max_iter or self.min_iter or 1)[0]

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Keys that have no effect."""
        if self.max_iter is not None and self.min_iter is not None:
            return (Problem("min_iter", "has no effect beside max_iter and s", "warning"),)
        if self.max_iter is None and self.s is not None:
            return (Problem("s", "has no effect without max_iter", "warning"),)
        return ()

    def describe(self) -> str:
        """Return the bands and the share of trials that continue, in one line."""
        bands = ", ".join(map(str, self.bands(max(_FAR, self.first_evaluation))))
        return f"hyperband: after {bands} evaluations, the best 1 in {self.eta:g} continue"

    def bands(self, longest: int) -> tuple[int, ...]:
        """Return, in increasing order, the bands that a trial with `longest` evaluations has reached."""
        bands = self._bands_from_min() if self.max_iter is None else reversed(self._bands_below_max(self.max_iter))
        return tuple(dict.fromkeys(takewhile(lambda band: band <= longest, bands)))

    def threshold(self, band: int, histories: Sequence[Sequence[float]]) -> float:
        """Return the highest loss with which a trial continues past `band`; infinity if no trial got as far.

        Args:
            band: A number of evaluations, from 1.
            histories: The losses (lower is better) of every trial, the judged one included.
        """
        reached = sorted(history[band - 1] for history in histories if len(history) >= band)
        return self._highest_to_continue(reached) if reached else math.inf

    def _highest_to_continue(self, reached: Sequence[float]) -> float:
        """Return the highest loss that continues among those at a band, which are sorted."""
        return reached[int(1.0 / self.eta * len(reached))]

    def expected_shares(self, evaluations: Sequence[int]) -> list[float]:
        """Return the share of each trial that will probably be run: the mean of simulated sweeps.

        In each of them the trials come in random order, and a better trial is the better one at every evaluation.

        Args:
            evaluations: The evaluations of each whole trial, at least 1, in the order in which they get to a band.
        """
        chance = random.Random(0)  # noqa: S311 (the same forecast for the same sweep)
        sweeps = [self._simulated_evaluations(evaluations, chance) for _ in range(_SIMULATIONS)]
        return [
            sum(run) / len(sweeps) / whole for run, whole in zip(zip(*sweeps, strict=True), evaluations, strict=True)
        ]

    def _simulated_evaluations(self, evaluations: Sequence[int], chance: random.Random) -> list[int]:
        """Return the evaluations that each trial of one simulated sweep runs."""
        reached: defaultdict[int, list[float]] = defaultdict(list)
        run: list[int] = []
        for whole in evaluations:
            loss = chance.random()
            for band in self.bands(whole):
                insort(reached[band], loss)
                if loss > self._highest_to_continue(reached[band]):
                    run.append(band)
                    break
            else:
                run.append(whole)
        return run

    def should_stop(self, goal: Goal, history: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
        """Judge the trial with `history` at the last band that it has reached.

        Args:
            goal: The direction in which the objective improves.
            history: The values of the trial's objective, one per evaluation; values that are not finite do not count.
            others: The histories of all other trials, running or finished.
        """
        losses = _losses(goal, history)
        bands = self.bands(len(losses))
        if not bands:
            return False
        histories = [losses, *(_losses(goal, other) for other in others)]
        judged = losses[bands[-1] - 1] if self.strict else min(losses)
        return judged > self.threshold(bands[-1], histories)

    def _bands_from_min(self) -> Iterator[int]:
        band: float = self.min_iter or 1
        for _ in range(_MOST_BANDS):
            yield int(band)
            band *= self.eta

    def _bands_below_max(self, max_iter: int) -> list[int]:
        bands: list[int] = []
        band: float = max_iter
        for _ in range(self.s or 0):
            band /= self.eta
            if band < 1:
                break
            bands.append(int(band))
        return bands


def _losses(goal: Goal, history: Sequence[float]) -> list[float]:
    sign = -1.0 if goal == "maximize" else 1.0
    return [sign * value for value in history if math.isfinite(value)]
