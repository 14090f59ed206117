"""Whose failure an exception of training is: the trial's or the machine's.

Only the kind of the exception decides here. The machine's are lost devices, CUDA errors and input/output errors of a
disk or a file system. The trial's are those that parameters and data can cause: out of memory, a loss that is not a
number, arguments that CUDA refuses, a device-side assert. All others are unclear, a full disk for example: they are
the trial's too, unless a comparison of the workers says otherwise, see `WorkerHistory`.
"""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bertnado_config import MachineError, TrialError

from .error_text import message_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Culprit = Literal["trial", "machine", "unclear"]

MACHINE_FAILURE = "failure of the machine: "
"""The beginning of the error of a trial that was interrupted because of its machine."""


@dataclass(frozen=True)
class Blame:
    """Whose failure an exception is, and what it leaves of the process."""

    culprit: Culprit = "unclear"
    ends_process: bool = False
    """True if the process cannot use its GPU any more."""


NOT_A_NUMBER = Blame("trial")
"""The blame for a result without a finite value."""

_BROKEN_DISK = (
    *(errno.EIO, errno.ENXIO, errno.ENODEV, errno.EUCLEAN),
    *(errno.ESTALE, errno.EREMOTEIO, errno.EHOSTDOWN, errno.ENOTCONN),
)
"""Errors of a device and its file system, and of one that another machine serves."""

_DISK_TEXT = re.compile("|".join(re.escape(os.strerror(number)) for number in _BROKEN_DISK))
"""Libraries and the workers of a data loader pass on the message alone."""

_ASSERT = re.compile(r"device-side assert|cudaErrorAssert|CUDA_ERROR_ASSERT")

_MEMORY = re.compile(r"out of memory|ALLOC_FAILED|cudaErrorMemoryAllocation|can't allocate memory", re.IGNORECASE)

_ARGUMENTS = re.compile(
    r"invalid (configuration )?argument|too many resources requested|operation not supported"
    r"|STATUS_(INVALID_VALUE|BAD_PARAM|NOT_SUPPORTED)|cudaErrorInvalid(Value|Configuration)"
)

_GPU = re.compile(
    r"\b(CUDA|HIP)( driver| unknown| initialization)? (error|failure)|\bcuda(Error|rt)[A-Z]|\bCUDA_ERROR_"
    r"|cuDNN error|CU(DNN|BLAS|FFT|SPARSE|SOLVER)_STATUS_|MIOpen Error|rocblas_status"
    r"|CUDA driver|CUDA-capable device|CUDA GPUs are available|NVIDIA driver|NVML|uncorrectable ECC|ECC error"
    r"|no kernel image|fallen off the bus|GPU is lost",
)


def blame_for(error: BaseException) -> Blame:
    """Return whose failure an exception is, by its kind or that of the exceptions behind it."""
    found = (_blame_for_one(one) for one in _with_causes(error))
    return next((blame for blame in found if blame.culprit != "unclear"), Blame())


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that led to it, as a traceback shows them."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)


def _blame_for_one(error: BaseException) -> Blame:
    text = message_of(error)
    if _ASSERT.search(text):
        return Blame("trial", ends_process=True)
    if isinstance(error, MemoryError | TrialError) or _MEMORY.search(text):
        return Blame("trial")
    if isinstance(error, MachineError):
        return Blame("machine", ends_process=True)
    if isinstance(error, OSError) and error.errno is not None:
        return Blame("machine") if error.errno in _BROKEN_DISK else Blame()
    if _GPU.search(text):
        return Blame("trial") if _ARGUMENTS.search(text) else Blame("machine", ends_process=True)
    return Blame("machine") if _DISK_TEXT.search(text) else Blame()


def is_left_behind(error: str | None) -> bool:
    """Return True if a trial with this error was interrupted because of its machine."""
    return (error or "").startswith(MACHINE_FAILURE)


def reason_of(error: str | None) -> str:
    """Return the error of a trial without the remark that it was its machine's."""
    return (error or "").removeprefix(MACHINE_FAILURE)
