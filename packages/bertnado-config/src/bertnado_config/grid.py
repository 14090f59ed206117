"""How many values the parameters of a grid have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import InvalidInputError, Problem
from .parameter_paths import ParameterPath, parameter_place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .parameters import Parameter

_FINITE = '"values", "value", int_uniform, or with a step q q_uniform, q_log_uniform_values and q_beta'


def grid_problems(space: Mapping[ParameterPath, Parameter]) -> list[Problem]:
    """Name every parameter that a grid cannot enumerate."""
    return [_not_enumerable(path, parameter) for path, parameter in space.items() if parameter.cardinality is None]


def cardinalities(space: Mapping[ParameterPath, Parameter]) -> dict[ParameterPath, int]:
    """Count the values of each parameter, in the grid's order.

    Raises:
        InvalidInputError: Some parameter cannot be enumerated; every such one is named.
    """
    problems = grid_problems(space)
    if problems:
        raise InvalidInputError(problems)
    return {path: space[path].cardinality or 1 for path in sorted(space)}


def _not_enumerable(path: ParameterPath, parameter: Parameter) -> Problem:
    message = f"a grid cannot enumerate {parameter.distribution}; use method random or bayes, or a finite form"
    return Problem(parameter_place(path), f"{message} ({_FINITE})")
