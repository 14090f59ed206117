"""What makes a tokenizer read sequences that it does not know, found by trying."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .letter_reading import unread_share
from .sequence_form import LONGEST_KMER, T_FOR_U, as_kmers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers import PreTrainedTokenizerBase

_U_FOR_T = str.maketrans("Tt", "Uu")
_ENOUGH = 0.5
"""A cure leaves at most this fraction of the letters that were not read."""
_OWN_FORM = "write the sequences as the model's tokenizer expects, or use the tokenizer that belongs to the model"

_REWRITINGS: Sequence[tuple[Callable[[str], str], str]] = (
    (str.upper, "they are in lower case; write them in upper case with {uppercase}"),
    (lambda text: text.translate(T_FOR_U), "they are RNA; write T for U with {rna_to_dna}"),
    (
        lambda text: text.upper().translate(T_FOR_U),
        "they are RNA in lower case; write them as DNA with {uppercase} and {rna_to_dna}",
    ),
    (str.lower, "the tokenizer knows lower case alone; write the sequences in lower case"),
    (lambda text: text.translate(_U_FOR_T), "the tokenizer knows U instead of T; write U for T"),
)


def find_cure(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> str:
    """Return what to do about texts that a tokenizer mostly does not know."""
    if _turns_to_lower_case(tokenizer):
        return (
            "the tokenizer turns letters into lower case, and its vocabulary is in capitals; "
            'set "do_lower_case": false in its tokenizer_config.json'
        )
    limit = unread_share(tokenizer, texts) * _ENOUGH
    for rewrite, cure in _REWRITINGS:
        if unread_share(tokenizer, [rewrite(text) for text in texts]) < limit:
            return cure
    return (
        _kmer_cure(tokenizer, texts, limit)
        or _kmer_cure(tokenizer, [text.upper() for text in texts], limit, "in upper case, ")
        or _OWN_FORM
    )


def _kmer_cure(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], limit: float, also: str = "") -> str | None:
    def unread(length: int) -> float:
        return unread_share(tokenizer, [as_kmers(text, length) for text in texts])

    length = min(range(1, LONGEST_KMER + 1), key=unread)
    if unread(length) >= limit:
        return None
    return (
        f"the tokenizer reads k-mers (k = {length}) between spaces; write each sequence s {also}as "
        f"' '.join(s[i:i + {length}] for i in range(len(s) - {length - 1}))"
    )


def _turns_to_lower_case(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether no letter of a sequence can be in the vocabulary because all are turned into lower case before."""
    normalizer = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None)
    lowers = bool(getattr(tokenizer, "do_lower_case", False))
    if normalizer is not None:
        lowers = normalizer.normalize_str("ACGT") == "acgt"
    words = [word for word in tokenizer.get_vocab() if word not in tokenizer.all_special_tokens]
    return lowers and not any(character.islower() for word in words for character in word)
