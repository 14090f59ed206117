"""The number of trials of a sweep: by the option, the sweep file, the space and what was done before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertnado_config import ArgumentProblem, InvalidInputError, Problem, parse_sweep_config

from .search import get_method
from .search.past_trials import points_among
from .search.space import space_size
from .start import JoinedSweep, JoinedWandbSweep, ResumedSweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_config import SweepConfig

    from .backends import BackendType
    from .records.recorded_sweep import RecordedSweep
    from .records.trial import Trial
    from .start import SweepStart

DEFAULT_TRIALS = 10
"""Number of trials of a sweep that is not exhaustive, if nothing else says it."""


@dataclass(frozen=True)
class Budget:
    """The number of trials of a sweep."""

    trials: int
    """The number that the sweep may count, with those before it was resumed."""
    warnings: Sequence[Problem] = ()
    """What keeps the sweep from having the number that was asked for."""


def find_budget(config: SweepConfig, sweep_count: int | None, kind: BackendType, start: SweepStart) -> Budget:
    """Return how many trials the option, `run_cap` and the space leave.

    Args:
        config: The sweep file.
        sweep_count: The option.
        kind: The backend.
        start: How the sweep starts.
    """
    if isinstance(start, JoinedSweep):
        return Budget(start.recorded.budget)
    if isinstance(start, ResumedSweep):
        return _resumed(config, sweep_count, kind, start.recorded)
    if start.recorded is not None and sweep_count is None:
        budget = Budget(start.recorded.budget)
    else:
        budget = _limited(config, sweep_count, _by_file(config), _size(config, kind))
    if start.recorded is not None and isinstance(start, JoinedWandbSweep):
        trials, _ = kind.read_trials(start.recorded)
        return Budget(max(budget.trials - sum(trial.is_counted for trial in trials), 0), budget.warnings)
    return budget


def _size(config: SweepConfig, kind: BackendType) -> int | None:
    return kind.size_of(config, is_exhaustive=get_method(config.method).is_exhaustive)


def _by_file(config: SweepConfig, outside: int = 0) -> int | None:
    """Return the number of trials without the option; None if `run_cap` or the size of the space is the only limit."""
    is_limited = get_method(config.method).is_exhaustive or config.run_cap is not None
    return None if is_limited else DEFAULT_TRIALS + outside


def _resumed(config: SweepConfig, sweep_count: int | None, kind: BackendType, recorded: RecordedSweep) -> Budget:
    is_unchanged = recorded.has_space_of(config) and recorded.has_run_cap_of(config)
    if sweep_count is None and is_unchanged:
        return Budget(recorded.budget)
    trials = [trial for trial in kind.read_trials(recorded)[0] if trial.state != "interrupted"]
    outside = _count_outside(config, trials)
    otherwise = _by_record(config, recorded, trials, outside)
    done = sum(trial.is_counted for trial in trials)
    return _limited(config, sweep_count, otherwise, _size(config, kind), outside, done)


def _by_record(config: SweepConfig, recorded: RecordedSweep, trials: Sequence[Trial], outside: int) -> int | None:
    """Return the number of trials of a resumed sweep without the option.

    It is the recorded number, and one more for each trial that the change has left outside the space. If the number was
    that of all points, or of another `run_cap`, the file says it anew.
    """
    is_whole = get_method(config.method).is_exhaustive and not recorded.has_space_of(config)
    before = _recorded_space(recorded)
    if is_whole or before is None or not recorded.has_run_cap_of(config):
        return _by_file(config, outside)
    number, size = recorded.budget - _count_outside(before, trials), space_size(before)
    return _by_file(config, outside) if size is not None and number >= size else number + outside


def _recorded_space(recorded: RecordedSweep) -> SweepConfig | None:
    """Return a sweep file with the recorded parameters; None if this version cannot read them."""
    try:
        return parse_sweep_config({"method": "random", "parameters": recorded.record["config"]["parameters"]})
    except InvalidInputError:
        return None


def _count_outside(config: SweepConfig, trials: Sequence[Trial]) -> int:
    return len(trials) - len(points_among(config, trials))


def _limited(
    config: SweepConfig, asked: int | None, otherwise: int | None, size: int | None, outside: int = 0, done: int = 0
) -> Budget:
    """Return the smallest of the limits.

    Args:
        config: The sweep file, with its `run_cap`.
        asked: The number of trials that the option says.
        otherwise: The number of trials if the option says none.
        size: The number of points of the space.
        outside: The number of past trials that are not points of the space.
        done: The number of trials that were finished before.
    """
    space = None if size is None else size + outside
    limits = (otherwise if asked is None else asked, config.run_cap, space)
    total = min(limit for limit in limits if limit is not None)
    warning = None
    if total == config.run_cap and (total < (asked or 0) or total <= done):
        warning = _capped(total, asked, done)
    elif asked is not None and total < asked:
        warning = _spent(total, asked, size, outside)
    elif total < done or (asked is None and total == done > 0):
        warning = _done(done, asked, is_spent=total == space)
    return Budget(max(total, done), [warning] if warning else [])


def _capped(run_cap: int, asked: int | None, done: int) -> Problem:
    if asked is not None and run_cap < asked:
        rule, end = f"run_cap {run_cap} is below {{sweep_count}} {asked}", max(run_cap, done)
        message = f"{rule}, so the sweep ends after {end} trials; raise run_cap in the sweep file"
        return ArgumentProblem("sweep_count", message, "warning")
    return Problem("run_cap", f"{run_cap} is reached: {done} trials were finished; raise it to add more", "warning")


def _spent(total: int, asked: int, size: int | None, outside: int) -> Problem:
    beside = f" (trials outside it: {outside})" if outside else ""
    rule = f"{{sweep_count}} {asked} is more than the {total} trials that there can be"
    return ArgumentProblem("sweep_count", f"{rule}: the search space has {size} points{beside}", "warning")


def _done(done: int, asked: int | None, *, is_spent: bool) -> Problem:
    if asked is not None:
        message = f"{{sweep_count}} {asked} is below the {done} trials that were finished, so none is added"
    elif is_spent:
        message = f"every point of the search space has been tried; {done} trials were finished"
    else:
        message = f"{{sweep_count}} must be above {done}, the number of trials that were finished, to add more"
    return ArgumentProblem("sweep_count", message, "warning")
