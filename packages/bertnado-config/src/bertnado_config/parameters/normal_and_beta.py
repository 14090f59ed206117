"""Forms with tails: normal, log-normal and beta.

Their quantile functions are cut off at `TAIL` from either end, so that 0 and 1 give finite values and
`to_unit` finds its way back. What lies beyond, two trials in a million, is pulled to the cut.
"""

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

from .parameter import Mistake, Number, Parameter, check_inside, check_unit, clamp

TAIL = 1e-6
"""The probability, on either side, of values that are not proposed."""

MAX_SHAPE = 1e6
"""The largest shape parameter of a beta distribution; it narrows it to a thousandth, and far larger ones overflow."""

_MAX_LOGARITHM = 700.0
_STANDARD = NormalDist()
_WIDEST = _STANDARD.inv_cdf(1 - TAIL)


class Tailed(Parameter):
    """What the forms share: a distribution whose quantile function is cut off at `TAIL`."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """The ends of the distribution's support."""

    @abstractmethod
    def _quantile(self, u: float) -> float:
        """Give the value up to which the distribution has probability `u`, inside (0, 1)."""

    @abstractmethod
    def _probability_up_to(self, value: float) -> float:
        """Give the probability of values up to `value`."""

    def from_unit(self, u: float) -> float:
        """Give the distribution's quantile at `u`, or at the cut where `u` is beyond it."""
        return self._quantile(clamp(check_unit(u), (TAIL, 1 - TAIL)))

    def to_unit(self, value: float) -> float:
        """Give the probability of values up to `value`; the cut's where `value` is beyond it."""
        return clamp(self._probability_up_to(check_inside(value, self.bounds)), (TAIL, 1 - TAIL))


@dataclass(frozen=True)
class MeanAndDeviation(Parameter):
    """The fields of a normal form."""

    mu: Number = 0.0
    """Mean."""
    sigma: Number = 1.0
    """Standard deviation; above 0."""


@dataclass(frozen=True)
class LogMeanAndDeviation(Parameter):
    """The fields of a log-normal form."""

    mu: Number = 0.0
    """Mean of the natural logarithm."""
    sigma: Number = 1.0
    """Standard deviation of the natural logarithm; above 0."""


@dataclass(frozen=True)
class Shapes(Parameter):
    """The fields of a beta form."""

    a: Number = 1.0
    """First shape parameter; above 0, at most a million. The larger, the nearer to 1."""
    b: Number = 1.0
    """Second shape parameter; above 0, at most a million. The larger, the nearer to 0."""


@dataclass(frozen=True)
class Normal(Tailed, MeanAndDeviation):
    """Real numbers, normally distributed around mu."""

    distribution = "normal"

    def _mistakes(self) -> Iterator[Mistake]:
        yield from _sigma_mistakes(self.sigma)
        if math.isinf(abs(self.mu) + _WIDEST * self.sigma):
            yield Mistake("sigma", f"{self.sigma!r} around mu {self.mu!r} leaves the range of floats")

    @property
    def bounds(self) -> tuple[float, float]:
        """None: from minus to plus infinity."""
        return -math.inf, math.inf

    def _quantile(self, u: float) -> float:
        return self.mu + self.sigma * _STANDARD.inv_cdf(u)

    def _probability_up_to(self, value: float) -> float:
        return _STANDARD.cdf((value - self.mu) / self.sigma)


@dataclass(frozen=True)
class LogNormal(Tailed, LogMeanAndDeviation):
    """Real numbers above 0 whose natural logarithm is normally distributed."""

    distribution = "log_normal"

    def _mistakes(self) -> Iterator[Mistake]:
        yield from _sigma_mistakes(self.sigma)
        if abs(self.mu) + _WIDEST * self.sigma > _MAX_LOGARITHM:
            yield Mistake("sigma", f"{self.sigma!r} around mu {self.mu!r}, of logarithms, leaves the range of floats")

    @property
    def bounds(self) -> tuple[float, float]:
        """0, which is never reached, and infinity."""
        return 0.0, math.inf

    def _quantile(self, u: float) -> float:
        return math.exp(self.mu + self.sigma * _STANDARD.inv_cdf(u))

    def _probability_up_to(self, value: float) -> float:
        return _STANDARD.cdf((math.log(value) - self.mu) / self.sigma) if value > 0 else 0.0


@dataclass(frozen=True)
class Beta(Tailed, Shapes):
    """Real numbers from 0 to 1, beta distributed; uniform if a and b are 1."""

    distribution = "beta"

    def _mistakes(self) -> Iterator[Mistake]:
        for key, shape in (("a", self.a), ("b", self.b)):
            if not 0 < shape <= MAX_SHAPE:
                yield Mistake(key, f"{shape!r} is out of range; {key} must be above 0 and at most {MAX_SHAPE:g}")

    @property
    def bounds(self) -> tuple[float, float]:
        """0 and 1."""
        return 0.0, 1.0

    def _quantile(self, u: float) -> float:
        from scipy.special import betaincinv  # pyright: ignore[reportMissingTypeStubs] (scipy has none)

        return float(betaincinv(self.a, self.b, u))

    def _probability_up_to(self, value: float) -> float:
        from scipy.special import betainc  # pyright: ignore[reportMissingTypeStubs] (scipy has none)

        return float(betainc(self.a, self.b, value))


def _sigma_mistakes(sigma: float) -> Iterator[Mistake]:
    if sigma <= 0:
        yield Mistake("sigma", f"{sigma!r} is no standard deviation; sigma must be above 0")
