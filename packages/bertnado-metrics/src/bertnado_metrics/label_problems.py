"""Mistakes in labels, and their cures."""

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
"""The value by which transformers marks a token without a label; some datasets use it for a missing one."""


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
    """The name of such labels."""
    advice: Callable[[LabelFormat], str]
    """The cure."""
    shows_value: bool = True


def _missing(applies: Callable[[Any], bool], phrase: str) -> _Fault:
    return _Fault(applies, lambda _: phrase, lambda _: "remove these rows or label them", shows_value=False)


_FAULTS = (
    _missing(lambda value: value is None, "None"),
    _Fault(lambda value: isinstance(value, str | bytes), lambda _: "text", lambda valid: valid.text_advice),
    _Fault(is_list, lambda _: "lists", lambda valid: valid.shape_advice),
    _Fault(
        lambda value: not is_number(value),
        lambda _: "values that are not numbers",
        lambda valid: valid.advice,
    ),
    _missing(math.isnan, "NaN"),
    _missing(lambda value: value == _IGNORED, "-100 (the mark of a missing label)"),
    _Fault(
        lambda _: True,
        lambda valid: f"values other than {valid.expected}",
        lambda valid: valid.advice,
    ),
)
"""Every fault; a label has the first one that applies."""


def label_problems(label_format: LabelFormat, labels: Any) -> list[str]:
    """Find the mistakes in `labels`.

    Args:
        label_format: The expected format.
        labels: A list, an array (of objects too) or another sequence with one entry per row.

    Returns:
        One message per kind of mistake, with its count and its first row; none if the labels are valid.
    """
    if not is_list(labels):
        return [f"labels must be a list or an array with one entry per row, got {type(labels).__name__}"]
    array = number_array(labels)
    if array is None:
        return _problems_of_cells(label_format, labels) or _problems_of_lengths(label_format, labels)
    if array.size == 0:
        return ["there are no labels"]
    if array.ndim not in label_format.dimensions:
        return [f"labels have the shape {array.shape}; {label_format.shape_advice}"]
    return _problems_of_array(label_format, array)


def _problems_of_array(label_format: LabelFormat, array: NumberArray) -> list[str]:
    import numpy as np

    with np.errstate(invalid="ignore"):
        places = (~label_format.accepts(array.astype(np.float64))).nonzero()
    wrong = [_Cell(int(row), value) for row, value in zip(places[0], array[places].tolist(), strict=True)]
    return _describe(label_format, wrong, array.size)


def _problems_of_cells(label_format: LabelFormat, labels: Sequence[Any]) -> list[str]:
    cells = list(_cells(label_format, labels))
    wrong = [cell for cell in cells if not (is_number(cell.value) and label_format.accepts(float(cell.value)))]
    return _describe(label_format, wrong, len(cells))


def _problems_of_lengths(label_format: LabelFormat, labels: Sequence[Any]) -> list[str]:
    """Report the rows that differ in length from most others; a row that is not a list has no length."""
    lengths = [len(entry) if is_list(entry) else None for entry in labels]
    usual, rows = Counter(lengths).most_common(1)[0]
    first = next((row for row, length in enumerate(lengths) if length != usual), 0)
    others = f"{len(lengths) - rows} of {len(lengths)} rows differ in length from the others"
    return [f"{others} (first: {_format_row(first)}); {label_format.shape_advice}"]


def _cells(label_format: LabelFormat, labels: Sequence[Any]) -> Iterator[_Cell]:
    """Iterate over labels that are not an array of numbers; rows that may be lists are opened."""
    opened = 2 in label_format.dimensions
    for row, entry in enumerate(labels):
        if opened and is_list(entry):
            yield from (_Cell(row, value) for value in entry)
        else:
            yield _Cell(row, entry)


def _describe(label_format: LabelFormat, wrong: Sequence[_Cell], total: int) -> list[str]:
    """Return one message for each fault that occurs."""
    found: dict[_Fault, list[_Cell]] = {}
    for cell in wrong:
        fault = next(fault for fault in _FAULTS if fault.applies(cell.value))
        found.setdefault(fault, []).append(cell)
    return [_message(label_format, fault, cells, total) for fault, cells in found.items()]


def _message(label_format: LabelFormat, fault: _Fault, cells: Sequence[_Cell], total: int) -> str:
    first = f"{_format_value(cells[0].value)} " if fault.shows_value else ""
    count = f"{fault.phrase(label_format)} in {len(cells)} of {total} labels"
    return f"{count} (first: {first}{_format_row(cells[0].row)}); {fault.advice(label_format)}"


def _format_value(value: Any) -> str:
    """Return a value as text, a numpy scalar as the number or text that it holds; long ones are cut."""
    return reprlib.repr(value.item() if getattr(value, "ndim", None) == 0 else value)


def _format_row(row: int) -> str:
    return f"in row {row}, counting from 0"
