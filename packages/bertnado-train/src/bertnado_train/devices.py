"""The devices that trials train on here, and whether those that are named work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from bertnado_config import (
    VISIBLE_DEVICES,
    ArgumentProblem,
    MachineError,
    Problem,
    listed_gpus,
    named_gpus,
    visible_gpus,
)

from . import gpu_probe

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECONDS = 120
"""A GPU that has not computed anything by then does not work."""

_ON_CPU = f"train on the CPU with {VISIBLE_DEVICES}=''"


@dataclass(frozen=True)
class GpuReport:
    """The GPUs as torch sees them."""

    gpus: Sequence[tuple[str, str | None]] = ()
    """The name of each, and why it does not work; `None` if it works."""
    reason: str | None = None
    """Why torch sees none."""


def device_problems() -> list[Problem]:
    """Report GPUs that are named, or visible, and do not work: a trial would fail there, or train on the CPU."""
    if not visible_gpus() and not torch.cuda.is_available():
        return []
    named = os.environ.get(VISIBLE_DEVICES)
    if named is None:
        return gpu_problems(None, listed_gpus(), probe_gpus())
    return gpu_problems(named_gpus(named), [], probe_gpus())


def probe_gpus() -> GpuReport:
    """Compute something on each visible GPU, in another process."""
    command = [sys.executable, "-P", gpu_probe.__file__]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)  # noqa: S603
    except subprocess.TimeoutExpired:
        return GpuReport(reason=f"no answer within {_SECONDS} s")
    try:
        found = json.loads(done.stdout.splitlines()[-1])
        return GpuReport([(name, error) for name, error in found["gpus"]], found["reason"])
    except (LookupError, ValueError, TypeError):
        lines = done.stderr.split("\n")
        last = next((line for line in reversed(lines) if line.strip()), f"exit code {done.returncode}")
        return GpuReport(reason=last)


def gpu_problems(named: Sequence[str] | None, listed: Sequence[str], found: GpuReport) -> list[Problem]:
    """Return what is wrong with the visible GPUs.

    Args:
        named: The GPUs that `CUDA_VISIBLE_DEVICES` names; `None` if it is not set.
        listed: Those that nvidia-smi lists if it is not set.
        found: The GPUs as torch sees them, in the same order.
    """
    if named is None and listed and not found.gpus:
        message = (
            f"nvidia-smi lists {len(listed)} GPUs, which torch cannot use ({found.reason}); "
            f"install a torch for this driver, or {_ON_CPU}"
        )
        return [ArgumentProblem("", message)]
    names = [str(index) for index in range(len(found.gpus))] if named is None else named
    broken = zip(names, found.gpus, strict=False)
    problems = [_not_working(name, *gpu, is_named=named is not None) for name, gpu in broken if gpu[1] is not None]
    if len(names) > len(found.gpus):  # CUDA ignores everything from the first name on that it does not know
        problems.append(_not_there(names[len(found.gpus)], found))
    return problems


def _not_working(name: str, product: str, error: str | None, *, is_named: bool) -> Problem:
    cure = f"remove it from {VISIBLE_DEVICES}" if is_named else f"name the others in {VISIBLE_DEVICES}"
    return ArgumentProblem("", f"GPU {name} ({product}) does not work: {error}; repair it, {cure}, or {_ON_CPU}")


def _not_there(name: str, found: GpuReport) -> Problem:
    reason = found.reason or f"it sees {len(found.gpus)} of them"
    message = (
        f"{VISIBLE_DEVICES} names GPU {name}, which torch cannot use ({reason}); "
        f"name GPUs that `nvidia-smi -L` lists, or {_ON_CPU}"
    )
    return ArgumentProblem("", message)


def require_gpu() -> None:
    """Make sure that this process does not train on the CPU although a GPU is named for it.

    Raises:
        MachineError: The GPU cannot be used.
    """
    named = named_gpus(os.environ.get(VISIBLE_DEVICES, ""))
    if named and not torch.cuda.is_available():
        raise MachineError(f"GPU {named[0]}, which {VISIBLE_DEVICES} names, cannot be used")


def describe_device(device: torch.device) -> str:
    """Return a device as it is recorded: `cpu`, or `cuda:0 NVIDIA H100`."""
    return f"{device} {torch.cuda.get_device_name(device)}" if device.type == "cuda" else str(device)


def describe_visible_devices() -> str:
    """Return the devices that trials train on here: every visible GPU, otherwise `cpu`."""
    gpus = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    return ", ".join(map(describe_device, gpus or [torch.device("cpu")]))
