"""The letters of rows of token ids, read with a tokenizer that keeps them all."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .dataset_files import BATCH
from .sequence_form import is_overlapping
from .stored_tokens import framing_tokens
from .token_rows import sample_rows, tokenise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

    from .encoded_split import EncodedSplit

Letters = tuple[str, ...]
"""The sequences of a row in upper case and as DNA: one, or the two of a pair."""
_MARKS = ("##", "Ġ", "▁")
"""What tokenizers put before a token that continues or begins a word."""
_TRIED = 20
"""Rows whose letters are tokenised again, to see that they were read right."""


def attended_rows(split: EncodedSplit) -> Iterator[NDArray[np.int32]]:
    """Iterate over the token ids that the model attends to."""
    for first in range(0, len(split), BATCH):
        part = split.__getitems__(range(first, min(first + BATCH, len(split))))
        attended = part.attention == 1
        tokens = part.tokens[attended].astype(np.int32)
        ends = np.concatenate([[0], np.cumsum(attended)])[part.starts]
        yield from (tokens[begin:end] for begin, end in pairwise(ends.tolist()))


def letter_reader(
    split: EncodedSplit, tokenizer: PreTrainedTokenizerBase
) -> Callable[[NDArray[np.int32]], Letters] | None:
    """Return a function that spells a row of token ids out; `None` if the letters cannot be told."""
    special = framing_tokens(tokenizer)
    words = {number: "" if number in special else _bare(word) for word, number in tokenizer.get_vocab().items()}
    sample = [split.__getitems__([row]) for row in sample_rows(len(split), _TRIED)]
    rows = [row.tolist() for part in sample for row in attended_rows(part)]
    for separator in ("", " "):
        texts = [separator.join(word for number in row if (word := words.get(number, ""))) for row in rows]
        if separator and not all(is_overlapping(text.split()) for text in texts):
            return None
        again = tokenise(tokenizer, texts)["input_ids"]
        pairs = zip(rows, again, strict=True)
        if all([n for n in row if n not in special] == [n for n in made if n not in special] for row, made in pairs):
            return lambda row: (separator.join(filter(None, map(words.get, row.tolist()))).upper(),)
    return None


def _bare(word: str) -> str:
    for mark in _MARKS:
        word = word.removeprefix(mark)
    return word
