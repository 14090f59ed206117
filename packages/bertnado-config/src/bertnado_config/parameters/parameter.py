"""The base class of parameter forms: a quantile function that validates itself."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import ConfigDict, PlainValidator, WithJsonSchema

from bertnado_config.number_parsing import non_finite_leaves, read_number, read_whole_number
from bertnado_config.value_text import show

Distribution = Literal[
    "constant",
    "categorical",
    "categorical_w_probabilities",
    "int_uniform",
    "uniform",
    "q_uniform",
    "log_uniform",
    "log_uniform_values",
    "q_log_uniform",
    "q_log_uniform_values",
    "inv_log_uniform",
    "inv_log_uniform_values",
    "normal",
    "q_normal",
    "log_normal",
    "q_log_normal",
    "beta",
    "q_beta",
]
"""W&B's names of the forms."""

Number = Annotated[float, PlainValidator(read_number), WithJsonSchema({"type": "number"})]
"""A finite number; an integer stays an integer, and a string that spells a number is converted."""

WholeNumber = Annotated[int, PlainValidator(read_whole_number), WithJsonSchema({"type": "integer"})]
"""A whole number."""


class Mistake(NamedTuple):
    """A broken rule: its key and the message."""

    key: str
    message: str


class InvalidParameterError(ValueError):
    """An invalid parameter.

    Attributes:
        mistakes: Every broken rule.
    """

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes: tuple[Mistake, ...] = tuple(mistakes)
        super().__init__("; ".join(f"{key} {message}" for key, message in self.mistakes))


@dataclass(frozen=True)
class Parameter(ABC):
    """A parameter of a sweep, as a quantile function from [0, 1] to its values.

    The fields of a subclass are the keys of the form in a sweep file. A parameter that breaks a rule of its form raises
    a `ValueError` with every broken rule when it is made. Values are plain Python objects.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    distribution: ClassVar[Distribution]
    """W&B's name of the form."""

    def __post_init__(self) -> None:
        mistakes = tuple(self._non_finite_fields()) or tuple(self._mistakes())
        if mistakes:
            raise InvalidParameterError(mistakes)

    def _non_finite_fields(self) -> Iterator[Mistake]:
        for key, value in vars(self).items():
            for number in non_finite_leaves(value):
                yield Mistake(key, f"must be finite, got {show(number)}")

    def _mistakes(self) -> Iterator[Mistake]:
        """Yield the rules that the fields break; all numbers are finite."""
        yield from ()

    @abstractmethod
    def from_unit(self, u: float) -> Any:
        """Return the value at quantile `u`, in [0, 1]; ordered values never decrease with `u`.

        Raises:
            ValueError: `u` is outside [0, 1] or NaN.
        """

    @abstractmethod
    def to_unit(self, value: Any) -> float:
        """Return a quantile of `value` in [0, 1], so that `from_unit(to_unit(value))` is `value`.

        Raises:
            ValueError: `value` is not a value of the parameter.
        """

    @property
    def choices(self) -> Sequence[Any] | None:
        """Every value, each once, in the order of a grid; `None` if they cannot be enumerated.

        The sequence may be lazy and longer than memory: check `cardinality` before iterating over it.
        """
        return None

    @property
    def cardinality(self) -> int | None:
        """The number of values; `None` if they cannot be enumerated."""
        return None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The smallest and the largest value, both inclusive; `None` if the values are not ordered.

        A side without a bound is infinite.
        """
        return None

    @property
    def is_ordered(self) -> bool:
        """True if a search can use the order of [0, 1]; false for unordered choices and constants."""
        return self.bounds is not None


def range_mistakes(lowest: float, highest: float) -> Iterator[Mistake]:
    """Yield a mistake if `min` is not below `max`."""
    if lowest == highest:
        yield Mistake(
            "min", f'must be below max {highest!r}, got {lowest!r}; for a constant write {{"value": {lowest!r}}}'
        )
    elif lowest > highest:
        yield Mistake("min", f"must be below max {highest!r}, got {lowest!r}; swap the two")


def check_unit(u: float) -> float:
    """Return `u` if it is in [0, 1].

    Raises:
        ValueError: It is not.
    """
    if not 0.0 <= u <= 1.0:
        msg = f"a quantile must be between 0 and 1, got {u!r}"
        raise ValueError(msg)
    return float(u)


def check_inside(value: Any, bounds: tuple[float, float]) -> float:
    """Return `value` if it is a number inside `bounds`, both inclusive.

    Raises:
        ValueError: It is not.
    """
    number = read_number(value)
    lowest, highest = bounds
    if not lowest <= number <= highest:
        msg = f"must be between {lowest!r} and {highest!r}, got {number!r}"
        raise ValueError(msg)
    return number


def clamp(number: float, bounds: tuple[float, float]) -> float:
    """Return the number inside `bounds` that is nearest to `number`."""
    lowest, highest = bounds
    return min(max(number, lowest), highest)
