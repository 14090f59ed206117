"""The search methods that a sweep file can name."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from .grid import grid_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .errors import Problem
    from .parameter_paths import ParameterPath
    from .parameters import Parameter

SpaceCheck: TypeAlias = "Callable[[Mapping[ParameterPath, Parameter]], Sequence[Problem]]"
"""A function that returns the reasons why a search method cannot search a space."""

_SPACE_CHECKS: dict[str, SpaceCheck | None] = {"grid": grid_problems, "random": None, "bayes": None}

BUILT_IN_METHODS = tuple(_SPACE_CHECKS)
"""The search methods that W&B knows."""


def declare_method(name: str, check_space: SpaceCheck | None = None) -> None:
    """Make `method: NAME` valid in a sweep file, in this process.

    Args:
        name: The name of the search method.
        check_space: A function of every parameter by path that returns the reasons why the method cannot search them;
            by default it can search any space.

    Raises:
        ValueError: The name is already declared.
    """
    if name in _SPACE_CHECKS:
        msg = f"search method {name!r} is already declared; choose another name"
        raise ValueError(msg)
    _SPACE_CHECKS[name] = check_space


def method_names() -> tuple[str, ...]:
    """Return the names of the declared search methods, the built-in ones first."""
    return tuple(_SPACE_CHECKS)


def space_problems(method: str, space: Mapping[ParameterPath, Parameter]) -> Sequence[Problem]:
    """Return the reasons why a declared search method cannot search a space."""
    check_space = _SPACE_CHECKS[method]
    return check_space(space) if check_space else ()
