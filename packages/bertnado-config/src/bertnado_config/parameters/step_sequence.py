"""Multiples of a step, as exact decimal fractions."""

from collections.abc import Sequence
from decimal import Decimal
from typing import overload


def multiple(q: float, index: int) -> float:
    """Return `index * q` without the error of binary fractions: 3 times 0.1 is 0.3. An integer `q` gives an integer."""
    return index * q if isinstance(q, int) else float(index * Decimal(repr(q)))


class StepSequence(Sequence[float]):
    """The multiples of `q` from index `first` to `last`, both inclusive, computed on access."""

    def __init__(self, q: float, first: int, last: int) -> None:
        self._q = q
        self._indices = range(first, last + 1)

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[float, ...]: ...
    def __getitem__(self, index: int | slice) -> float | tuple[float, ...]:
        if isinstance(index, slice):
            return tuple(multiple(self._q, place) for place in self._indices[index])
        return multiple(self._q, self._indices[index])

    def __repr__(self) -> str:
        return f"StepSequence({self._q!r}, {self._indices.start}, {self._indices.stop - 1})"
