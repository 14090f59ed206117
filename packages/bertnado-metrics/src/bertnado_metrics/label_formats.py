"""The label formats of the tasks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class LabelFormat:
    """The labels that a task accepts, and what to say of others."""

    accepts: Callable[[Any], Any]
    """A test of a number, or of each element of an array: true for a valid label."""
    expected: str
    """The valid numbers, in words."""
    advice: str
    """The cure for other numbers."""
    text_advice: str
    """The cure for text."""
    dimensions: Sequence[int]
    """The allowed numbers of dimensions of a label array: 1 for one label per row, 2 for a list per row."""
    shape_advice: str
    """The shape of one row's labels, in words."""


_NAMES_ADVICE = "map the names to 0, 1, ..., n-1 and store the mapping in label2id.json, or in a ClassLabel column"
_ONE_PER_ROW = "each row needs one label, a number; for several labels per row use multilabel_classification"


def _zero_or_one(number: Any) -> Any:
    return (number == 0) | (number == 1)


def _whole(number: Any) -> Any:
    return (number >= 0) & (number % 1 == 0)


def _finite(number: Any) -> Any:
    return abs(number) < math.inf


ZERO_OR_ONE = LabelFormat(
    accepts=_zero_or_one,
    expected="0 and 1",
    advice="use 0 and 1; for more classes use multiclass_classification, for measured values regression",
    text_advice=_NAMES_ADVICE,
    dimensions=(1,),
    shape_advice=_ONE_PER_ROW,
)
CLASS_INDICES = LabelFormat(
    accepts=_whole,
    expected="whole numbers from 0",
    advice="number the classes 0, 1, ..., n-1; for measured values use regression",
    text_advice=_NAMES_ADVICE,
    dimensions=(1,),
    shape_advice=_ONE_PER_ROW,
)
MULTI_HOT = LabelFormat(
    accepts=_zero_or_one,
    expected="0 and 1",
    advice="list a 1 for each label that applies to the row and a 0 for each that does not",
    text_advice=_NAMES_ADVICE + ", then list a 1 or 0 for every name in each row",
    dimensions=(2,),
    shape_advice="each row needs a list with a 0 or 1 for every label, of the same length in all rows",
)
CONTINUOUS = LabelFormat(
    accepts=_finite,
    expected="finite numbers",
    advice="remove these rows or correct their labels",
    text_advice="convert the text to numbers; for class names use multiclass_classification",
    dimensions=(1, 2),
    shape_advice="each row needs a number, or a list of numbers of the same length in all rows",
)
