"""What is wrong with labels, and what to do about it."""

from __future__ import annotations

import math
import reprlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .array_checks import is_list, is_number, number_array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .label_formats import LabelFormat
    from .metric import NumberArray

_IGNORED = -100
"""What transformers puts where a token has no label, and what some datasets use for a missing one."""


@dataclass(frozen=True)
class _Cell:
    """One label of one row."""

    row: int
    value: Any


@dataclass(frozen=True)
class _Fault:
    """One way in which a label can be wrong."""

    applies: Callable[[Any], bool]
    phrase: Callable[[LabelFormat], str]
    """What such labels are."""
    advice: Callable[[LabelFormat], str]
    shows_value: bool = True


def _missing(applies: Callable[[Any], bool], phrase: str) -> _Fault:
    return _Fault(applies, lambda _: phrase, lambda _: "drop these rows or give each a label", shows_value=False)


_FAULTS = (
    _missing(lambda value: value is None, "None"),
    _Fault(lambda value: isinstance(value, str | bytes), lambda _: "text", lambda kind: kind.text_advice),
    _Fault(is_list, lambda _: "lists", lambda kind: kind.shape_advice),
    _Fault(lambda value: not is_number(value), lambda _: "things that are no numbers", lambda kind: kind.advice),
    _missing(math.isnan, "NaN"),
    _missing(lambda value: value == _IGNORED, "-100, a mark for no label,"),
    _Fault(lambda _: True, lambda kind: f"values other than {kind.wanted}", lambda kind: kind.advice),
)
"""Every fault; a label has the first one that applies."""


def label_problems(kind: LabelFormat, labels: Any) -> list[str]:
    """Say what is wrong with `labels`, each kind of mistake once, with how often and where it is found first.

    Args:
        kind: What the labels should be.
        labels: A list, an array (of objects too) or another sequence, one entry a row.

    Returns:
        Messages; none where the labels are fine.
    """
    if not is_list(labels):
        return [f"labels are a list or an array with one entry a row, got {type(labels).__name__}"]
    array = number_array(labels)
    if array is None:
        return _problems_of_cells(kind, labels) or _problems_of_lengths(kind, labels)
    if array.size == 0:
        return ["there are no labels"]
    if array.ndim not in kind.dimensions:
        return [f"the labels have the shape {array.shape}; {kind.shape_advice}"]
    return _problems_of_array(kind, array)


def _problems_of_array(kind: LabelFormat, array: NumberArray) -> list[str]:
    import numpy as np

    with np.errstate(invalid="ignore"):
        places = (~kind.accepts(array.astype(np.float64))).nonzero()
    wrong = [_Cell(int(row), value) for row, value in zip(places[0], array[places].tolist(), strict=True)]
    return _describe(kind, wrong, array.size)


def _problems_of_cells(kind: LabelFormat, labels: Sequence[Any]) -> list[str]:
    cells = list(_cells(kind, labels))
    wrong = [cell for cell in cells if not (is_number(cell.value) and kind.accepts(float(cell.value)))]
    return _describe(kind, wrong, len(cells))


def _problems_of_lengths(kind: LabelFormat, labels: Sequence[Any]) -> list[str]:
    """Name the rows that differ from the most; a row that is no list has no length."""
    lengths = [len(entry) if is_list(entry) else None for entry in labels]
    usual, rows = Counter(lengths).most_common(1)[0]
    first = next((row for row, length in enumerate(lengths) if length != usual), 0)
    others = f"{len(lengths) - rows} of {len(lengths)} rows"
    return [f"{others} have another length than the rest (first: {_place(first)}); {kind.shape_advice}"]


def _cells(kind: LabelFormat, labels: Sequence[Any]) -> Iterator[_Cell]:
    """Walk through labels that are no array of numbers; rows that may be lists are opened."""
    opened = 2 in kind.dimensions
    for row, entry in enumerate(labels):
        if opened and is_list(entry):
            yield from (_Cell(row, value) for value in entry)
        else:
            yield _Cell(row, entry)


def _describe(kind: LabelFormat, wrong: Sequence[_Cell], total: int) -> list[str]:
    """Write one message for each fault that occurs."""
    found: dict[_Fault, list[_Cell]] = {}
    for cell in wrong:
        fault = next(fault for fault in _FAULTS if fault.applies(cell.value))
        found.setdefault(fault, []).append(cell)
    return [_message(kind, fault, cells, total) for fault, cells in found.items()]


def _message(kind: LabelFormat, fault: _Fault, cells: Sequence[_Cell], total: int) -> str:
    first = f"{_shown(cells[0].value)} " if fault.shows_value else ""
    count = f"{fault.phrase(kind)} in {len(cells)} of {total} labels"
    return f"{count} (first: {first}{_place(cells[0].row)}); {fault.advice(kind)}"


def _shown(value: Any) -> str:
    """Write a value, a numpy scalar as the number or text that it holds, and cut what is long."""
    return reprlib.repr(value.item() if getattr(value, "ndim", None) == 0 else value)


def _place(row: int) -> str:
    return f"in row {row}, counted from 0"
