"""Running a model in a thread that ends, so that it leaves no threads of OpenMP behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def run_in_new_thread(
    function: Callable[_Parameters, _Result], *args: _Parameters.args, **kwargs: _Parameters.kwargs
) -> _Result:
    """Return what a function returns, or raise what it raises.

    OpenMP keeps a pool of threads for each thread that computes. Trials are trained in another thread than the checks
    are made in. With two pools there are more threads than cores, and training on the CPU takes nearly twice as long.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args, **kwargs).result()
