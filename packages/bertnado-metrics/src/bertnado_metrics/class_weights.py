"""The weights of classes in a loss: made from row counts, or given as they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, cast

_WEIGHTS = "weights"
"""The key of a `class_weights.json` that holds weights instead of row counts."""
_FORMS = 'write row counts, {"0": 900, "1": 100}, or weights, {"weights": {"0": 1.0, "1": 9.0}}'


def read_class_weights(content: object) -> tuple[Fraction, ...]:
    """Read the content of a `class_weights.json` as one weight per class.

    Args:
        content: The number of rows of each class, `{"0": 900, "1": 100}`, which is balanced, see `balanced_weights`; or
            weights that are used as they are, `{"weights": {"0": 1.0, "1": 9.0}}`.

    Raises:
        ValueError: It has neither form, a class is missing, or a number is out of bounds.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"class weights must be an object with a number per class, got {type(content).__name__}")
    by_name = cast("Mapping[Any, object]", content)
    if _WEIGHTS not in by_name:
        counts = _read_numbers(by_name)
        _check_counts(counts)
        return balanced_weights([int(count) for count in counts])
    if len(by_name) > 1:
        others = ", ".join(repr(str(name)) for name in by_name if name != _WEIGHTS)
        raise ValueError(f"class weights must be either counts or weights, got {_WEIGHTS!r} beside {others}; {_FORMS}")
    weights = _read_numbers(by_name[_WEIGHTS])
    check_weights(weights, len(weights))
    return tuple(Fraction(weight) for weight in weights)


def balanced_weights(counts: Sequence[int]) -> tuple[Fraction, ...]:
    """Return the weights with which every class contributes equally: all rows / (classes * rows of the class).

    Their mean over the rows is 1. A class without a row has the weight 1 and does not count as a class.

    Args:
        counts: The number of rows of each class, at least one of them above 0.
    """
    classes = sum(count > 0 for count in counts)
    return tuple(Fraction(sum(counts), classes * count) if count else Fraction(1) for count in counts)


def weight_per_class(weights: Sequence[Fraction]) -> tuple[float, ...]:
    """Return the weights of a loss with one weight per class."""
    return tuple(map(_as_float, weights))


def positive_weight(weights: Sequence[Fraction]) -> tuple[float, ...]:
    """Return the weight of the positive class in a loss in which the negative class has the weight 1.

    It is the quotient of both weights, and so negative / positive rows for balanced ones. The loss differs by a
    constant factor from one in which each class has its weight.

    Raises:
        ValueError: There are not two weights, or one is 0.
    """
    if len(weights) != 2:
        raise ValueError(f"class weights of a binary task must be of the classes '0' and '1', got {len(weights)}")
    for name, weight in enumerate(weights):
        if not weight:
            raise ValueError(f"class weights of a binary task must be above 0, got 0 for class '{name}'")
    return (_as_float(weights[1] / weights[0]),)


def check_weights(weights: Sequence[float], count: int) -> None:
    """Check the weights that a loss is given.

    Raises:
        ValueError: There are not `count` weights, one is negative or not finite, or all are 0.
    """
    if len(weights) != count:
        raise ValueError(f"there must be {count} class weight(s), one per logit, got {len(weights)}")
    for name, weight in enumerate(weights):
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f"class weights must be finite and at least 0, got {weight} for class '{name}'")
    if not any(weights):
        raise ValueError("at least one class weight must be above 0, got only zeros")


def _check_counts(counts: Sequence[float]) -> None:
    for name, count in enumerate(counts):
        if count < 0 or not float(count).is_integer():
            rule = f"class weights without {_WEIGHTS!r} must be whole numbers of rows, at least 0"
            raise ValueError(f"{rule}, got {count:g} for class '{name}'; {_FORMS}")
    if sum(count > 0 for count in counts) < 2:
        raise ValueError("class weights must count the rows of at least two classes, got rows of fewer")


def _read_numbers(content: object) -> tuple[float, ...]:
    """Return the values in the order of their keys, which must be 0, 1, ..., n-1."""
    if not isinstance(content, Mapping):
        raise ValueError(f"{_WEIGHTS!r} must be an object with a number per class, got {content!r:.80}; {_FORMS}")
    by_name = {str(name): value for name, value in cast("Mapping[Any, object]", content).items()}
    names = [str(index) for index in range(len(by_name))]
    if not names or sorted(by_name) != sorted(names):
        raise ValueError(f"class weights must be named '0', '1', ..., got {', '.join(by_name) or 'no names'}")
    return tuple(_read_number(name, by_name[name]) for name in names)


def _read_number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise ValueError(f"class weights must be finite numbers, got {value!r:.80} for class '{name}'")
    return float(value)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer that no float can hold
        return False


def _as_float(weight: Fraction) -> float:
    try:
        return float(weight)
    except OverflowError:
        return math.inf
