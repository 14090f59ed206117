"""Reading the rows of a dataset for the first time, and what determines the result."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from .class_coverage import count_classes
from .dataset_files import content_hashes, file_state, split_files
from .dataset_labels import count_logits, read_labels
from .dataset_rows import sequence_problems
from .dataset_splits import dataset_error
from .dataset_tokens import read_tokens
from .row_cache import PreparedRows
from .row_store import RowStore, chunks
from .sequence_form import SequenceForm
from .token_rows import SEQUENCES, sample_rows
from .tokenizer_identity import tokenizer_identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    import datasets
    from bertnado_metrics import Task
    from transformers import PreTrainedTokenizerBase

    from .encoded_split import EncodedSplit
    from .sequence_options import SequenceOptions

_log = logging.getLogger(__name__)

_FORMAT = 1
"""To be raised with every change of what is made of the same rows."""
_COMPARED = 64
"""Rows of a split whose tokens tell one tokenizer from another."""


def rows_key(
    stored: Mapping[str, datasets.Dataset],
    task: Task,
    tokenizer: PreTrainedTokenizerBase | None,
    pad_token_id: int | None,
    options: SequenceOptions,
) -> str:
    """Return a hash of everything that determines what `prepare_rows` returns."""
    made_of = {
        "format": _FORMAT,
        "files": content_hashes(stored),
        "task": task.name,
        "tokenizer": None if tokenizer is None else _identity(tokenizer, stored, options).hex(),
        "pad_token_id": pad_token_id,
        "options": asdict(options),
    }
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:32]


def _identity(
    tokenizer: PreTrainedTokenizerBase, stored: Mapping[str, datasets.Dataset], options: SequenceOptions
) -> bytes:
    """Hash what a tokenizer does with some of the sequences, if there are any."""
    form, samples = SequenceForm(options.uppercase, options.rna_to_dna), list[tuple[str, ...]]()
    for split in stored.values():
        columns = [column for column in SEQUENCES if column in split.column_names]
        if "input_ids" not in split.column_names:
            chosen = split.select_columns(columns)[sample_rows(len(split), _COMPARED)]
            samples += zip(*([form(text) for text in texts] for texts in chosen.values()), strict=True)
    return tokenizer_identity(tokenizer, list(zip(*samples, strict=True)))


def check_rows(stored: Mapping[str, datasets.Dataset], task: Task) -> None:
    """Read what can be read without a tokenizer.

    Raises:
        InvalidInputError: Sequences are empty, or labels are not those of the task.
    """
    _require_sequences(stored)
    read_labels(stored, task, RowStore())


def prepare_rows(
    stored: Mapping[str, datasets.Dataset],
    task: Task,
    tokenizer: PreTrainedTokenizerBase | None,
    pad_token_id: int | None,
    options: SequenceOptions,
    store: RowStore,
) -> PreparedRows:
    """Read, check and tokenise the rows of a dataset part by part.

    Args:
        stored: The splits as they are on disk, checked by `column_problems`.
        task: The task that the labels belong to.
        tokenizer: The tokenizer of the model; `None` only if all splits have token ids.
        pad_token_id: The token that rows without an `attention_mask` are padded with, if any.
        options: How sequences are written, and how many tokens a row may have.
        store: Gets the rows.

    Raises:
        InvalidInputError: The dataset cannot be used; it has everything that is wrong with it.
        UnwritableCacheError: The store cannot be written.
    """
    _log.info("reading %s rows", f"{sum(map(len, stored.values())):,}")
    before = _file_states(stored)
    _require_sequences(stored)
    labels = read_labels(stored, task, store)
    tokens = read_tokens(stored, labels, tokenizer, pad_token_id, options, store)
    logits = max(count_logits(task, split.labels) for split in tokens.splits.values())
    rows = PreparedRows(
        tokens.splits,
        logits,
        {name: count_classes(task, split.labels, logits) for name, split in tokens.splits.items()},
        hash_rows(tokens.splits),
        tokens.first_row,
        tokens.warnings,
    )
    if _file_states(stored) != before:
        raise dataset_error("a file changed while it was read; run this again when the dataset is written")
    return rows


def _require_sequences(stored: Mapping[str, datasets.Dataset]) -> None:
    problems = [problem for name, split in stored.items() for problem in sequence_problems(name, split)]
    if problems:
        raise dataset_error(*problems)


def _file_states(stored: Mapping[str, datasets.Dataset]) -> list[dict[str, int]]:
    return [file_state(file) for split in stored.values() for file in split_files(split)]


def hash_rows(splits: Mapping[str, EncodedSplit]) -> str:
    """Hash the rows, in types that do not depend on how they are stored."""
    digest = hashlib.blake2b(digest_size=16)
    for name, split in splits.items():
        digest.update(name.encode())
        _update(digest, split.tokens, np.int32)
        if split.mask is None:
            for part in chunks(split.tokens):
                digest.update(np.ones(len(part), np.uint8).data)
        else:
            _update(digest, split.mask, np.uint8)
        _update(digest, split.starts, np.int64)
        _update(digest, split.labels, split.labels.dtype)
        if split.types is not None:
            _update(digest, split.types, np.uint8)
    return digest.hexdigest()


def _update(digest: Any, values: Any, dtype: Any) -> None:
    for part in chunks(values):
        digest.update(np.ascontiguousarray(part, dtype).view(np.uint8).data)
