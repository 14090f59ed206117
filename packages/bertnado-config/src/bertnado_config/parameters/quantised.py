"""Quantised forms: a continuous form rounded to multiples of q.

As at W&B a value is `round(X / q) * q`, with X from the continuous form: a multiple of q, not min plus steps.
Where W&B's engine rounds past an end of the declared range (q_uniform from 1 to 11 with q 4 gives it 0 and 12),
values here are the multiples inside it; max is among them, also in a grid, which W&B's ends before max. An integer
q, the default 1 too, gives integers.
"""

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import ClassVar

from .base import (
    FORM_CONFIG,
    Distribution,
    InvalidParameterError,
    Mistake,
    Number,
    Parameter,
    check_inside,
    check_unit,
    clamp,
)
from .log_uniform import LogScale, LogUniform, LogUniformValues
from .multiples import Multiples, multiple
from .tailed import Beta, LogNormal, Normal, Tailed
from .uniform import Uniform

MAX_STEPS = 2**40
"""The farthest multiple from 0; farther out, neighbours on a log scale share a place on the unit interval."""


class Quantised(Parameter):
    """What the quantised forms share; each names the continuous form that it rounds."""

    q: Number

    @property
    @abstractmethod
    def continuous(self) -> Uniform | LogScale | Tailed:
        """The form that is rounded."""

    def _mistakes(self) -> Iterator[Mistake]:
        if self.q <= 0:
            yield Mistake("q", f"{self.q!r} is no step; q must be above 0")
        try:
            continuous = self.continuous
        except InvalidParameterError as error:
            yield from error.mistakes
            return
        if self.q > 0:
            yield from self._step_mistakes(continuous)

    def _step_mistakes(self, continuous: Uniform | LogScale | Tailed) -> Iterator[Mistake]:
        lowest, highest = continuous.bounds
        if math.isfinite(highest - lowest) and _exact(highest) - _exact(lowest) < _exact(self.q):
            yield Mistake("q", f"{self.q!r} is larger than the range from {lowest!r} to {highest!r}")
        farthest = max(abs(continuous.from_unit(end)) for end in (0.0, 1.0))
        if farthest / self.q > MAX_STEPS:
            yield Mistake("q", f"{self.q!r} is too small a step for values up to {farthest:g}")

    @cached_property
    def _indices(self) -> tuple[int, int]:
        """The smallest and the largest multiple that is proposed, counted in steps of q."""
        lowest, highest = self.continuous.bounds
        q = _exact(self.q)
        first, last = (round(self.continuous.from_unit(end) / self.q) for end in (0.0, 1.0))
        return (
            max(first, math.ceil(_exact(lowest) / q)) if math.isfinite(lowest) else first,
            min(last, math.floor(_exact(highest) / q)) if math.isfinite(highest) else last,
        )

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest multiple; infinite where the continuous form is."""
        lowest, highest = self.continuous.bounds
        first, last = self._indices
        return (
            multiple(self.q, first) if math.isfinite(lowest) else lowest,
            multiple(self.q, last) if math.isfinite(highest) else highest,
        )

    @property
    def choices(self) -> Multiples | None:
        """The multiples, in increasing order; `None` where the continuous form has no bounds."""
        return Multiples(self.q, *self._indices) if self.cardinality is not None else None

    @property
    def cardinality(self) -> int | None:
        """How many multiples there are; `None` where the continuous form has no bounds."""
        first, last = self._indices
        return last - first + 1 if all(map(math.isfinite, self.continuous.bounds)) else None

    def from_unit(self, u: float) -> float:
        """Give the multiple inside the bounds that is nearest to the continuous form's value at `u`."""
        index = round(self.continuous.from_unit(check_unit(u)) / self.q)
        return multiple(self.q, int(clamp(index, self._indices)))

    def to_unit(self, value: float) -> float:
        """Give the middle of the quantiles that are rounded to `value`."""
        index = round(check_inside(value, self.bounds) / self.q)
        if not math.isclose(index * self.q, value, rel_tol=1e-9, abs_tol=1e-9 * self.q):
            msg = f"{value!r} is no multiple of {self.q!r}"
            raise ValueError(msg)
        first, last = self._indices
        below = 0.0 if index <= first else self._quantile_of(index - 0.5)
        above = 1.0 if index >= last else self._quantile_of(index + 0.5)
        return (below + above) / 2

    def _quantile_of(self, steps: float) -> float:
        return self.continuous.to_unit(clamp(steps * self.q, self.continuous.bounds))


