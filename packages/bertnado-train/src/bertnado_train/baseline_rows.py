"""The rows of a prepared dataset as baselines take them: letters, the token ids of the model, and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from bertnado_metrics.baselines import MOST_EVALUATED, MOST_TRAINED, Rows, sampled_rows

from .dataset_splits import TRAIN, read_splits
from .sequence_form import is_overlapping, joined
from .token_letters import attended_rows, letter_reader
from .token_rows import SEQUENCES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import datasets
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

    from .encoded_split import EncodedSplit
    from .prepared_dataset import PreparedDataset


def baseline_rows(dataset: PreparedDataset, tokenizer: PreTrainedTokenizerBase | None) -> dict[str, Rows]:
    """Return the rows of each split, of a large one some that are drawn at random, the same each time.

    Args:
        dataset: The dataset, whose directory is read again.
        tokenizer: The tokenizer of the model, with which the letters of token ids are read.

    Returns:
        The rows by split. Their sequences are `None` if there are token ids alone, and not every letter can be read.
    """
    most = {name: MOST_TRAINED if name == TRAIN else MOST_EVALUATED for name in dataset.splits}
    chosen = {name: sampled_rows(len(split), most[name]) for name, split in dataset.splits.items()}
    parts = {name: dataset.splits[name].__getitems__(rows.tolist()) for name, rows in chosen.items()}
    sequences = _stored_sequences(dataset, chosen) or _read_sequences(parts, tokenizer) or {}
    return {name: _rows(part, sequences.get(name), len(dataset.splits[name])) for name, part in parts.items()}


def _rows(part: EncodedSplit, sequences: Sequence[str] | None, total: int) -> Rows:
    attended = part.attention == 1
    starts = np.concatenate([[0], np.cumsum(attended)])[part.starts]
    return Rows(part.labels, sequences, part.tokens[attended], starts, total)


def _stored_sequences(dataset: PreparedDataset, chosen: Mapping[str, NDArray[np.int64]]) -> dict[str, list[str]] | None:
    """Return the sequences that the dataset has; `None` if some rows of it have none."""
    stored = read_splits(dataset.path)
    found = {name: _texts(stored[name], rows) for name, rows in chosen.items()}
    texts = {name: rows for name, rows in found.items() if rows is not None}
    return texts if len(texts) == len(found) else None


def _texts(split: datasets.Dataset, chosen: NDArray[np.int64]) -> list[str] | None:
    columns = [column for column in SEQUENCES if column in split.column_names]
    if SEQUENCES[0] not in columns:
        return None
    rows = split.select_columns(columns)[chosen.tolist()]
    texts = list(zip(*rows.values(), strict=True))
    if not all(isinstance(text, str) for pair in texts for text in pair):
        return None
    return [" ".join(map(_plain, pair)) for pair in texts]


def _plain(text: str) -> str:
    """Return the letters of a text, which may be written as overlapping k-mers."""
    words = text.split()
    return words[0] + "".join(word[-1] for word in words[1:]) if is_overlapping(words) else joined(text)


def _read_sequences(
    parts: Mapping[str, EncodedSplit], tokenizer: PreTrainedTokenizerBase | None
) -> dict[str, list[str]] | None:
    """Return the letters that token ids stand for; `None` if some cannot be told."""
    read = None if tokenizer is None else letter_reader(parts[TRAIN], tokenizer)
    if tokenizer is None or read is None:
        return None
    unknown = tokenizer.unk_token_id
    if any((part.tokens == unknown).any() for part in parts.values()):
        return None
    return {name: [_plain(" ".join(read(row))) for row in attended_rows(part)] for name, part in parts.items()}
