"""A search method of another project, and what can be wrong with one."""

import random
from dataclasses import dataclass
from itertools import count, islice

import numpy as np
from bertnado_config import Problem
from bertnado_sweep import register_method
from bertnado_sweep.search.space import grid_points, point, space_size, varied


@dataclass(frozen=True)
class RecurrenceSearch:
    """An additive recurrence: each parameter advances by an irrational number, from an offset that the seed gives."""

    name: str = "recurrence"
    is_exhaustive: bool = False

    def check_space(self, space):
        """Accept every space."""
        return ()

    def candidates(self, state):
        """Yield points of the recurrence, then what is left of a finite space."""
        yield from islice(self.points(state), 1000)
        if space_size(state.config) is not None:
            yield from grid_points(state.config)

    def points(self, state):
        paths = [path for path, _ in varied(state.config)]
        steps = np.sqrt(np.arange(len(paths)) + 2.5)
        offsets = self.offsets(state, len(paths))
        for turn in count(self.first(state)):
            units = (offsets + turn * steps) % 1
            yield point(state.config, dict(zip(paths, map(float, units), strict=True)))

    def offsets(self, state, size):
        return np.random.default_rng(state.seed).random(size)

    def first(self, state):
        return state.number


class UnseededSearch(RecurrenceSearch):
    """Draws from a generator that nobody seeded."""

    def offsets(self, state, size):
        return np.array([random.random() for _ in range(size)])


class SeedIgnoringSearch(RecurrenceSearch):
    """Has the same offset for every seed."""

    def offsets(self, state, size):
        return np.zeros(size)


class NumberIgnoringSearch(RecurrenceSearch):
    """Gives all workers the same first candidate."""

    def first(self, state):
        return 0


class OrderDependentSearch(RecurrenceSearch):
    """Looks at the trial that happens to be the last."""

    def first(self, state):
        return state.trials[-1].number if state.trials else state.number


class IncompleteSearch(RecurrenceSearch):
    """Gives up early."""

    def candidates(self, state):
        return islice(self.points(state), 3)


class OutsideSearch(RecurrenceSearch):
    """Leaves the space."""

    def points(self, state):
        for candidate in super().points(state):
            yield {name: -1 if name == "a" else value for name, value in candidate.items()}


class UnpicklableSearch(RecurrenceSearch):
    """Cannot be sent to a worker."""

    def __reduce__(self):
        raise TypeError("cannot be pickled")


class VagueSearch(RecurrenceSearch):
    """Refuses a space without saying why."""

    def check_space(self, space):
        """Refuse what is nested, without a path."""
        return [Problem("", "is nested")] if any(len(path) > 1 for path in space) else []


BROKEN = (
    UnseededSearch("unseeded"),
    SeedIgnoringSearch("seed-ignoring"),
    NumberIgnoringSearch("number-ignoring"),
    OrderDependentSearch("order-dependent"),
    IncompleteSearch("incomplete"),
    OutsideSearch("outside"),
    UnpicklableSearch("unpicklable"),
    VagueSearch("vague"),
)
for method in (RecurrenceSearch(), *BROKEN):
    register_method(method)
