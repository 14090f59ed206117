"""A prepared dataset: read from disk, checked, and ready for training."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from bertnado_config import ArgumentProblem, InvalidInputError, path_problem

from .class_coverage import count_classes
from .dataset_companions import read_class_weights
from .dataset_labels import logits_with_names, positive_class, read_label_names, read_labels
from .dataset_rows import column_problems, width_problems
from .dataset_splits import TRAIN, dataset_error, read_splits
from .dataset_tokens import read_tokens
from .sequence_options import SequenceOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bertnado_config import Problem
    from bertnado_metrics import Task
    from transformers import PreTrainedTokenizerBase

    from .encoded_split import EncodedSplit


_AS_THEY_ARE = SequenceOptions()


@dataclass(frozen=True)
class PreparedDataset:
    """A dataset in memory, as trials train on it."""

    path: Path
    splits: Mapping[str, EncodedSplit]
    """`train`, `validation` and, optionally, `test`."""
    logits: int
    """The number of outputs that a model needs for these labels."""
    class_weights: tuple[float, ...] | None
    """From `class_weights.json`: one weight per class, or the weight of the positive class of a binary task."""
    label2id: Mapping[str, int] | None
    """The number of each class by its name, from `label2id.json` or a `ClassLabel` column."""
    positive_class: Mapping[str, Any] | None
    """The `label` and the `name` of the positive class, if the task has one."""
    classes: Mapping[str, tuple[int, ...]]
    """The rows of each class, or with each label of a multilabel task, by split; empty tuples for a regression."""
    fingerprint: str
    """A hash of the rows, independent of the directory."""
    first_row: str = ""
    """The first tokens of the first training row, in words."""
    options: SequenceOptions = _AS_THEY_ARE
    """How its sequences were written and its rows were cut."""
    warnings: tuple[Problem, ...] = ()
    """What is worth knowing before training on it."""

    @property
    def summary(self) -> dict[str, Any]:
        """The record of the dataset, ready for JSON."""
        return {
            "path": str(self.path),
            "fingerprint": self.fingerprint,
            "rows": {name: len(split) for name, split in self.splits.items()},
            **({"classes": dict(self.classes)} if any(self.classes.values()) else {}),
            "median_tokens": int(np.median(self.splits[TRAIN].lengths)),
            "class_weights": self.class_weights,
            "positive_class": self.positive_class,
            **({"options": asdict(self.options)} if self.options != _AS_THEY_ARE else {}),
        }


def dataset_name_problem(path: Path | str) -> ArgumentProblem | None:
    """Return why no dataset can have that path, or `None` if one can."""
    problem = path_problem(path, "the directory that save_to_disk wrote")
    return ArgumentProblem("dataset", f"{{dataset}} {problem}") if problem else None


def open_dataset(
    path: Path | str,
    task: Task,
    load_tokenizer: Callable[[], PreTrainedTokenizerBase],
    pad_token_id: int | None,
    options: SequenceOptions = _AS_THEY_ARE,
) -> PreparedDataset:
    """Read a Hugging Face `DatasetDict` from disk; sequences are tokenised once and cached.

    Args:
        path: The directory that `DatasetDict.save_to_disk` wrote.
        task: The task that the labels belong to.
        load_tokenizer: Loads the model's tokenizer. A dataset of `input_ids` is read without if this fails.
        pad_token_id: The token that rows without an `attention_mask` are padded with, if any.
        options: How sequences are written, and how many tokens a row may have.

    Raises:
        InvalidInputError: The dataset cannot be used; it has everything that is wrong with it.
    """
    problems = [problem for problem in (dataset_name_problem(path), *options.problems()) if problem]
    if problems:
        raise InvalidInputError(problems)
    path = Path(path)
    stored = read_splits(path)
    _refuse(problem for name, split in stored.items() for problem in column_problems(name, split))
    labels = read_labels(stored, task)
    _refuse(width_problems(labels))
    tokens = read_tokens(stored, labels, load_tokenizer, pad_token_id, options)
    splits = tokens.splits
    logits = task.logit_count(np.concatenate([split.labels for split in splits.values()]))
    label2id, label_problems = read_label_names(path, stored, task, logits)
    logits = logits_with_names(task, logits, label2id)
    class_weights, weight_problems = read_class_weights(path, task, logits)
    _refuse(label_problems + weight_problems)
    return PreparedDataset(
        path,
        splits,
        logits,
        class_weights,
        label2id,
        positive_class(task, label2id),
        {name: count_classes(task, split.labels, logits) for name, split in splits.items()},
        _fingerprint(splits),
        tokens.first_row,
        options,
        tokens.warnings,
    )


def _refuse(problems: Iterable[str]) -> None:
    """Raise an error if there are problems.

    Raises:
        InvalidInputError: There are.
    """
    found = list(problems)
    if found:
        raise dataset_error(*found)


def _fingerprint(splits: Mapping[str, EncodedSplit]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, split in splits.items():
        digest.update(name.encode())
        types = () if split.types is None else (split.types,)
        for array in (split.tokens, split.mask, split.starts, split.labels, *types):
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()
