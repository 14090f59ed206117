"""Forms in which every value of a range is equally likely."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from bertnado_config.number_parsing import read_whole_number

from .parameter import (
    Mistake,
    Number,
    Parameter,
    WholeNumber,
    check_inside,
    check_unit,
    clamp,
    range_mistakes,
)

MAX_INTEGERS = 2**50
"""The longest range of integers; in a longer one, neighbours cannot be told apart on the unit interval."""


@dataclass(frozen=True)
class Range(Parameter):
    """The fields of a form between two bounds."""

    min: Number
    """Lower bound, inclusive."""
    max: Number
    """Upper bound, inclusive."""


@dataclass(frozen=True)
class Uniform(Range):
    """Real numbers from min to max, all equally likely."""

    distribution = "uniform"

    def _mistakes(self) -> Iterator[Mistake]:
        yield from range_mistakes(self.min, self.max)
        if math.isinf(float(self.max) - float(self.min)):
            yield Mistake("max", f"must not be farther from min than a float can hold, got {self.max!r}")

    @property
    def bounds(self) -> tuple[float, float]:
        """`min` and `max`."""
        return float(self.min), float(self.max)

    def from_unit(self, u: float) -> float:
        """Return the number at `u` of the way from min to max."""
        lowest, highest = self.bounds
        return clamp(lowest + check_unit(u) * (highest - lowest), self.bounds)

    def to_unit(self, value: float) -> float:
        """Return the part of the way from min to max at which `value` is."""
        lowest, highest = self.bounds
        return (check_inside(value, self.bounds) - lowest) / (highest - lowest)


@dataclass(frozen=True)
class IntUniform(Parameter):
    """Integers from min to max, all equally likely."""

    distribution = "int_uniform"

    min: WholeNumber
    """Lower bound, inclusive."""
    max: WholeNumber
    """Upper bound, inclusive."""

    def _mistakes(self) -> Iterator[Mistake]:
        yield from range_mistakes(self.min, self.max)
        if self.max - self.min >= MAX_INTEGERS:
            yield Mistake("max", f"must be less than 2**50 above min {self.min}, got {self.max}")

    @property
    def bounds(self) -> tuple[float, float]:
        """`min` and `max`."""
        return self.min, self.max

    @property
    def choices(self) -> range:
        """The integers from `min` to `max`."""
        return range(self.min, self.max + 1)

    @property
    def cardinality(self) -> int:
        """The number of integers."""
        return self.max + 1 - self.min

    def from_unit(self, u: float) -> int:
        """Return the integer whose share of [0, 1] contains `u`; a share includes its upper end."""
        return self.min + max(math.ceil(check_unit(u) * self.cardinality) - 1, 0)

    def to_unit(self, value: int) -> float:
        """Return the middle of the share of `value`."""
        index = read_whole_number(check_inside(value, self.bounds)) - self.min
        return (index + 0.5) / self.cardinality
