"""The letters of sequences that a tokenizer turns into unknown tokens, or leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

CODES = 256
"""Letters are counted by their Latin-1 code; every other character counts as a question mark."""

_IS_SPACE = np.array([chr(code).isspace() for code in range(CODES)])


@dataclass(frozen=True)
class LetterReading:
    """How often each letter occurs in some sequences, and how often no known token contains it."""

    seen: NDArray[np.int64]
    """Shape (CODES,)."""
    unread: NDArray[np.int64]
    """Shape (CODES,)."""

    @property
    def share(self) -> float:
        """The fraction of the letters that no known token contains."""
        return float(self.unread.sum() / max(self.seen.sum(), 1))

    @property
    def causes(self) -> NDArray[np.bool_]:
        """The letters that are mostly not read, shape (CODES,)."""
        return 2 * self.unread > self.seen


def encoded(text: str) -> NDArray[np.uint8]:
    """Return the codes of the characters of a text."""
    return np.frombuffer(text.encode("latin-1", "replace"), dtype=np.uint8)


def read_letters(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> LetterReading:
    """Tokenise texts, and count the letters that known tokens contain and those that they do not."""
    seen, unread = np.zeros(CODES, np.int64), np.zeros(CODES, np.int64)
    masks = _masks_by_offset(tokenizer, texts) if tokenizer.is_fast else (_mask_by_piece(tokenizer, t) for t in texts)
    for text, is_read in zip(texts, masks, strict=True):
        codes = encoded(text)
        counts = ~_IS_SPACE[codes]
        seen += np.bincount(codes[counts], minlength=CODES)
        unread += np.bincount(codes[counts & ~is_read], minlength=CODES)
    return LetterReading(seen, unread)


def unread_share(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> float:
    """Return the fraction of the letters that become unknown or are left out."""
    return read_letters(tokenizer, texts).share


def _masks_by_offset(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[NDArray[np.bool_]]:
    """Return for each text which characters known tokens contain; the tokenizer says where its tokens lie."""
    found: Any = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    masks: list[NDArray[np.bool_]] = []
    for text, ids, offsets in zip(texts, found["input_ids"], found["offset_mapping"], strict=True):
        spans = np.asarray(offsets, dtype=np.int64).reshape(-1, 2)[_are_known(tokenizer, ids)]
        edges = np.zeros(len(text) + 1, np.int64)
        np.add.at(edges, spans[:, 0], 1)
        np.add.at(edges, spans[:, 1], -1)
        masks.append(np.cumsum(edges)[:-1] > 0)
    return masks


def _are_known(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> NDArray[np.bool_]:
    unknown = tokenizer.unk_token_id
    return np.asarray(ids, dtype=np.int64) != (-1 if unknown is None else unknown)


def _mask_by_piece(tokenizer: PreTrainedTokenizerBase, text: str) -> NDArray[np.bool_]:
    """Return which characters known tokens contain; the pieces of the text say where they lie.

    If the pieces are not the text, with or without its spaces, the first letters stand for the known tokens: their
    number is right, their places are not.
    """
    pieces = tokenizer.tokenize(text)
    ids: Any = tokenizer.convert_tokens_to_ids(pieces)
    known = _are_known(tokenizer, ids)
    lengths = [len(piece) for piece in pieces]
    is_letter = np.array([not character.isspace() for character in text], dtype=bool)
    by_letter = np.repeat(known, lengths) if pieces else np.zeros(0, bool)
    if len(by_letter) == len(text):
        return by_letter
    is_read = np.zeros(len(text), dtype=bool)
    letters = int(is_letter.sum())
    if len(by_letter) != letters:
        by_letter = np.arange(letters) < round(letters * (known.mean() if len(known) else 0.0))
    is_read[is_letter] = by_letter
    return is_read
