"""The sections `metric` and `early_terminate` of a sweep file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict

from .fields import Count, Eta, Finite, Flag, GoalField, Name, one_of

Imputation = Literal["latest", "best", "worst"]
RunningImputation = Literal["latest", "best", "worst", "false"]

CLOSED = ConfigDict(extra="forbid", use_attribute_docstrings=True)
"""No key beyond the fields; their doc strings go into the JSON Schema."""


def _false_as_word(value: object) -> object:
    """Spell out what YAML reads as a boolean: W&B has the word `false` here."""
    return "false" if value is False else value


@dataclass(frozen=True)
class Metric:
    """The metric that the sweep optimises."""

    __pydantic_config__ = CLOSED

    name: Name
    """Name of the metric as it is reported: `eval/roc_auc`."""
    goal: GoalField | None = None
    """`maximize` or `minimize`; the metric's own direction where it is not given."""
    target: Finite | None = None
    """W&B ends the sweep once a trial reaches this value."""
    impute: Annotated[Imputation, BeforeValidator(one_of(Imputation))] | None = None
    """The value that W&B's bayes assumes for a trial that failed; `worst` where it is not given."""
    impute_while_running: (
        Annotated[RunningImputation, BeforeValidator(one_of(RunningImputation)), BeforeValidator(_false_as_word)] | None
    ) = None
    """The value that W&B's bayes assumes for a trial that still runs; none (`false`) where it is not given."""


@dataclass(frozen=True)
class Hyperband:
    """Early termination: at each band, a trial goes on if it is among the best 1/eta.

    A band is a number of evaluations. The bands are `min_iter`, `min_iter * eta`, `min_iter * eta**2`, ... or,
    with `max_iter` and `s`, `max_iter / eta`, ..., `max_iter / eta**s`, rounded down. Li et al. 2018,
    https://arxiv.org/abs/1603.06560
    """

    __pydantic_config__ = CLOSED

    type: Annotated[Literal["hyperband"], BeforeValidator(one_of(Literal["hyperband"]))] = "hyperband"
    """The kind of early termination: `hyperband`, W&B's only one."""
    min_iter: Count | None = None
    """The first band."""
    max_iter: Count | None = None
    """The evaluations of a whole trial; needs `s`, and is stronger than `min_iter`."""
    s: Count | None = None
    """How many bands there are below `max_iter`."""
    eta: Eta = 3
    """How many times larger each band is than the one before; at least 1.01."""
    strict: Flag = True
    """Whether a trial is judged by its value at the band, not by its best so far. True where it is not given, as at
    W&B."""

    def __post_init__(self) -> None:
        for mistake in self._mistakes():
            raise ValueError(mistake)

    def _mistakes(self) -> Iterator[str]:
        if self.max_iter is None and self.min_iter is None:
            yield 'needs "min_iter", or "max_iter" and "s"'
        elif self.max_iter is not None and self.s is None:
            yield 'max_iter needs "s", the number of bands below it; or give "min_iter" alone'
        elif self.max_iter is not None and not self.bands(self.max_iter):
            yield f"max_iter {self.max_iter} with eta {self.eta:g} has no band; raise max_iter or lower eta"

    def bands(self, evaluations: int) -> tuple[int, ...]:
        """List, increasing, after how many of a trial's `evaluations` it is judged."""
        bands = self._bands_from_min(evaluations) if self.max_iter is None else self._bands_from_max(self.max_iter)
        return tuple(sorted({band for band in bands if band <= evaluations}))

    def _bands_from_max(self, max_iter: int) -> Iterator[int]:
        band = float(max_iter)
        for _ in range(self.s or 0):
            band /= self.eta
            if band < 1:
                return
            yield int(band)

    def _bands_from_min(self, evaluations: int) -> Iterator[int]:
        band = float(self.min_iter or 1)
        while band <= evaluations:
            yield int(band)
            band *= self.eta
