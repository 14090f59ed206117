"""How long a sweep will probably take, from what its trainer has measured."""

from __future__ import annotations

import heapq
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_config import Forecast, SweepConfig


@dataclass(frozen=True)
class SweepForecast:
    """The expected length of the trials that a sweep has left. Every duration is in seconds."""

    measured: Forecast
    """What the trainer has measured, and its trials."""
    whole_trials: tuple[float, ...]
    """The length of each trial that is left, in the order in which they start, if none is stopped early."""
    trials: tuple[float, ...]
    """The same, as early termination will probably leave them."""
    workers: int
    """The number of trials that train at once."""
    time_limit: float | None = None
    """The duration after which the sweep ends."""

    @property
    def median_trial(self) -> float:
        """The median of the trials, if none is stopped early."""
        return statistics.median(self.whole_trials)

    @property
    def seconds(self) -> float:
        """The whole sweep, from its first trial on, as early termination will probably leave it."""
        return max(self._ends(self.trials))

    @property
    def whole_seconds(self) -> float:
        """The whole sweep, if no trial is stopped early."""
        return max(self._ends(self.whole_trials))

    @property
    def in_time(self) -> int | None:
        """The number of trials that end within the time limit; None without one."""
        if self.time_limit is None:
            return None
        return sum(end <= self.time_limit for end in self._ends(self.trials))

    @property
    def evaluation_share(self) -> float:
        """The share of all trials together that is evaluation."""
        trials = self.measured.trials
        return sum(trial.evaluation_seconds for trial in trials) / sum(trial.seconds for trial in trials)

    def _ends(self, trials: Sequence[float]) -> list[float]:
        """Return when each trial ends if a worker that has ended one starts the next."""
        free = [0.0] * self.workers
        ends: list[float] = []
        for seconds in trials:
            ends.append(heapq.heappop(free) + seconds)
            heapq.heappush(free, ends[-1])
        return ends

    def to_record(self) -> dict[str, Any]:
        """Return everything in plain values, durations in seconds with three decimals."""
        values = {
            "trials": len(self.trials),
            "workers": self.workers,
            "sweep": self.seconds,
            "sweep_without_early_termination": self.whole_seconds,
            "trials_within_time_limit": self.in_time,
            "median_trial": self.median_trial,
            "evaluation_share": self.evaluation_share,
            **self.measured.to_record(),
        }
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in values.items()}


def forecast_sweep(
    measured: Forecast,
    config: SweepConfig,
    trials: int,
    workers: int,
    time_limit: float | None,
    done: Sequence[float] = (),
) -> SweepForecast:
    """Return the forecast of a sweep that has trials left.

    Args:
        measured: The forecast of its next trials, of all or of some of them.
        config: The sweep file, with its early termination.
        trials: The number of trials that are left, at least 1.
        workers: The number of trials that train at once.
        time_limit: The duration after which the sweep ends.
        done: Of the first of these trials, the shares that earlier attempts have done.
    """
    expected = [measured.trials[index % len(measured.trials)] for index in range(trials)]
    shares_of = getattr(config.early_terminate, "expected_shares", None)
    evaluations = [max(trial.evaluations, 1) for trial in expected]
    shares = [1.0] * trials if shares_of is None else shares_of(evaluations)
    left = [1 - share for share in (*done, *[0.0] * trials)]
    whole = tuple(trial.seconds * share for trial, share in zip(expected, left, strict=False))
    stopped = tuple(seconds * share for seconds, share in zip(whole, shares, strict=True))
    return SweepForecast(measured, whole, stopped, workers, time_limit)
