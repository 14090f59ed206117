"""The predictions of a test split, as a report reads them: columns of numbers, and which labels are true."""

from __future__ import annotations

import csv
import math
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

PREDICTIONS_FILE = "predictions.tsv"

MOST_CELLS = 5_000_000
"""The most numbers that are kept in memory; a larger table is not drawn."""

_PROBABILITY, _TRUE = "probability_", "true_"
_LABELS = ["label", "true_label"]
_SEPARATOR = ";"


class UnfitPredictionsError(ValueError):
    """A table of predictions that cannot be shown; its text says why."""


@dataclass(frozen=True)
class Predictions:
    """The rows of a table of predictions that have numbers."""

    names: tuple[str, ...]
    """The classes or labels; of a regression its values."""
    numbers: NDArray[np.float64]
    """The probability of each, or the predicted values: shape (rows, names)."""
    truth: NDArray[np.float64]
    """1 for a class or label that a row has, otherwise 0; of a regression the true values. Shape (rows, names)."""
    count: int
    """All rows of the table."""
    left_out: int = 0
    """The rows without a number in each column, or with a probability that is not from 0 to 1."""


def read_predictions(path: Path) -> Predictions:
    """Read a table that `full-train` wrote.

    Raises:
        UnfitPredictionsError: It is missing, damaged, larger than memory should hold, or its labels are ambiguous.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            return _read(csv.reader(file, delimiter="\t"))
    except FileNotFoundError:
        raise UnfitPredictionsError("the file is missing") from None
    except OSError as error:
        raise UnfitPredictionsError(f"it cannot be read ({error.strerror})") from None
    except csv.Error as error:
        raise UnfitPredictionsError(f"it is damaged ({error})") from None


def _read(table: Iterator[list[str]]) -> Predictions:
    header = next(table, list[str]())
    if header[-2:] == _LABELS and all(name.startswith(_PROBABILITY) for name in header[1:-2]):
        names = tuple(name.removeprefix(_PROBABILITY) for name in header[1:-2])
        return _collect(table, names, _LabelledRow(names))
    width = len(header) // 2
    names = tuple(header[1 : 1 + width])
    if not names or header[1 + width :] != [f"{_TRUE}{name}" for name in names]:
        raise UnfitPredictionsError("its header is not that of a test split")
    return _collect(table, names, _measured_row)


_Row: TypeAlias = "tuple[Sequence[float], Sequence[float]] | None"
"""The numbers and the truth of a row; None if a number is missing, or cannot be drawn."""


def _collect(table: Iterator[list[str]], names: tuple[str, ...], read: Callable[[list[str]], _Row]) -> Predictions:
    if not names:
        raise UnfitPredictionsError("its header is not that of a test split")
    found, truth, count, width = array("d"), array("d"), 0, len(names)
    for count, cells in enumerate(table, start=1):
        if count * width > MOST_CELLS:
            raise UnfitPredictionsError(f"it has more than {MOST_CELLS // width:,} rows, too many to draw")
        row = read(cells)
        if row is not None and len(row[0]) == len(row[1]) == width:
            found.extend(row[0])
            truth.extend(row[1])
    if not found:
        raise UnfitPredictionsError(f"none of its {count:,} rows has numbers that can be drawn")
    shape = (len(found) // width, width)
    return Predictions(
        names, np.array(found).reshape(shape), np.array(truth).reshape(shape), count, count - len(found) // width
    )


class _LabelledRow:
    """Reads a row of probabilities and labels."""

    def __init__(self, names: Sequence[str]) -> None:
        if any(_SEPARATOR in name for name in names):
            raise UnfitPredictionsError(f"the name of a label contains {_SEPARATOR!r}, which separates labels")
        self._names = names
        self._known = set(names)

    def __call__(self, cells: list[str]) -> _Row:
        labels = set(cells[-1].split(_SEPARATOR)) - {""} if cells else set[str]()
        if not labels <= self._known:
            raise UnfitPredictionsError("a row has a true label that is not in its header")
        numbers = _numbers(cells[1:-2])
        if numbers is None or not all(0 <= number <= 1 for number in numbers):
            return None
        return numbers, [float(name in labels) for name in self._names]


def _measured_row(cells: list[str]) -> _Row:
    """Read a row of predicted and true values."""
    numbers = _numbers(cells[1:])
    return None if numbers is None else (numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :])


def _numbers(cells: Sequence[str]) -> list[float] | None:
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return None
    return numbers if all(map(math.isfinite, numbers)) else None
