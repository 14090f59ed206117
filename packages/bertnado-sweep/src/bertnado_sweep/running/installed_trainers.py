"""Trainers of other installed packages, found by their entry points."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bertnado_config import Trainer, TrainingInputs

ENTRY_POINTS = "bertnado.trainers"
"""The entry-point group of trainers: factories that take the fields of `TrainingInputs`."""

_HUGGING_FACE = "huggingface"


def find_trainer(inputs: TrainingInputs) -> Trainer:
    """Return the installed trainer for Hugging Face models.

    Raises:
        ImportError: None is installed.
    """
    found = tuple(entry_points(group=ENTRY_POINTS, name=_HUGGING_FACE))
    if not found:
        raise ImportError("a trainer for Hugging Face models must be installed; run pip install bertnado-train")
    return found[0].load()(**dict(inputs))
