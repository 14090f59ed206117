"""The files beside a dataset, in its directory or next to it: `class_weights.json` and `label2id.json`."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any, NamedTuple

from bertnado_config import InvalidInputError, read_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bertnado_metrics import Task


class StoredWeights(NamedTuple):
    """The content of `class_weights.json`."""

    weights: tuple[float, ...] | None
    """The weights for the loss; `None` if there is no such file, or if it cannot be used."""
    are_of_rows: bool = False
    """Whether the file has the rows of each class, from which the weights follow."""


def read_class_weights(path: Path, task: Task, logits: int) -> tuple[StoredWeights, list[str]]:
    """Return the weights for the loss, and what is wrong with them."""
    file = _find_beside(path, "class_weights.json")
    if file is None:
        return StoredWeights(None), []
    try:
        content = _read_object(file)
        weights = task.class_weights_from(content)
    except ValueError as error:
        return StoredWeights(None), [f"{file}: {error}"]
    if len(weights) != logits:
        problem = f"{file}: must contain {logits} weights for these labels, got {len(weights)}"
        return StoredWeights(None), [problem]
    return StoredWeights(weights, are_of_rows="weights" not in content), []


def read_label2id(path: Path, classes: int, *, is_open: bool) -> tuple[Mapping[str, int] | None, list[str]]:
    """Return the number of each class by its name, if there is such a file, and what is wrong with it.

    Args:
        path: The directory of the dataset.
        classes: The number of classes that the labels require.
        is_open: Accept names of more classes.
    """
    file = _find_beside(path, "label2id.json")
    if file is None:
        return None, []
    try:
        names = _read_object(file)
    except ValueError as error:
        return None, [f"{file}: {error}"]
    expected = max(classes, len(names)) if is_open else classes
    if sorted(names.values(), key=str) != sorted(range(expected), key=str):
        found = reprlib.repr(names)
        return None, [f"{file}: must give a name to each number from 0 to {expected - 1}, got {found}"]
    return dict(sorted(names.items(), key=lambda item: item[1])), []


def _find_beside(path: Path, name: str) -> Path | None:
    return next((file for file in (path / name, path.parent / name) if file.exists()), None)


def _read_object(file: Path) -> Mapping[str, Any]:
    try:
        content = read_document(file)
    except InvalidInputError as error:
        raise ValueError("; ".join(map(str, error.problems))) from None
    if not isinstance(content, dict):
        raise ValueError(f"must be an object, {{name: value, ...}}, got {reprlib.repr(content)}")
    return content
