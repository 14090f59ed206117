"""Points that a search begins with: fitted into its space, and tried before its own proposals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from bertnado_config import flatten_parameters, nest_parameters, parameter_label

from .space import project

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bertnado_config import Parameter, ParameterPath, Problem, SweepConfig

    from .base import SearchMethod, SearchState


@dataclass(frozen=True)
class StartPoints:
    """A search method that tries given points first, and then what another method proposes."""

    points: Sequence[Mapping[str, Any]]
    """Parameters, nested; those that lie outside the space, because the file was changed, are left out."""
    then: SearchMethod

    @property
    def name(self) -> str:
        """The name of the other method."""
        return self.then.name

    @property
    def is_exhaustive(self) -> bool:
        """True if the other method runs the whole space."""
        return self.then.is_exhaustive

    def check_space(self, space: Mapping[ParameterPath, Parameter]) -> Sequence[Problem]:
        """Return why the other method cannot search a space."""
        return self.then.check_space(space)

    def candidates(self, state: SearchState) -> Iterator[dict[str, Any]]:
        """Yield the points, beginning with the one of this number, and then the candidates of the other method."""
        inside = [found for point in self.points if (found := project(state.config, point)) is not None]
        yield from inside[state.number :] + inside[: state.number]
        yield from self.then.candidates(state)


def fit_to_space(config: SweepConfig, parameters: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the point of the space that is nearest to some parameters, nested, and what had to be changed.

    Args:
        config: The sweep file.
        parameters: Parameters, nested, possibly of another sweep; those that the space does not have are ignored.
    """
    values: dict[ParameterPath, Any] = {}
    remarks: list[str] = []
    for path, parameter in config.space.items():
        name = parameter_label(path)
        try:
            (given,) = flatten_parameters(replace(config, space={path: parameter}), parameters).values()
        except ValueError:
            values[path] = parameter.from_unit(0.5)
            if parameter.cardinality != 1:
                remarks.append(f"{name} is not given and starts at {values[path]!r}, in the middle")
            continue
        values[path] = _nearest(parameter, given)
        if values[path] != given:
            remarks.append(f"{name} {given!r} is not in the space and starts at {values[path]!r}")
    return nest_parameters(values), remarks


def _nearest(parameter: Parameter, given: Any) -> Any:
    """Return the value of a parameter that is nearest to a given one; a middle one if there is no order."""
    try:
        return parameter.from_unit(parameter.to_unit(given)) if parameter.cardinality else _inside(parameter, given)
    except (ValueError, TypeError):
        pass
    if parameter.bounds is None or isinstance(given, bool) or not isinstance(given, int | float):
        return parameter.from_unit(0.5)
    if parameter.choices is not None:
        return min(cast("Sequence[float]", parameter.choices), key=lambda choice: abs(choice - given))
    low, high = parameter.bounds
    return min(max(given, low), high)


def _inside(parameter: Parameter, given: Any) -> Any:
    """Return a value that a parameter without enumerated values has.

    Raises:
        ValueError: It does not have it.
    """
    parameter.to_unit(given)
    return given
