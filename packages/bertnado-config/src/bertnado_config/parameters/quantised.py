"""Quantised forms: a continuous form rounded to multiples of q.

As at W&B, a value is `round(X / q) * q` with X from the continuous form: a multiple of q, not min plus steps. W&B's
engine can round past an end of the range (q_uniform from 1 to 11 with q 4 has the values 0 and 12); here values stay
inside. A grid includes max; W&B's ends before it. An integer q, like the default 1, gives integers.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cached_property
from typing import ClassVar, TypeAlias

from .log_uniform import ExponentRange, LogUniform, LogUniformValues, PositiveRange
from .normal_and_beta import Beta, LogMeanAndDeviation, LogNormal, MeanAndDeviation, Normal, Shapes, Tailed
from .parameter import (
    InvalidParameterError,
    Mistake,
    Number,
    Parameter,
    check_inside,
    check_unit,
    clamp,
)
from .step_sequence import StepSequence, multiple
from .uniform import Range, Uniform

Continuous: TypeAlias = Uniform | LogUniformValues | LogUniform | Tailed
"""The forms that can be quantised."""

MAX_STEPS = 2**40
"""The largest multiple, in steps; beyond, neighbours on a log scale cannot be told apart on the unit interval."""


@dataclass(frozen=True)
class Quantised(Parameter):
    """A continuous form, with the same fields, that is rounded to multiples of q."""

    continuous_form: ClassVar[type[Continuous]]
    """The form that is rounded."""

    q: Number = 1
    """The step between values; above 0. An integer gives integers."""

    @cached_property
    def continuous(self) -> Continuous:
        """The parameter that is rounded."""
        return self.continuous_form(*(getattr(self, field.name) for field in fields(self.continuous_form)))

    def _mistakes(self) -> Iterator[Mistake]:
        if self.q <= 0:
            yield Mistake("q", f"must be above 0, got {self.q!r}")
        try:
            continuous = self.continuous
        except InvalidParameterError as error:
            yield from error.mistakes
            return
        if self.q > 0:
            yield from self._step_mistakes(continuous)

    def _step_mistakes(self, continuous: Continuous) -> Iterator[Mistake]:
        lowest, highest = continuous.bounds
        if math.isfinite(highest - lowest) and _exact(highest) - _exact(lowest) < _exact(self.q):
            yield Mistake("q", f"must not exceed the range from {lowest!r} to {highest!r}, got {self.q!r}")
        farthest = max(abs(continuous.from_unit(end)) for end in (0.0, 1.0))
        if farthest / self.q > MAX_STEPS:
            yield Mistake("q", f"must be larger for values up to {farthest:g}, got {self.q!r}")

    @cached_property
    def _indices(self) -> tuple[int, int]:
        """The smallest and the largest value, in steps of q."""
        lowest, highest = self.continuous.bounds
        q = _exact(self.q)
        first, last = (round(self.continuous.from_unit(end) / self.q) for end in (0.0, 1.0))
        return (
            max(first, math.ceil(_exact(lowest) / q)) if math.isfinite(lowest) else first,
            min(last, math.floor(_exact(highest) / q)) if math.isfinite(highest) else last,
        )

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest multiple; infinite if the continuous form is."""
        lowest, highest = self.continuous.bounds
        first, last = self._indices
        return (
            multiple(self.q, first) if math.isfinite(lowest) else lowest,
            multiple(self.q, last) if math.isfinite(highest) else highest,
        )

    @property
    def choices(self) -> StepSequence | None:
        """The multiples, in increasing order; `None` if the continuous form is unbounded."""
        return StepSequence(self.q, *self._indices) if self.cardinality is not None else None

    @property
    def cardinality(self) -> int | None:
        """The number of multiples; `None` if the continuous form is unbounded."""
        first, last = self._indices
        return last - first + 1 if all(map(math.isfinite, self.continuous.bounds)) else None

    def from_unit(self, u: float) -> float:
        """Return the multiple inside the bounds that is nearest to the continuous form's value at `u`."""
        index = round(self.continuous.from_unit(check_unit(u)) / self.q)
        return multiple(self.q, int(clamp(index, self._indices)))

    def to_unit(self, value: float) -> float:
        """Return the middle of the quantiles that are rounded to `value`."""
        index = round(check_inside(value, self.bounds) / self.q)
        if not math.isclose(index * self.q, value, rel_tol=1e-9, abs_tol=1e-9 * self.q):
            msg = f"must be a multiple of {self.q!r}, got {value!r}"
            raise ValueError(msg)
        first, last = self._indices
        below = 0.0 if index <= first else self._quantile_of(index - 0.5)
        above = 1.0 if index >= last else self._quantile_of(index + 0.5)
        return (below + above) / 2

    def _quantile_of(self, steps: float) -> float:
        return self.continuous.to_unit(clamp(steps * self.q, self.continuous.bounds))


def _exact(number: float) -> Fraction:
    """Return the decimal fraction that `number` is written as, so that 0.3 is three times 0.1."""
    return Fraction(repr(number))


@dataclass(frozen=True)
class QUniform(Quantised, Range):
    """Multiples of q from min to max, equally likely but for those at the ends."""

    distribution = "q_uniform"
    continuous_form = Uniform


@dataclass(frozen=True)
class QLogUniformValues(Quantised, PositiveRange):
    """Multiples of q from min to max, on a log scale."""

    distribution = "q_log_uniform_values"
    continuous_form = LogUniformValues


@dataclass(frozen=True)
class QLogUniform(Quantised, ExponentRange):
    """Multiples of q from exp(min) to exp(max), on a log scale; prefer q_log_uniform_values."""

    distribution = "q_log_uniform"
    continuous_form = LogUniform


@dataclass(frozen=True)
class QNormal(Quantised, MeanAndDeviation):
    """Multiples of q, normally distributed around mu before rounding."""

    distribution = "q_normal"
    continuous_form = Normal


@dataclass(frozen=True)
class QLogNormal(Quantised, LogMeanAndDeviation):
    """Multiples of q, 0 among them, log-normally distributed before rounding."""

    distribution = "q_log_normal"
    continuous_form = LogNormal


@dataclass(frozen=True)
class QBeta(Quantised, Shapes):
    """Multiples of q from 0 to 1, beta distributed before rounding; q is at most 1."""

    distribution = "q_beta"
    continuous_form = Beta
