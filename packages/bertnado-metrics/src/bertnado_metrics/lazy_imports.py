"""Libraries that are imported when a metric is computed, so that importing this package is cheap."""

from __future__ import annotations

from typing import Any


def sklearn_metrics() -> Any:
    """Return `sklearn.metrics`, which has no type hints."""
    import sklearn.metrics as library  # pyright: ignore[reportMissingTypeStubs]

    return library


def sklearn_linear_model() -> Any:
    """Return `sklearn.linear_model`, which has no type hints."""
    import sklearn.linear_model as library  # pyright: ignore[reportMissingTypeStubs]

    return library


def sklearn_exceptions() -> Any:
    """Return `sklearn.exceptions`, which has no type hints."""
    import sklearn.exceptions as library  # pyright: ignore[reportMissingTypeStubs]

    return library


def scipy_sparse() -> Any:
    """Return `scipy.sparse`, which has no type hints."""
    import scipy.sparse as library  # pyright: ignore[reportMissingTypeStubs]

    return library


def scipy_optimize() -> Any:
    """Return `scipy.optimize`, which has no type hints."""
    import scipy.optimize as library  # pyright: ignore[reportMissingTypeStubs]

    return library


def scipy_stats() -> Any:
    """Return `scipy.stats`, which has no type hints."""
    import scipy.stats as library  # pyright: ignore[reportMissingTypeStubs]

    return library
