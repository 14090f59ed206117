"""The number of values of each parameter of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import InvalidInputError, Problem
from .parameter_paths import ParameterPath, parameter_place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .parameters import Parameter

_FINITE = '"value", "values", int_uniform, q_uniform, q_log_uniform_values, q_beta'


def grid_problems(space: Mapping[ParameterPath, Parameter]) -> list[Problem]:
    """Report every parameter that a grid cannot enumerate."""
    return [_not_enumerable(path, parameter) for path, parameter in space.items() if parameter.cardinality is None]


def cardinalities(space: Mapping[ParameterPath, Parameter]) -> dict[ParameterPath, int]:
    """Count the values of each parameter, in the grid's order.

    Raises:
        InvalidInputError: Some parameters cannot be enumerated; all of them are listed.
    """
    problems = grid_problems(space)
    if problems:
        raise InvalidInputError(problems)
    return {path: space[path].cardinality or 1 for path in sorted(space)}


def _not_enumerable(path: ParameterPath, parameter: Parameter) -> Problem:
    cure = f"use another method, or a form with finitely many values ({_FINITE})"
    return Problem(parameter_place(path), f"a grid cannot enumerate {parameter.distribution}; {cure}")
