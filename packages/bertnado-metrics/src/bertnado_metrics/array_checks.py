"""Checks of the arrays and lists that callers pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .metric import NumberArray


def number_array(values: Any) -> NumberArray | None:
    """Convert to an array of bools, integers or floats; return `None` if `values` is not numeric.

    Text, None and rows of different lengths are not numeric; an array of objects is if the objects are numbers.
    """
    import numpy as np

    try:
        array: NDArray[Any] = np.asarray(values)
        if array.dtype.kind == "O":
            array = np.asarray(array.tolist())
    except (TypeError, ValueError):
        return None
    return array if array.dtype.kind in "biuf" else None


def is_number(value: Any) -> bool:
    """Return whether `value` is a single bool, integer or float."""
    array = number_array(value)
    return array is not None and array.ndim == 0


def is_list(value: Any) -> bool:
    """Return whether `value` is list-like: a list, a tuple, an array, a column of a dataset, but not text."""
    if isinstance(value, str | bytes | dict):
        return False
    return hasattr(value, "__len__") and hasattr(value, "__getitem__") and getattr(value, "ndim", 1) > 0
