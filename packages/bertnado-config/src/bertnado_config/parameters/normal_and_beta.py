"""Forms with tails: normal, log-normal and beta.

Their quantile functions are truncated at `TAIL` from either end, so that 0 and 1 give finite values and `to_unit` can
invert them. Values beyond, two in a million, are clamped.
"""

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

from .parameter import Mistake, Number, Parameter, check_inside, check_unit, clamp

TAIL = 1e-6
"""The probability of either tail that is cut off."""

MAX_SHAPE = 1e6
"""The largest shape parameter of a beta distribution, whose width is then about 0.001; larger ones may overflow."""

_MAX_LOGARITHM = 700.0
_STANDARD = NormalDist()
_WIDEST = _STANDARD.inv_cdf(1 - TAIL)


class Tailed(Parameter):
    """The base class of distributions whose quantile function is truncated at `TAIL`."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """The ends of the support of the distribution."""

    @abstractmethod
    def _quantile(self, u: float) -> float:
        """Return the quantile of the distribution at `u`, inside (0, 1)."""

    @abstractmethod
    def _cumulative_probability(self, value: float) -> float:
        """Return the probability of values up to `value`."""

    def from_unit(self, u: float) -> float:
        """Return the quantile of the distribution at `u`, clamped to the part without tails."""
        return self._quantile(clamp(check_unit(u), (TAIL, 1 - TAIL)))

    def to_unit(self, value: float) -> float:
        """Return the probability of values up to `value`, clamped to the part without tails."""
        return clamp(self._cumulative_probability(check_inside(value, self.bounds)), (TAIL, 1 - TAIL))


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
            yield Mistake("sigma", f"must keep values in the range of floats, got {self.sigma!r} around mu {self.mu!r}")

    @property
    def bounds(self) -> tuple[float, float]:
        """Minus and plus infinity."""
        return -math.inf, math.inf

    def _quantile(self, u: float) -> float:
        return self.mu + self.sigma * _STANDARD.inv_cdf(u)

    def _cumulative_probability(self, value: float) -> float:
        return _STANDARD.cdf((value - self.mu) / self.sigma)


@dataclass(frozen=True)
class LogNormal(Tailed, LogMeanAndDeviation):
    """Real numbers above 0 whose natural logarithm is normally distributed."""

    distribution = "log_normal"

    def _mistakes(self) -> Iterator[Mistake]:
        yield from _sigma_mistakes(self.sigma)
        if abs(self.mu) + _WIDEST * self.sigma > _MAX_LOGARITHM:
            yield Mistake("sigma", f"must keep exp(X) in the range of floats, got {self.sigma!r} around mu {self.mu!r}")

    @property
    def bounds(self) -> tuple[float, float]:
        """0, which is exclusive, and infinity."""
        return 0.0, math.inf

    def _quantile(self, u: float) -> float:
        return math.exp(self.mu + self.sigma * _STANDARD.inv_cdf(u))

    def _cumulative_probability(self, value: float) -> float:
        return _STANDARD.cdf((math.log(value) - self.mu) / self.sigma) if value > 0 else 0.0


@dataclass(frozen=True)
class Beta(Tailed, Shapes):
    """Real numbers from 0 to 1, beta distributed; uniform if a and b are 1."""

    distribution = "beta"

    def _mistakes(self) -> Iterator[Mistake]:
        for key, shape in (("a", self.a), ("b", self.b)):
            if not 0 < shape <= MAX_SHAPE:
                yield Mistake(key, f"must be above 0 and at most {MAX_SHAPE:g}, got {shape!r}")

    @property
    def bounds(self) -> tuple[float, float]:
        """0 and 1."""
        return 0.0, 1.0

    def _quantile(self, u: float) -> float:
        from scipy.special import betaincinv  # pyright: ignore[reportMissingTypeStubs] (scipy has none)

        return float(betaincinv(self.a, self.b, u))

    def _cumulative_probability(self, value: float) -> float:
        from scipy.special import betainc  # pyright: ignore[reportMissingTypeStubs] (scipy has none)

        return float(betainc(self.a, self.b, value))


def _sigma_mistakes(sigma: float) -> Iterator[Mistake]:
    if sigma <= 0:
        yield Mistake("sigma", f"must be above 0, got {sigma!r}")
