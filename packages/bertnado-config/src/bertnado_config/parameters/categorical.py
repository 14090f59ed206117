"""Forms that list their values."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Annotated, Any, cast

from pydantic import PlainValidator, WithJsonSchema

from bertnado_config.number_parsing import read_number
from bertnado_config.value_text import as_json, show

from .parameter import Mistake, Parameter, check_unit
from .value_equality import index_of, repeated

SUM_TOLERANCE = 1e-5
"""The tolerated difference of the sum of probabilities from 1; 0.33333 three times is within it."""


def _read_values(value: object) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        msg = f'must be a list, got {show(value)}; for a single value write {{"value": {as_json(value)}}}'
        raise ValueError(msg)
    return tuple(cast("Sequence[Any]", value))


def _read_probabilities(value: object) -> tuple[float, ...]:
    if not isinstance(value, list | tuple):
        msg = f"must be a list of numbers, got {show(value)}"
        raise ValueError(msg)
    return tuple(read_number(number) for number in cast("Sequence[Any]", value))


Values = Annotated[tuple[Any, ...], PlainValidator(_read_values), WithJsonSchema({"type": "array", "minItems": 1})]
"""A list of values of any type."""

Probabilities = Annotated[
    tuple[float, ...],
    PlainValidator(_read_probabilities),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"type": "number", "minimum": 0}}),
]
"""A list of numbers."""


@dataclass(frozen=True)
class Constant(Parameter):
    """One value, the same for every trial."""

    distribution = "constant"

    value: Any
    """The value, of any type."""

    @property
    def choices(self) -> tuple[Any, ...]:
        """The value."""
        return (self.value,)

    @property
    def cardinality(self) -> int:
        """1."""
        return 1

    def from_unit(self, u: float) -> Any:
        """Return the value."""
        check_unit(u)
        return self.value

    def to_unit(self, value: Any) -> float:
        """Return the middle of [0, 1]."""
        index_of(value, self.choices)
        return 0.5


class Choice(Parameter):
    """The base class of the categorical forms.

    The unit interval covers the values in increasing order if all of them are numbers, else in the order of the file;
    `choices` keeps the order of the file, which is W&B's in a grid.
    """

    values: Values

    @property
    def weights(self) -> tuple[float, ...]:
        """The probability of each of `values`."""
        return (1 / len(self.values),) * len(self.values)

    def _mistakes(self) -> Iterator[Mistake]:
        if not self.values:
            yield Mistake("values", "must list at least one value")
        for value in repeated(self.values):
            yield Mistake("values", f"must list each value once, got {show(value)} more than once")

    @property
    def _is_numeric(self) -> bool:
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)

    @cached_property
    def _line(self) -> tuple[tuple[Any, ...], tuple[float, ...]]:
        """The values in their order on the unit interval, and the upper end of each one's share of it."""
        pairs = [pair for pair in zip(self.values, self.weights, strict=True) if pair[1] > 0]
        if self._is_numeric:
            pairs.sort(key=lambda pair: pair[0])
        sums = list(accumulate(weight for _, weight in pairs))
        ends = [end / sums[-1] for end in sums]
        return tuple(value for value, _ in pairs), (*ends[:-1], 1.0)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The smallest and the largest value if all are numbers."""
        values, _ = self._line
        return (values[0], values[-1]) if self._is_numeric else None

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values whose probability is not 0, in the order of the file."""
        return tuple(value for value, weight in zip(self.values, self.weights, strict=True) if weight > 0)

    @property
    def cardinality(self) -> int:
        """The number of choices."""
        return len(self.choices)

    def from_unit(self, u: float) -> Any:
        """Return the value whose share of [0, 1] contains `u`; a share includes its upper end."""
        values, ends = self._line
        return values[bisect_left(ends, check_unit(u))]

    def to_unit(self, value: Any) -> float:
        """Return the middle of the share of `value`."""
        values, ends = self._line
        index = index_of(value, values)
        return ((ends[index - 1] if index else 0.0) + ends[index]) / 2


@dataclass(frozen=True)
class Categorical(Choice):
    """One of a list of values, all equally likely."""

    distribution = "categorical"

    values: Values
    """The values, of any type, each listed once."""


@dataclass(frozen=True)
class CategoricalWithProbabilities(Choice):
    """One of a list of values, each with its own probability."""

    distribution = "categorical_w_probabilities"

    values: Values
    """The values, of any type, each listed once."""
    probabilities: Probabilities
    """The probability of each value, in the same order: not negative, with a sum of 1."""

    @property
    def weights(self) -> tuple[float, ...]:
        """The probabilities."""
        return self.probabilities

    def _mistakes(self) -> Iterator[Mistake]:
        yield from super()._mistakes()
        if len(self.probabilities) != len(self.values):
            lengths = f"got {len(self.probabilities)} for {len(self.values)} values"
            yield Mistake("probabilities", f"must have one entry per value, {lengths}")
        for probability in self.probabilities:
            if probability < 0:
                yield Mistake("probabilities", f"must be between 0 and 1, got {probability!r}")
        total = sum(self.probabilities)
        if abs(total - 1) > SUM_TOLERANCE:
            yield Mistake("probabilities", f"must sum to 1, got {total:g}")
