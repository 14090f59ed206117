"""The trials that a sweep will probably run next, for forecasts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_sweep.records.trial import Trial

from .past_trials import is_point
from .propose import propose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_config import SweepConfig
    from bertnado_metrics import Goal

    from .base import SearchMethod

_MOST = 64
"""No more trials are proposed in advance."""


def interrupted_trials(config: SweepConfig, past: Sequence[Trial]) -> list[Trial]:
    """Return the trials that are tried again, before any new one."""
    return [trial for trial in past if trial.state == "interrupted" and is_point(config, trial)]


def expected_trials(
    config: SweepConfig, goal: Goal, past: Sequence[Trial], count: int, seed: int, method: SearchMethod
) -> list[dict[str, Any]]:
    """Return the parameters of the next trials: interrupted ones, then proposals without the values of those before.

    They are exactly those of a local sweep whose method does not learn from values.

    Args:
        config: The sweep file.
        goal: The direction of the objective.
        past: All trials so far.
        count: The number of trials to expect; at most 64 are returned, or what the space has left.
        seed: The seed of the sweep.
        method: The search method.
    """
    trials = list(past)
    found = [dict(trial.parameters) for trial in interrupted_trials(config, past)]
    number = max((trial.number for trial in past), default=-1)
    while len(found) < min(count, _MOST):
        number += 1
        parameters = propose(config, goal, trials, number, seed, method=method)
        if parameters is None:
            break
        found.append(parameters)
        trials.append(Trial(number, "", "running", parameters, Path(), ""))
    return found[:_MOST]
