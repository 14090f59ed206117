"""Tokenisation of DNA sequences, once per dataset and tokenizer."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import datasets.config
import numpy as np
import pyarrow as pa

from .token_rows import tokenise
from .tokenizer_identity import tokenizer_identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

    from .sequence_form import SequenceForm

_logger = logging.getLogger(__name__)

SEQUENCES = ("sequence", "sequence2")
"""The columns of sequences: the second one makes pairs."""
SAMPLE = 20_000
"""Rows of a split that are judged, evenly spaced."""
_COMPARED = 64
"""Rows whose tokens tell one tokenizer from another."""


def tokenise_split(split: datasets.Dataset, tokenizer: PreTrainedTokenizerBase, form: SequenceForm) -> datasets.Dataset:
    """Tokenise the column `sequence`, or the pairs of `sequence` and `sequence2`, without padding or truncation.

    The result is cached in the cache directory of `datasets` under a hash of the sequences, their form and what the
    tokenizer does. A cache that cannot be written is a warning, not an error.

    Returns:
        A dataset with the columns of `token_rows.tokenise`.
    """
    columns = [column for column in SEQUENCES if column in split.column_names]

    def encode(batch: dict[str, list[str]]) -> dict[str, Any]:
        return tokenise(tokenizer, *([form(text) for text in batch[column]] for column in columns))

    key = _cache_key(split, columns, tokenizer, form)
    directory = Path(datasets.config.HF_DATASETS_CACHE) / "bertnado"
    keep: dict[str, Any] = {"cache_file_name": str(directory / f"{key}.arrow")}
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _logger.warning("the tokenised sequences are not cached: %s", error)
        keep = {"keep_in_memory": True}
    return split.map(
        encode, batched=True, remove_columns=split.column_names, new_fingerprint=key, desc="tokenising", **keep
    )


def sample_rows(count: int, most: int) -> list[int]:
    """Return the indices of at most `most` of `count` rows, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64)).tolist()


def _cache_key(
    split: datasets.Dataset, columns: Sequence[str], tokenizer: PreTrainedTokenizerBase, form: SequenceForm
) -> str:
    """Hash everything that determines the result: the rows, their form and the tokenizer."""
    digest = hashlib.blake2b(digest_size=16)
    for column in columns:
        digest.update(column.encode())
        _hash_texts(digest, split, column)
    sample = split[sample_rows(len(split), _COMPARED)]
    digest.update(repr(form).encode())
    digest.update(tokenizer_identity(tokenizer, [[form(text) for text in sample[column]] for column in columns]))
    return digest.hexdigest()


def _hash_texts(digest: Any, split: datasets.Dataset, column: str) -> None:
    """Hash the texts of a column, independently of how they are divided into chunks."""
    table: pa.Table = split.with_format("arrow")[:]
    lengths = hashlib.blake2b(digest_size=16)
    for chunk in table[column].cast(pa.large_string()).chunks:
        offsets = np.frombuffer(chunk.buffers()[1], dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        lengths.update(np.diff(offsets).tobytes())
        data = chunk.buffers()[2]
        if data is not None and len(offsets):
            digest.update(memoryview(data)[offsets[0] : offsets[-1]])
    digest.update(lengths.digest())
