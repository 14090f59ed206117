"""Forms whose logarithm is uniform, for parameters that vary over orders of magnitude.

W&B has four spellings of this distribution: with bounds as values or as base-e exponents, and for the logarithm of X or
of 1/X. If log(1/X) is uniform between log(1/max) and log(1/min), log(X) is uniform between log(min) and log(max), so
that the inverse forms differ from the others only in how their bounds are written.
"""

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from .parameter import (
    Mistake,
    Number,
    Parameter,
    check_inside,
    check_unit,
    clamp,
    range_mistakes,
)

MAX_EXPONENT = 700.0
"""The largest magnitude of a base-e exponent: `exp` overflows beyond about 709."""

MIN_WIDTH = 1e-9
"""The smallest difference between the logarithms of the bounds."""


class LogScale(Parameter):
    """A form whose logarithm is uniform between those of `bounds`."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value, both inclusive and above 0."""

    def from_unit(self, u: float) -> float:
        """Return the number whose logarithm lies at `u` of the way between those of the bounds."""
        lowest, highest = map(math.log, self.bounds)
        return clamp(math.exp(lowest + check_unit(u) * (highest - lowest)), self.bounds)

    def to_unit(self, value: float) -> float:
        """Return the part of the way between the logarithms of the bounds at which that of `value` lies."""
        lowest, highest = map(math.log, self.bounds)
        return (math.log(check_inside(value, self.bounds)) - lowest) / (highest - lowest)


@dataclass(frozen=True)
class PositiveRange(Parameter):
    """The fields of a form on a log scale whose bounds are values."""

    min: Number
    """Lower bound, inclusive; above 0."""
    max: Number
    """Upper bound, inclusive."""


@dataclass(frozen=True)
class ExponentRange(Parameter):
    """The fields of a form on a log scale whose bounds are base-e exponents."""

    min: Number
    """Natural logarithm of the lower bound, inclusive."""
    max: Number
    """Natural logarithm of the upper bound, inclusive."""


@dataclass(frozen=True)
class LogUniformValues(LogScale, PositiveRange):
    """Real numbers from min to max whose logarithm is uniform: the usual choice for a learning rate."""

    distribution = "log_uniform_values"

    def _mistakes(self) -> Iterator[Mistake]:
        if self.min <= 0:
            yield Mistake("min", f"must be above 0 on a log scale, got {self.min!r}")
        yield from range_mistakes(self.min, self.max)
        if 0 < self.min < self.max:
            yield from _width_mistakes(math.log(self.max) - math.log(self.min))

    @property
    def bounds(self) -> tuple[float, float]:
        """`min` and `max`."""
        return float(self.min), float(self.max)


@dataclass(frozen=True)
class InvLogUniformValues(LogUniformValues):
    """Real numbers from min to max for which log(1/X) is uniform: the same as log_uniform_values."""

    distribution = "inv_log_uniform_values"


@dataclass(frozen=True)
class LogUniform(LogScale, ExponentRange):
    """Real numbers from exp(min) to exp(max); prefer log_uniform_values, whose bounds are the values."""

    distribution = "log_uniform"

    def _mistakes(self) -> Iterator[Mistake]:
        yield from range_mistakes(self.min, self.max)
        if self.min < self.max:
            yield from _width_mistakes(self.max - self.min)
        for key, exponent in (("min", self.min), ("max", self.max)):
            if abs(exponent) > MAX_EXPONENT:
                rule = f"must be a base-e exponent between -{MAX_EXPONENT:g} and {MAX_EXPONENT:g}"
                yield Mistake(key, f"{rule}, got {exponent!r}; for bounds that are values use log_uniform_values")

    @property
    def bounds(self) -> tuple[float, float]:
        """exp(min) and exp(max)."""
        return _power_of_e(self.min), _power_of_e(self.max)


@dataclass(frozen=True)
class InvLogUniform(LogUniform):
    """Real numbers from exp(-max) to exp(-min); prefer log_uniform_values, whose bounds are the values."""

    distribution = "inv_log_uniform"

    min: Number
    """Natural logarithm of one over the largest value, inclusive."""
    max: Number
    """Natural logarithm of one over the smallest value, inclusive."""

    @property
    def bounds(self) -> tuple[float, float]:
        """exp(-max) and exp(-min)."""
        return _power_of_e(-self.max), _power_of_e(-self.min)


def _power_of_e(exponent: float) -> float:
    """Return exp(exponent) rounded to 12 digits, so that exp of the float nearest to log(10) is 10."""
    return float(f"{math.exp(exponent):.12g}")


def _width_mistakes(width: float) -> Iterator[Mistake]:
    if width < MIN_WIDTH:
        yield Mistake("max", "is too close to min on a log scale; widen the range")
