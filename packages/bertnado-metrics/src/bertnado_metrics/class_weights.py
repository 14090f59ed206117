"""The content of `class_weights.json`, read as weights for the loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Sequence


def positive_weight(content: Mapping[str, object]) -> tuple[float, ...]:
    """Convert the row counts of both classes, {"0": negative, "1": positive}, to the weight of the positive class.

    Returns:
        One weight, negative / positive, with which both classes contribute equally to the loss.

    Raises:
        ValueError: The classes are not "0" and "1", or a count is not a whole number above 0.
    """
    counts = _read_numbers(content)
    if len(counts) != 2:
        rule = 'class weights of a binary task must be {"0": negative rows, "1": positive rows}'
        raise ValueError(f"{rule}, got {len(counts)} class(es)")
    for name, count in enumerate(counts):
        if count <= 0 or not count.is_integer():
            rule = "class weights of a binary task must be whole numbers of rows above 0"
            raise ValueError(f"{rule}, got {count:g} for class '{name}'")
    return (counts[0] / counts[1],)


def weight_per_class(content: Mapping[str, object]) -> tuple[float, ...]:
    """Read one weight per class, {"0": weight, "1": weight, ...}.

    Raises:
        ValueError: A class is missing, a weight is negative or not finite, or all weights are 0.
    """
    weights = _read_numbers(content)
    check_weights(weights, len(weights))
    return weights


def reject_weights(content: Mapping[str, object]) -> tuple[float, ...]:
    """Reject class weights, for a task that does not use them."""
    del content
    raise ValueError("class weights are not used; remove class_weights.json or choose another task")


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


def _read_numbers(content: Any) -> tuple[float, ...]:
    """Return the values in the order of their keys, which must be 0, 1, ..., n-1."""
    if not isinstance(content, Mapping):
        raise ValueError(f"class weights must be an object with a number per class, got {type(content).__name__}")
    by_name = {str(name): value for name, value in cast("Mapping[Any, object]", content).items()}
    names = [str(index) for index in range(len(by_name))]
    if not names or sorted(by_name) != sorted(names):
        raise ValueError(f"class weights must be named '0', '1', ..., got {', '.join(by_name) or 'no names'}")
    return tuple(_read_number(name, by_name[name]) for name in names)


def _read_number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"class weights must be finite numbers, got {value!r} for class '{name}'")
    return float(value)
