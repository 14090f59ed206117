"""Model-based search: evenly spread trials first, then Optuna's tree-structured Parzen estimator."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from bertnado_config import value_key

from .random import random_candidates
from .space import point, varied

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bertnado_config import Parameter, ParameterPath, Problem, SweepConfig

    from .base import SearchState

START_TRIALS = 8
"""Trials that are spread evenly before the model proposes; a power of two suits the Sobol sequence."""

_MODEL_DRAWS = 8
"""Proposals to ask the model for before the rest is left to chance."""


@dataclass(frozen=True)
class BayesSearch:
    """Models the objective over the space. See `SearchMethod`."""

    name: str = "bayes"
    is_exhaustive: bool = False

    def check_space(self, space: Mapping[ParameterPath, Parameter]) -> Sequence[Problem]:
        """Accept every space."""
        return ()

    def candidates(self, state: SearchState) -> Iterator[dict[str, Any]]:
        """Yield an evenly spread point for the first trials, later proposals of the model; then random points."""
        has_values = any(trial.is_eligible for trial in state.trials)
        place = state.number - state.left_out
        if place < START_TRIALS or not has_values:
            yield from start_points(state.config, place, state.seed)
        if has_values and varied(state.config):
            from .tpe import model_points

            yield from islice(model_points(state), _MODEL_DRAWS)
        yield from random_candidates(state.config, state.seed, state.number)


def start_points(config: SweepConfig, number: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the point of a scrambled Sobol sequence with index `number`; nothing if the space has too few points.

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
