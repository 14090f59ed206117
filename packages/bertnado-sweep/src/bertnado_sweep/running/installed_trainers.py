"""Trainers that other installed packages offer, found by name and imported when they are asked for."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bertnado_config import Trainer

ENTRY_POINTS = "bertnado.trainers"
"""The group in which a package declares its trainers: factories that take `find_trainer`'s arguments."""

_HUGGING_FACE = "huggingface"


def find_trainer(
    *, model_name: str, dataset: str | Path, task_type: str, seed: int, precision: str, trust_remote_code: bool
) -> Trainer:
    """The trainer for Hugging Face models that is installed.

    Raises:
        ImportError: None is.
    """
    found = tuple(entry_points(group=ENTRY_POINTS, name=_HUGGING_FACE))
    if not found:
        raise ImportError("no trainer for Hugging Face models is installed; pip install bertnado-train")
    return found[0].load()(
        model_name=model_name,
        dataset=dataset,
        task_type=task_type,
        seed=seed,
        precision=precision,
        trust_remote_code=trust_remote_code,
    )
