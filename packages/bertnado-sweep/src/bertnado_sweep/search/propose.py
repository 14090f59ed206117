"""The parameters of the next trial: a pure function of the sweep file, the trials so far, the number and a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertnado_config import value_key

from .base import SearchState, get_method
from .past_trials import points_among, projected
from .space import space_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_config import SweepConfig
    from bertnado_metrics import Goal

    from bertnado_sweep.records.trial import Trial

    from .base import SearchMethod


def propose(
    config: SweepConfig,
    goal: Goal,
    trials: Sequence[Trial],
    number: int,
    seed: int,
    *,
    method: SearchMethod | None = None,
) -> dict[str, Any] | None:
    """Return the parameters, nested, of the trial with `number`; None if every point has been tried.

    The first of the method's candidates that no trial has had is the proposal.

    Args:
        config: The sweep file: the method and the space.
        goal: The direction of the objective.
        trials: All trials so far, running, failed and interrupted ones included, in any order. Those that are not
            points of the space, because the file was changed, do not count as tried.
        number: The number of the new trial, from 0, unique within the sweep.
        seed: The seed of the sweep, at least 0.
        method: The search method; by default the one that the sweep file names.
    """
    tried = {trial.parameters_key for trial in trials}
    size = space_size(config)
    if size is not None and len({trial.parameters_key for trial in points_among(config, trials)}) >= size:
        return None
    inside = projected(config, trials)
    state = SearchState(config, goal, inside, number, seed, left_out=len(trials) - len(inside))
    candidates = (method or get_method(config.method)).candidates(state)
    return next((candidate for candidate in candidates if value_key(candidate) not in tried), None)
