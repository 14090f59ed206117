"""Which parameters a trial gets: a pure function of the file, the trials so far, the number and a seed.

Each method is a stream of candidates, best first; the first that no trial has had is the proposal. The streams
of two numbers begin at different points, so that two workers that do not know of each other's latest trial still
do not propose the same start.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from bertnado_config import value_key

from .space import grid_points, point, random_points, space_size, varied

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bertnado_config import SweepConfig
    from bertnado_metrics import Goal

    from bertnado_sweep.records.trial import Trial

START_TRIALS = 8
"""So many trials of a bayes sweep are spread evenly before a model proposes; a power of two suits Sobol."""

_DRAWS = 1000
"""Random points that are drawn before a space that cannot be enumerated counts as spent."""

_MODEL_DRAWS = 8
"""Proposals that the model is asked for before the rest is left to chance."""


def propose(config: SweepConfig, goal: Goal, trials: Sequence[Trial], number: int, seed: int) -> dict[str, Any] | None:
    """The parameters, nested, of the trial with `number`; `None` where every point has been tried.

    Args:
        config: The method and the space.
        goal: Whether higher or lower values are better.
        trials: All trials so far, running, failed and interrupted ones included, in any order.
        number: The new trial's, from 0, unique within the sweep.
        seed: The sweep's, at least 0.
    """
    tried = {value_key(trial.parameters) for trial in trials if trial.parameters}
    size = space_size(config)
    if size is not None and len(tried) >= size:
        return None
    for candidate in _candidates(config, goal, trials, number, seed):
        if value_key(candidate) not in tried:
            return candidate
    return None


def _candidates(
    config: SweepConfig, goal: Goal, trials: Sequence[Trial], number: int, seed: int
) -> Iterator[dict[str, Any]]:
    if config.method != "grid":
        if config.method == "bayes":
            yield from _bayes_points(config, goal, trials, number, seed)
        yield from islice(random_points(config, seed, number), _DRAWS)
    if space_size(config) is not None:
        yield from grid_points(config, first=number if config.method == "grid" else 0)


def _bayes_points(
    config: SweepConfig, goal: Goal, trials: Sequence[Trial], number: int, seed: int
) -> Iterator[dict[str, Any]]:
    has_values = any(trial.is_eligible for trial in trials)
    if number < START_TRIALS or not has_values:
        yield from start_points(config, number, seed)
    if has_values and varied(config):
        from .tpe import model_points

        yield from islice(model_points(config, goal, trials, number, seed), _MODEL_DRAWS)


def start_points(config: SweepConfig, number: int, seed: int) -> Iterator[dict[str, Any]]:
    """The point of a scrambled Sobol sequence for trial `number`; none where the space has too few.

    Points with the same real values count once, so that no two numbers share one.
    """
    from scipy.stats import qmc  # pyright: ignore[reportMissingTypeStubs] (scipy has none)

    paths = [path for path, _ in varied(config)]
    if not paths:
        return
    exponent = (8 * (number + 1)).bit_length()
    units = qmc.Sobol(len(paths), scramble=True, rng=seed).random_base2(exponent)
    seen: set[str] = set()
    for row in units:
        candidate = point(config, dict(zip(paths, (float(u) for u in row), strict=True)))
        if value_key(candidate) not in seen:
            seen.add(value_key(candidate))
            if len(seen) > number:
                yield candidate
                return
