"""Grid search: every combination once, in W&B's order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertnado_config import space_problems

from .space import grid_points

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bertnado_config import Parameter, ParameterPath, Problem

    from .base import SearchState


@dataclass(frozen=True)
class GridSearch:
    """Tries every combination once. See `SearchMethod`."""

    name: str = "grid"
    is_exhaustive: bool = True

    def check_space(self, space: Mapping[ParameterPath, Parameter]) -> Sequence[Problem]:
        """Accept spaces in which every parameter has a finite number of values."""
        return space_problems(self.name, space)

    def candidates(self, state: SearchState) -> Iterator[dict[str, Any]]:
        """Yield the points of the grid, beginning with that of the trial's number among those of the space."""
        return grid_points(state.config, first=state.number - state.left_out)