def _exact(number: float) -> Fraction:
    """Give the decimal fraction that `number` is written as, so that 0.3 is three times 0.1."""
    return Fraction(repr(number))


@dataclass(frozen=True)
class QUniform(Quantised):
    """Multiples of q from min to max, equally likely but for those at the ends."""

    __pydantic_config__ = FORM_CONFIG
    distribution: ClassVar[Distribution] = "q_uniform"

    min: Number
    """Lower bound, inclusive."""
    max: Number
    """Upper bound, inclusive."""
    q: Number = 1
    """The step; above 0. An integer gives integers."""

    @property
    def continuous(self) -> Uniform:
        """A uniform form from `min` to `max`."""
        return Uniform(self.min, self.max)


@dataclass(frozen=True)
class QLogUniformValues(Quantised):
    """Multiples of q from min to max, on a log scale."""

    __pydantic_config__ = FORM_CONFIG
    distribution: ClassVar[Distribution] = "q_log_uniform_values"

    min: Number
    """Lower bound, inclusive; above 0."""
    max: Number
    """Upper bound, inclusive."""
    q: Number = 1
    """The step; above 0. An integer gives integers."""

    @property
    def continuous(self) -> LogUniformValues:
        """A log-uniform form from `min` to `max`."""
        return LogUniformValues(self.min, self.max)


@dataclass(frozen=True)
class QLogUniform(Quantised):
    """Multiples of q from exp(min) to exp(max), on a log scale; prefer q_log_uniform_values."""

    __pydantic_config__ = FORM_CONFIG
    distribution: ClassVar[Distribution] = "q_log_uniform"

    min: Number
    """Natural logarithm of the lower bound, inclusive."""
    max: Number
    """Natural logarithm of the upper bound, inclusive."""
    q: Number = 1
    """The step between values; above 0. An integer gives integers."""

    @property
    def continuous(self) -> LogUniform:
        """A log-uniform form from exp(min) to exp(max)."""
        return LogUniform(self.min, self.max)


@dataclass(frozen=True)
class QNormal(Quantised):
    """Multiples of q, normally distributed around mu."""

    __pydantic_config__ = FORM_CONFIG
    distribution: ClassVar[Distribution] = "q_normal"

    mu: Number = 0.0
    """Mean before rounding."""
    sigma: Number = 1.0
    """Standard deviation before rounding; above 0."""
    q: Number = 1
    """The step; above 0. An integer gives integers."""

    @property
    def continuous(self) -> Normal:
        """A normal form with `mu` and `sigma`."""
        return Normal(self.mu, self.sigma)


@dataclass(frozen=True)
class QLogNormal(Quantised):
    """Multiples of q, 0 among them, log-normally distributed."""

    __pydantic_config__ = FORM_CONFIG
    distribution: ClassVar[Distribution] = "q_log_normal"

    mu: Number = 0.0
    """Mean of the natural logarithm before rounding."""
    sigma: Number = 1.0
    """Standard deviation of the natural logarithm before rounding; above 0."""
    q: Number = 1
    """The step between values; above 0. An integer gives integers."""

    @property
    def continuous(self) -> LogNormal:
        """A log-normal form with `mu` and `sigma`."""
        return LogNormal(self.mu, self.sigma)


@dataclass(frozen=True)
class QBeta(Quantised):
    """Multiples of q from 0 to 1, beta distributed."""

    __pydantic_config__ = FORM_CONFIG
    distribution: ClassVar[Distribution] = "q_beta"

    a: Number = 1.0
    """First shape parameter; above 0, at most a million. The larger, the nearer to 1."""
    b: Number = 1.0
    """Second shape parameter; above 0, at most a million. The larger, the nearer to 0."""
    q: Number = 1
    """The step; above 0 and at most 1. An integer gives integers."""

    @property
    def continuous(self) -> Beta:
        """A beta form with `a` and `b`."""
        return Beta(self.a, self.b)
