"""Arrays of numbers out of what callers hand in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .metric import NumberArray


def number_array(values: Any) -> NumberArray | None:
    """Make an array of bools, integers or floats; `None` where `values` cannot be one.

    Rows of different lengths, text and None cannot; an array of objects can where the objects are numbers.
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
    """Say whether `value` is one bool, integer or float that an array can hold."""
    array = number_array(value)
    return array is not None and array.ndim == 0


def is_list(value: Any) -> bool:
    """Say whether `value` is a list of some kind: an array, a column of a dataset, a tuple; text is none."""
    if isinstance(value, str | bytes | dict):
        return False
    return hasattr(value, "__len__") and hasattr(value, "__getitem__") and getattr(value, "ndim", 1) > 0
