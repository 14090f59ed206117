"""The labels of a dataset: the numbers that a loss takes, and the names of their classes."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import pyarrow as pa
from bertnado_config.number_parsing import read_words

from .dataset_companions import read_label2id
from .dataset_splits import TRAIN, dataset_error
from .row_store import chunks

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from bertnado_metrics import Task
    from numpy.typing import NDArray

    from .row_store import RowStore

_FEW = 5
"""More names than this are not shown."""


def read_labels(stored: Mapping[str, datasets.Dataset], task: Task, store: RowStore) -> dict[str, NDArray[Any]]:
    """Read the labels of each split into a store, in the type that the task's loss takes.

    Numbers and booleans that are stored as text are read, and so are lists of one label each if the task takes one.

    Raises:
        InvalidInputError: Some are not labels of the task, or some rows have more labels than others.
        UnwritableCacheError: The store cannot be written.
    """
    read = {name: _store_labels(name, split, task, store) for name, split in stored.items()}
    labels = {name: found for name, found in read.items() if found is not None}
    problems = [problem for name in stored if name not in labels for problem in _problems(name, stored[name], task)]
    problems = problems or _width_problems(labels)
    if problems:
        raise dataset_error(*problems)
    return labels


def count_logits(task: Task, labels: NDArray[Any]) -> int:
    """Return the number of logits that these labels need; part by part, because checking them takes memory."""
    return max(task.logit_count(part) for part in chunks(labels))


def read_label_names(
    path: Path, stored: Mapping[str, datasets.Dataset], task: Task, logits: int
) -> tuple[Mapping[str, int] | None, list[str]]:
    """Return the number of each class by its name, if the dataset names them, and what is wrong with the names.

    Args:
        path: The directory of the dataset, with or without a `label2id.json`.
        stored: The splits, whose labels may be of the type `ClassLabel`.
        task: The task.
        logits: The number of logits that the labels require. A multiclass dataset may name more classes.
    """
    is_open = _may_name_more(task)
    from_file, problems = read_label2id(path, max(logits, 2), is_open=is_open)
    from_feature, more = _class_label_names(stored, task, max(logits, 2), is_open=is_open)
    problems += more
    if from_file and from_feature and from_file != from_feature:
        both = f"{_shown(from_file)} in label2id.json, {_shown(from_feature)} in the ClassLabel column"
        problems.append(f"class names must be the same everywhere, got {both}; correct one of them, or remove the file")
    return from_file or from_feature, problems


def logits_with_names(task: Task, logits: int, label2id: Mapping[str, int] | None) -> int:
    """Return the number of logits if each named class has one, whether or not a row belongs to it."""
    return max(logits, len(label2id or ())) if _may_name_more(task) else logits


def positive_class(task: Task, label2id: Mapping[str, int] | None) -> dict[str, Any] | None:
    """Return the label and, if it has one, the name of the positive class; `None` if the task has none."""
    if not task.has_positive_class:
        return None
    return {"label": 1, "name": next((name for name, number in (label2id or {}).items() if number == 1), None)}


def _may_name_more(task: Task) -> bool:
    """Return whether a dataset may name classes that no row belongs to: the model gets a logit for each."""
    return task.problem_type == "single_label_classification"


def _store_labels(name: str, split: datasets.Dataset, task: Task, store: RowStore) -> NDArray[Any] | None:
    """Read the labels of a split as arrays of numbers; `None` if some are not labels of the task."""
    column: pa.ChunkedArray = split.with_format("arrow")[:]["labels"]
    written, shapes = store.array(f"{name}.labels", task.label_dtype), set[tuple[int, ...]]()
    for chunk in filter(len, column.chunks):
        labels = _numbers(chunk)
        if labels is not None and labels.shape[1:] == (1,) and 2 not in task.label_format.dimensions:
            labels = labels[:, 0]
        if labels is None or task.check_labels(labels) or shapes - {labels.shape[1:]}:
            return None
        shapes.add(labels.shape[1:])
        written.append(labels)
    return written.finish()


def _numbers(values: pa.Array) -> NDArray[Any] | None:
    """Return values, or lists of equal length, as an array; `None` if some are missing or not numbers."""
    if values.null_count or not len(values):
        return None
    kind = values.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return values.to_numpy(zero_copy_only=False)
    if _is_list(kind):
        items, each = _numbers(values.flatten()), len(values.flatten()) // len(values)
        is_even = pa.types.is_fixed_size_list(kind) or (values.value_lengths().to_numpy() == each).all()
        return items.reshape(len(values), each, *items.shape[1:]) if items is not None and is_even else None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        encoded = values.dictionary_encode()
        words = read_words(encoded.dictionary.to_pylist())[0]
        is_read = all(isinstance(word, int | float) for word in words)
        return np.asarray(words)[encoded.indices.to_numpy()] if is_read else None
    return None


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _problems(name: str, split: datasets.Dataset, task: Task) -> list[str]:
    """Describe the labels of a split, some of which are not those of the task."""
    column: pa.ChunkedArray = split.with_format("arrow")[:]["labels"]
    labels: list[Any] = read_words(column.to_pylist())[0] if _holds_text(column.type) else column.to_pylist()
    takes_lists = 2 in task.label_format.dimensions
    if not takes_lists and all(isinstance(label, list) and len(label) == 1 for label in labels):
        labels = [label[0] for label in labels]
    problems = [f"{name}: {problem}" for problem in task.check_labels(labels)]
    assert problems  # noqa: S101  (otherwise they would have been read)
    return problems


def _holds_text(kind: pa.DataType) -> bool:
    while _is_list(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _width_problems(labels: Mapping[str, NDArray[Any]]) -> list[str]:
    """Report the splits whose rows have more or fewer labels than those of `train`."""
    required = labels[TRAIN].shape[1:]
    return [
        f"{name}: its rows have {math.prod(read.shape[1:])} labels, those of train {math.prod(required)}; "
        f"give all rows the same labels in the same order"
        for name, read in labels.items()
        if read.shape[1:] != required
    ]


def _class_label_names(
    stored: Mapping[str, datasets.Dataset], task: Task, classes: int, *, is_open: bool
) -> tuple[Mapping[str, int] | None, list[str]]:
    """Return the names in the `ClassLabel` features of the splits, which must agree."""
    features = {name: _single_feature(split.features["labels"]) for name, split in stored.items()}
    named = {name: feature.names for name, feature in features.items() if isinstance(feature, datasets.ClassLabel)}
    if not named or not task.uses_class_weights:
        return None, []
    (first, names), *others = named.items()
    for name, other in others:
        if other != names:
            both = f"{_shown(names)} in {first}, {_shown(other)} in {name}"
            cure = "cast the column of all splits to one ClassLabel before the names become numbers"
            return None, [f"the ClassLabel columns of all splits must have the same names, got {both}; {cure}"]
    if names == [str(number) for number in range(len(names))]:  # made from a number of classes alone
        return None, []
    if len(names) < classes:
        return None, [f"the ClassLabel column must name at least {classes} classes, got {_shown(names)}"]
    return {name: number for number, name in enumerate(names if is_open else names[:classes])}, []


def _single_feature(feature: Any) -> Any:
    """Return the feature of the labels, also if each row is a list of one."""
    return getattr(feature, "feature", feature)


def _shown(names: Collection[str]) -> str:
    shown = ", ".join(f"{name!r:.30}" for name in itertools.islice(names, _FEW))
    return f"[{shown}, ...]" if len(names) > _FEW else f"[{shown}]"
