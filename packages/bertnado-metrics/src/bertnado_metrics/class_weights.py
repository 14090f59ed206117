"""What the numbers in `class_weights.json` mean for each kind of task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Sequence


def positive_weight(content: Mapping[str, object]) -> tuple[float, ...]:
    """Read the rows of each class, {"0": negative, "1": positive}, as the weight of the positive class.

    Returns:
        One weight, negative / positive: both classes then weigh the same in the loss.

    Raises:
        ValueError: There are other classes, or counts that are not whole numbers above 0.
    """
    counts = _numbers(content)
    rule = 'class weights of a binary task are {"0": negative rows, "1": positive rows}'
    if len(counts) != 2:
        raise ValueError(f"{rule}, got {len(counts)} class(es)")
    for name, count in enumerate(counts):
        if count <= 0 or not count.is_integer():
            raise ValueError(f"{rule}, whole numbers above 0; class '{name}' has {count:g}")
    return (counts[0] / counts[1],)


def weight_per_class(content: Mapping[str, object]) -> tuple[float, ...]:
    """Read one weight for each class, {"0": weight, "1": weight, ...}, as they are.

    Raises:
        ValueError: A class is missing, a weight is no finite number of at least 0, or all are 0.
    """
    weights = _numbers(content)
    check_weights(weights, len(weights))
    return weights


def no_weights(content: Mapping[str, object]) -> tuple[float, ...]:
    """Refuse the content: the task has no use for it."""
    del content
    raise ValueError("class weights are not used; remove class_weights.json or change the task type")


def check_weights(weights: Sequence[float], count: int) -> None:
    """Check weights as a loss takes them.

    Raises:
        ValueError: There are not `count` of them, one is not a finite number of at least 0, or all are 0.
    """
    if len(weights) != count:
        raise ValueError(f"{count} class weight(s) are needed, one for each logit, got {len(weights)}")
    for name, weight in enumerate(weights):
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f"class weights have to be finite and at least 0; class '{name}' has {weight}")
    if not any(weights):
        raise ValueError("all class weights are 0; nothing would be learnt")


def _numbers(content: Any) -> tuple[float, ...]:
    """Put the values in the order of their keys, which have to be 0, 1, ..., n-1."""
    if not isinstance(content, Mapping):
        raise ValueError(f"class weights are an object with a number for each class, got {type(content).__name__}")
    by_name = {str(name): value for name, value in cast("Mapping[Any, object]", content).items()}
    names = [str(index) for index in range(len(by_name))]
    if not names or sorted(by_name) != sorted(names):
        raise ValueError(
            f"the classes of the class weights have to be '0', '1', ..., got {', '.join(by_name) or 'none'}"
        )
    return tuple(_number(name, by_name[name]) for name in names)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"class weights have to be finite numbers; class '{name}' has {value!r}")
    return float(value)
