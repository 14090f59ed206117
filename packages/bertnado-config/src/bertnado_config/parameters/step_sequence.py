"""Multiples of a step, exactly as a person would write them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import overload


def multiple(q: float, index: int) -> float:
    """Give `index * q` without the noise of binary fractions: 3 times 0.1 is 0.3. An integer `q` gives an integer."""
    return index * q if isinstance(q, int) else float(index * Decimal(repr(q)))


class Multiples(Sequence[float]):
    """The multiples of `q` from index `first` to `last`, both inclusive, each made when it is asked for."""

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
        return f"Multiples({self._q!r}, {self._indices.start}, {self._indices.stop - 1})"
