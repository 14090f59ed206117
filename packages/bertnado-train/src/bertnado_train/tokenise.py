"""Tokenisation of DNA sequences, once per dataset and tokenizer."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import datasets.config

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_logger = logging.getLogger(__name__)


def tokenise_split(split: datasets.Dataset, tokenizer: PreTrainedTokenizerBase) -> datasets.Dataset:
    """Add `input_ids` and `attention_mask` for the column `sequence`, without padding or truncation.

    The result is cached in the cache directory of `datasets` under a hash of the sequences and the tokenizer. A cache
    that cannot be written is a warning, not an error.
    """

    def encode(batch: dict[str, list[str]]) -> dict[str, Any]:
        encoded = tokenizer(batch["sequence"], padding=False, truncation=False, verbose=False)
        return {name: encoded[name] for name in ("input_ids", "attention_mask")}

    key = _cache_key(split, tokenizer)
    directory = Path(datasets.config.HF_DATASETS_CACHE) / "bertnado"
    keep: dict[str, Any] = {"cache_file_name": str(directory / f"{key}.arrow")}
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _logger.warning("the tokenised sequences are not cached: %s", error)
        keep = {"keep_in_memory": True}
    return split.map(encode, batched=True, new_fingerprint=key, desc="tokenising", **keep)


def _cache_key(split: datasets.Dataset, tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash everything that determines the result: the rows and the tokenizer."""
    digest = hashlib.blake2b(digest_size=16)
    for chunk in split.with_format("arrow")[:]["sequence"].chunks:
        for text in chunk.to_pylist():
            digest.update(text.encode() + b"\n")
    backend = getattr(tokenizer, "backend_tokenizer", None)
    described = backend.to_str() if backend is not None else repr(sorted(tokenizer.get_vocab().items()))
    digest.update(f"{type(tokenizer).__name__}{tokenizer.init_kwargs!r}{described}".encode())
    digest.update(str(split.column_names).encode())
    return digest.hexdigest()
