"""What every parameter form is: a quantile function that checks itself when it is made."""

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
"""A finite number; an integer stays one, and a string that spells a number is read as it."""

WholeNumber = Annotated[int, PlainValidator(read_whole_number), WithJsonSchema({"type": "integer"})]
"""A whole number."""


class Mistake(NamedTuple):
    """A broken rule: the key that it belongs to, and what to do."""

    key: str
    message: str


class InvalidParameterError(ValueError):
    """A parameter that cannot exist.

    Attributes:
        mistakes: Every broken rule.
    """

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes: tuple[Mistake, ...] = tuple(mistakes)
        super().__init__("; ".join(f"{key} {message}" for key, message in self.mistakes))


@dataclass(frozen=True)
class Parameter(ABC):
    """A parameter of a sweep, as a quantile function from [0, 1] to its values.

    The fields of a subclass are the keys of the form in a sweep file. A parameter that breaks a rule of its form
    cannot be made: `ValueError`, with every broken rule. Values are plain Python ones.
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
                yield Mistake(key, f"must be finite, not {show(number)}")

    def _mistakes(self) -> Iterator[Mistake]:
        """Yield the rules that the fields, all of them finite, break."""
        yield from ()

    @abstractmethod
    def from_unit(self, u: float) -> Any:
        """Give the value at quantile `u`, in [0, 1]; values that have an order never decrease with `u`.

        Raises:
            ValueError: `u` is outside [0, 1] or NaN.
        """

    @abstractmethod
    def to_unit(self, value: Any) -> float:
        """Give a quantile in [0, 1] of `value`, so that `from_unit(to_unit(value))` is `value`.

        Raises:
            ValueError: The parameter does not take `value`.
        """

    @property
    def choices(self) -> Sequence[Any] | None:
        """Every value, each once, in a grid's order; `None` where they cannot be enumerated.

        The sequence may be lazy and longer than memory: look at `cardinality` before walking through it.
        """
        return None

    @property
    def cardinality(self) -> int | None:
        """How many values there are; `None` where they cannot be enumerated."""
        return None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The smallest and the largest value, both inclusive; `None` where values have no order.

        Infinite on a side where the form has no bound.
        """
        return None

    @property
    def is_ordered(self) -> bool:
        """Whether a search may use the order of [0, 1]; not so for unordered choices and constants."""
        return self.bounds is not None


def range_mistakes(lowest: float, highest: float) -> Iterator[Mistake]:
    """Yield what breaks the rule that `min` is below `max`."""
    if lowest == highest:
        yield Mistake("min", f'{lowest!r} equals max; for a constant write {{"value": {lowest!r}}}')
    elif lowest > highest:
        yield Mistake("min", f"{lowest!r} is above max {highest!r}; swap the two")


def check_unit(u: float) -> float:
    """Give back `u` if it lies in [0, 1].

    Raises:
        ValueError: It does not.
    """
    if not 0.0 <= u <= 1.0:
        msg = f"a quantile lies between 0 and 1, not at {u!r}"
        raise ValueError(msg)
    return float(u)


def check_inside(value: Any, bounds: tuple[float, float]) -> float:
    """Give back `value` if it is a number inside `bounds`, both inclusive.

    Raises:
        ValueError: It is not.
    """
    number = read_number(value)
    lowest, highest = bounds
    if not lowest <= number <= highest:
        msg = f"{number!r} is not between {lowest!r} and {highest!r}"
        raise ValueError(msg)
    return number


def clamp(number: float, bounds: tuple[float, float]) -> float:
    """Give the number inside `bounds` that is nearest to `number`."""
    lowest, highest = bounds
    return min(max(number, lowest), highest)
