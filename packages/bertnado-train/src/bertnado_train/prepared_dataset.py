"""A prepared dataset: read from disk, checked, and ready for training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from bertnado_config import ArgumentProblem, InvalidInputError, path_problem

from .dataset_companions import read_class_weights
from .dataset_labels import logits_with_names, positive_class, read_label_names
from .dataset_rows import column_problems
from .dataset_splits import TRAIN, dataset_error, read_splits
from .reverse_complements import ReverseComplements, find_reverse_complements
from .row_cache import open_rows
from .row_preparation import check_rows, prepare_rows, rows_key
from .sequence_options import SequenceOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import datasets
    from bertnado_config import Problem
    from bertnado_metrics import Task
    from transformers import PreTrainedTokenizerBase

    from .encoded_split import EncodedSplit
    from .row_cache import CachedRows


_AS_THEY_ARE = SequenceOptions()


@dataclass(frozen=True)
class PreparedDataset:
    """A dataset as trials train on it."""

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
    reverse_complements: ReverseComplements
    """The reverse complements of the rows."""
    first_row: str = ""
    """The first tokens of the first training row, in words."""
    options: SequenceOptions = _AS_THEY_ARE
    """How its sequences were written and its rows were cut."""
    warnings: tuple[Problem, ...] = ()
    """What is worth knowing before training on it."""
    cache: CachedRows | None = None
    """The files that its rows are mapped from; `None` if they are in memory."""
    are_weights_of_rows: bool = False
    """Whether `class_weights` follow from numbers of rows; otherwise somebody has chosen them."""
    fold: Mapping[str, str] | None = None
    """The `column` and the `group` of a fold; `None` if the splits are those on disk."""

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
            **({"fold": dict(self.fold)} if self.fold else {}),
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
    """Open a Hugging Face `DatasetDict` on disk, whose rows are read, checked and tokenised once, and cached.

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
    tokenizer = _tokenizer_for(stored, task, load_tokenizer, options)
    key = rows_key(stored, task, tokenizer, pad_token_id, options)
    rows, cache = open_rows(
        key,
        lambda store: prepare_rows(stored, task, tokenizer, pad_token_id, options, store),
    )
    label2id, label_problems = read_label_names(path, stored, task, rows.logits)
    logits = logits_with_names(task, rows.logits, label2id)
    weights, weight_problems = read_class_weights(path, task, logits)
    _refuse(label_problems + weight_problems)
    return PreparedDataset(
        path,
        rows.splits,
        logits,
        weights.weights,
        label2id,
        positive_class(task, label2id),
        {name: with_all_classes(counts, logits) for name, counts in rows.classes.items()},
        rows.fingerprint,
        find_reverse_complements(stored, rows.splits, tokenizer, options, key),
        rows.first_row,
        options,
        tuple(rows.warnings),
        cache,
        weights.are_of_rows,
    )


def _tokenizer_for(
    stored: Mapping[str, datasets.Dataset],
    task: Task,
    load_tokenizer: Callable[[], PreTrainedTokenizerBase],
    options: SequenceOptions,
) -> PreTrainedTokenizerBase | None:
    """Return the tokenizer for a dataset; token ids can be trained on without.

    Raises:
        InvalidInputError: It cannot be loaded, or the options do not fit the columns.
    """
    with_ids = [name for name, split in stored.items() if "input_ids" in split.column_names]
    problems = [problem for name in with_ids for problem in options.problems_with_token_ids(name)]
    if problems:
        raise InvalidInputError(problems)
    try:
        return load_tokenizer()
    except (InvalidInputError, LookupError):
        if len(with_ids) == len(stored):
            return None
        check_rows(stored, task)  # what is wrong with the dataset can be corrected with any model
        raise


def with_all_classes(rows: Sequence[int], logits: int) -> tuple[int, ...]:
    """Return the rows of each class, with a 0 for those that only have a name."""
    return (*rows, *[0] * (max(logits, 2) - len(rows))) if rows else ()


def _refuse(problems: Iterable[str]) -> None:
    """Raise an error if there are problems.

    Raises:
        InvalidInputError: There are.
    """
    found = list(problems)
    if found:
        raise dataset_error(*found)
