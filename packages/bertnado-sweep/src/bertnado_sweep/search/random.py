"""Random search: each parameter by its own distribution."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from .space import grid_points, random_points, space_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bertnado_config import Parameter, ParameterPath, Problem, SweepConfig

    from .base import SearchState

_DRAWS = 1000
"""Random points to draw before a space that cannot be enumerated counts as spent."""


@dataclass(frozen=True)
class RandomSearch:
    """Draws each parameter from its own distribution. See `SearchMethod`."""

    name: str = "random"
    is_exhaustive: bool = False

    def check_space(self, space: Mapping[ParameterPath, Parameter]) -> Sequence[Problem]:
        """Accept every space."""
        return ()

    def candidates(self, state: SearchState) -> Iterator[dict[str, Any]]:
        """Yield random points."""
        return random_candidates(state.config, state.seed, state.number)


def random_candidates(config: SweepConfig, seed: int, number: int) -> Iterator[dict[str, Any]]:
    """Yield random points, then the rest of a space that can be enumerated, so that none is missed."""
    yield from islice(random_points(config, seed, number), _DRAWS)
    if space_size(config) is not None:
        yield from grid_points(config)
