"""Rows of token ids as a tokenizer makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

COLUMNS = ("input_ids", "attention_mask", "token_type_ids")
"""The columns of token ids."""
SEQUENCES = ("sequence", "sequence2")
"""The columns of sequences: the second one makes pairs."""
SAMPLE = 20_000
"""Rows of a split that are judged, evenly spaced."""


def tokenise(tokenizer: PreTrainedTokenizerBase, *sequences: Sequence[str]) -> dict[str, Any]:
    """Tokenise sequences, or pairs of them, without padding or truncation.

    Args:
        tokenizer: The tokenizer.
        sequences: The sequences; for pairs also their partners.

    Returns:
        `input_ids`, `attention_mask` and, if the tokenizer makes them, `token_type_ids`: a list for each row.
    """
    call: Any = tokenizer  # its signature has the partners second, for any number of columns
    asked = {"return_attention_mask": True, **({"return_token_type_ids": True} if len(sequences) > 1 else {})}
    encoded = call(*map(list, sequences), padding=False, truncation=False, verbose=False, **asked)
    rows = {name: encoded[name] for name in COLUMNS if name in encoded}
    return {"attention_mask": [[1] * len(ids) for ids in rows["input_ids"]]} | rows


def show_tokens(tokenizer: PreTrainedTokenizerBase | None, ids: Sequence[int], most: int = 12) -> str:
    """Return the first tokens of a row and the last: `[CLS] ACGT GGT ... [SEP]`; the ids without a tokenizer."""
    shown = list(ids) if len(ids) <= most else [*ids[: most - 1], ids[-1]]
    named: Any = shown if tokenizer is None else tokenizer.convert_ids_to_tokens([int(number) for number in shown])
    words = [str(word) for word in named]
    if len(ids) > most:
        words.insert(-1, "...")
    return " ".join(words)


def sample_rows(count: int, most: int) -> list[int]:
    """Return the indices of at most `most` of `count` rows, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64)).tolist()
