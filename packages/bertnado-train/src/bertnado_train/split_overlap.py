"""Rows of one split that are also in another: the same sequence, its reverse complement, or the same tokens."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from bertnado_config import ArgumentProblem

from .dataset_files import row_batches
from .dataset_splits import TEST, TRAIN, VALIDATION, read_splits
from .token_letters import Letters, attended_rows, letter_reader
from .token_rows import SEQUENCES

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    import datasets
    import pyarrow as pa
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

    from .prepared_dataset import PreparedDataset

_COMPLEMENT = str.maketrans("ACGTRYKMBVDH", "TGCAYRMKVBHD")


class _Rows(NamedTuple):
    """The rows of a split as numbers that two rows share if they are equal."""

    forward: NDArray[np.int64]
    reverse: NDArray[np.int64] | None
    """The numbers of the reverse complements; `None` if the letters are unknown."""


def overlap_problems(dataset: PreparedDataset, tokenizer: PreTrainedTokenizerBase | None) -> list[ArgumentProblem]:
    """Warn of rows of `validation` and `test` that are also in another split.

    Args:
        dataset: The dataset, whose directory is read again.
        tokenizer: The tokenizer of the model, with which the letters of token ids are read.
    """

    def find() -> list[str]:
        rows = _compared(dataset, tokenizer)
        pairs = [(first, second) for first, second in combinations((TRAIN, VALIDATION, TEST), 2) if second in rows]
        messages = [_describe(second, rows[second], first, rows[first]) for first, second in pairs]
        return [message for message in messages if message]

    name = "overlap" if tokenizer is not None else "overlap_of_ids"
    messages = find() if dataset.cache is None else dataset.cache.remembered(name, find)
    return [ArgumentProblem("dataset", message, "warning") for message in messages]


def _describe(name: str, rows: _Rows, other: str, others: _Rows) -> str | None:
    is_same = np.isin(rows.forward, others.forward)
    is_reverse = np.zeros_like(is_same) if rows.reverse is None else np.isin(rows.reverse, others.forward) & ~is_same
    found = is_same | is_reverse
    if not found.any():
        return None
    strands = f" ({is_reverse.sum():,} of them as reverse complements)" if is_reverse.any() else ""
    row = int(found.argmax())
    number = rows.forward[row] if is_same[row] or rows.reverse is None else rows.reverse[row]
    twin = int((others.forward == number).argmax())
    consequence = (
        "choosing by validation is then partly choosing by test"
        if VALIDATION in (other, name) and TEST in (other, name)
        else f"{name} then overstates what a model does with new sequences"
    )
    return (
        f"{found.sum():,} of {len(found):,} {name} rows are also in {other}{strands}, first row {row} of {name}, "
        f"row {twin} of {other}; {consequence}; remove them from one of the two"
    )


def _compared(dataset: PreparedDataset, tokenizer: PreTrainedTokenizerBase | None) -> dict[str, _Rows]:
    """Return the rows of all splits by what can be compared in all: sequences, letters of tokens, or token ids."""
    stored = read_splits(dataset.path)
    if all(SEQUENCES[0] in split.column_names and _is_whole(split) for split in stored.values()):
        return {name: _numbered(_sequences_of(split), name) for name, split in stored.items()}
    read = None if tokenizer is None else letter_reader(dataset.splits[TRAIN], tokenizer)
    if read is not None:
        return {name: _numbered(map(read, attended_rows(split)), name) for name, split in dataset.splits.items()}
    return {
        name: _Rows(_numbers(row.tobytes() for row in attended_rows(split)), None)
        for name, split in dataset.splits.items()
    }


def _is_whole(split: datasets.Dataset) -> bool:
    table: pa.Table = split.with_format("arrow")[:]
    return not any(table[column].null_count for column in SEQUENCES if column in split.column_names)


def _sequences_of(split: datasets.Dataset) -> Iterator[Letters]:
    columns = [column for column in SEQUENCES if column in split.column_names]
    for batch in row_batches(split, columns):
        texts = ([text.upper().replace("U", "T") for text in column.to_pylist()] for column in batch.columns)
        yield from zip(*texts, strict=True)


def _numbered(rows: Iterable[Letters], name: str) -> _Rows:
    """Number the rows of a split, and their reverse complements, which are not needed of `train`."""
    if name == TRAIN:
        return _Rows(_numbers(rows), None)
    both = ((row, tuple(text.translate(_COMPLEMENT)[::-1] for text in row)) for row in rows)
    flat = _numbers(letters for pair in both for letters in pair)
    return _Rows(flat[::2], flat[1::2])


def _numbers(rows: Iterable[Hashable]) -> NDArray[np.int64]:
    """Return a hash of 64 bits for each row: among 10 million rows, two are mistaken once in 400,000 datasets."""
    return np.fromiter((hash(row) for row in rows), dtype=np.int64)
