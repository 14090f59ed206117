"""The floating-point precision of training on the device of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import torch
from bertnado_config import ArgumentProblem, Precision, Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_FIELDS = frozenset({"bf16", "fp16"})
"""The `TrainingArguments` that set a precision."""


def precision_arguments(given: Mapping[str, Any], precision: Precision) -> dict[str, Any]:
    """Return the `TrainingArguments` that set the precision of a trial.

    Args:
        given: The arguments that are set already. A precision among them takes precedence.
        precision: The precision otherwise.

    Raises:
        ValueError: `given` asks for fp16 without a GPU.
    """
    is_cpu = given.get("use_cpu") or not torch.cuda.is_available()
    if is_cpu and given.get("fp16"):
        raise ValueError("fp16 requires a GPU, and this trial would train without one; remove it, or use bf16")
    added: dict[str, Any] = {}
    if not _FIELDS & given.keys():
        if precision == "auto":
            precision = "bf16" if not is_cpu and gpu_supports_bf16() else "fp32"
        added = {"bf16": precision == "bf16", "fp16": precision == "fp16"}
    if is_cpu and (given.get("bf16") or added.get("bf16")):
        added["use_cpu"] = True  # otherwise transformers requires a GPU for bf16
    if not is_cpu and "tf32" not in given:
        # TF32 is a switch of the whole process: left alone, it would stay as the trial before set it.
        added["tf32"] = precision != "fp32" and torch.cuda.get_device_capability() >= (8, 0)
    return added


def precision_problems(precision: Precision, fields: Collection[str]) -> list[Problem]:
    """Report why trials cannot train in `precision`.

    Args:
        precision: The precision of the sweep.
        fields: The `TrainingArguments` that the sweep file sets.
    """
    message = _precision_problem(precision, sorted(_FIELDS & set(fields)))
    return [ArgumentProblem("precision", message)] if message else []


def _precision_problem(precision: Precision, in_file: list[str]) -> str | None:
    if precision == "auto":
        return None
    if precision not in get_args(Precision):
        return f"unknown {{precision}} {precision!r}; choose from {', '.join(get_args(Precision))}"
    if in_file:
        return f"{{precision}} {precision} and the sweep file's {' and '.join(in_file)} both set it; keep one of them"
    if precision == "fp16" and not torch.cuda.is_available():
        return "{precision} fp16 requires a GPU, and none is visible here; use auto, fp32 or bf16"
    if precision == "bf16" and torch.cuda.is_available() and not gpu_supports_bf16():
        return f"{torch.cuda.get_device_name()} does not support bf16; use auto, fp32 or fp16"
    return None


def gpu_supports_bf16() -> bool:
    """Return whether a GPU is visible that supports bf16 in hardware."""
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
