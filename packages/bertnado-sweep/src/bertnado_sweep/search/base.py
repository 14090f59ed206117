"""The protocol of search methods, and the registry of those that a sweep file can name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bertnado_config import declare_method, method_names
from bertnado_metrics import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bertnado_config import Parameter, ParameterPath, Problem, SweepConfig
    from bertnado_metrics import Goal

    from bertnado_sweep.records.trial import Trial


@dataclass(frozen=True)
class SearchState:
    """The information from which a search method chooses the parameters of the next trial."""

    config: SweepConfig
    """The sweep file: the method and the space."""
    goal: Goal
    """The direction of the objective."""
    trials: Sequence[Trial]
    """The trials so far, in any order; those that run, failed or were interrupted included.

    All are points of the space. If the sweep file was changed, trials outside its space are left out, and the others
    are projected onto it.
    """
    number: int
    """The number of the next trial, from 0, unique within the sweep."""
    seed: int
    """The seed of the sweep, from 0."""
    left_out: int = 0
    """The number of earlier trials that lie outside the space."""


class SearchMethod(Protocol):
    """One way to choose the parameters of the next trial. Stateless and picklable."""

    @property
    def name(self) -> str:
        """The name by which a sweep file asks for it: `method: random`."""
        ...

    @property
    def is_exhaustive(self) -> bool:
        """True if a sweep without a number of trials runs the whole space."""
        ...

    def check_space(self, space: Mapping[ParameterPath, Parameter]) -> Sequence[Problem]:
        """Return why the method cannot search a space, with the path of each parameter; empty if it can."""
        ...

    def candidates(self, state: SearchState) -> Iterator[dict[str, Any]]:
        """Yield parameters, nested as in the sweep file, best first.

        The first candidate that no trial has had is used. The same state must give the same candidates. Two numbers
        should begin with different candidates, because workers ask at the same time.
        """
        ...


_methods: dict[str, SearchMethod] = {}


def register_method(method: SearchMethod) -> None:
    """Make a search method known by its name; a sweep file may then ask for it.

    Raises:
        ValueError: Another method has that name.
    """
    if method.name in _methods:
        raise ValueError(f"search method {method.name!r} is already registered; choose another name")
    _methods[method.name] = method
    if method.name not in method_names():
        declare_method(method.name, method.check_space)


def registered_methods() -> Mapping[str, SearchMethod]:
    """Return every known search method by its name."""
    return dict(_methods)


def get_method(name: str) -> SearchMethod:
    """Return the search method of that name.

    Raises:
        ValueError: There is none; the message lists those that are known.
    """
    if name not in _methods:
        raise ValueError(f"unknown search method {name!r}; {did_you_mean(name, _methods)}")
    return _methods[name]
