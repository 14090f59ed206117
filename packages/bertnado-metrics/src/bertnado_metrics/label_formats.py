"""The kinds of labels that tasks take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class LabelFormat:
    """The labels that a task takes."""

    accepts: Callable[[Any], Any]
    """Whether a number is a label of this kind: a function of a float, or of each element of an array."""
    wanted: str
    """The accepted numbers in words."""
    advice: str
    """What to do with other numbers."""
    text_advice: str
    """What to do with text."""
    dimensions: Sequence[int]
    """How many dimensions an array of labels may have: 1 for one label a row, 2 for a list of them."""
    shape_advice: str
    """How labels of one row look."""


_NAMES_ADVICE = "map the names to 0, 1, ..., n-1 and keep them in label2id.json"
_ONE_A_ROW = "each row takes one label, a number; several labels a row are multilabel_classification"


def _zero_or_one(number: Any) -> Any:
    return (number == 0) | (number == 1)


def _whole(number: Any) -> Any:
    return (number >= 0) & (number % 1 == 0)


def _finite(number: Any) -> Any:
    return abs(number) < math.inf


ZERO_OR_ONE = LabelFormat(
    accepts=_zero_or_one,
    wanted="0 and 1",
    advice="use 0 and 1; more classes are multiclass_classification, measured values regression",
    text_advice=_NAMES_ADVICE,
    dimensions=(1,),
    shape_advice=_ONE_A_ROW,
)
CLASS_INDICES = LabelFormat(
    accepts=_whole,
    wanted="whole numbers from 0",
    advice="number the classes 0, 1, ..., n-1; measured values are regression",
    text_advice=_NAMES_ADVICE,
    dimensions=(1,),
    shape_advice=_ONE_A_ROW,
)
MULTI_HOT = LabelFormat(
    accepts=_zero_or_one,
    wanted="0 and 1",
    advice="give each label its own place in the row's list, 1 where it holds and 0 where not",
    text_advice=_NAMES_ADVICE + ", then give each row a 1 or 0 for every name",
    dimensions=(2,),
    shape_advice="each row takes a list with a 0 or 1 for every label, and all lists are equally long",
)
CONTINUOUS = LabelFormat(
    accepts=_finite,
    wanted="finite numbers",
    advice="drop the rows or give them numbers",
    text_advice="convert them to numbers; names of classes are multiclass_classification",
    dimensions=(1, 2),
    shape_advice="each row takes a number, or a list of numbers that is equally long in every row",
)
