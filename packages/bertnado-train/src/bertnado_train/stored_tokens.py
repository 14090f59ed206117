"""Rows that were tokenised beforehand, compared with what the model's tokenizer says."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from bertnado_config import ArgumentProblem

from .sequence_checks import MOST_UNREAD, NOTICEABLE
from .sequence_form import LONGEST_KMER, SequenceForm, as_kmers, joined
from .token_rows import SAMPLE, SEQUENCES, sample_rows, show_tokens, tokenise

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import datasets
    from transformers import PreTrainedTokenizerBase

    from .encoded_split import EncodedSplit

_COMPARED = 100
"""Rows of a split whose `sequence` is tokenised to compare it with `input_ids`."""


def _upper_kmers(sequence: str, length: int) -> str:
    return as_kmers(sequence.upper(), length)


_FORMS: Sequence[Callable[[str], str]] = (
    str,
    str.upper,
    SequenceForm(rna_to_dna=True),
    SequenceForm(uppercase=True, rna_to_dna=True),
    lambda text: joined(text.upper()),
    *(partial(_upper_kmers, length=length) for length in range(1, LONGEST_KMER + 1)),
)
"""How people write sequences before they tokenise them."""
_CURE = "tokenise the sequences again with the tokenizer of the model"


def unknown_share(split: EncodedSplit, tokenizer: PreTrainedTokenizerBase) -> float:
    """Return the fraction of unknown tokens, special tokens apart; 0 if an unknown token cannot be told from those."""
    unknown = tokenizer.unk_token_id
    special = framing_tokens(tokenizer)
    if unknown is None or unknown in special:
        return 0.0
    sample = split.__getitems__(sample_rows(len(split), SAMPLE))
    tokens = sample.tokens[(sample.attention == 1) & ~np.isin(sample.tokens, list(special))]
    return float((tokens == unknown).mean()) if len(tokens) else 0.0


def framing_tokens(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Return the special tokens with a role besides that of the unknown token."""
    found = {getattr(tokenizer, f"{role}_token_id") for role in ("cls", "sep", "bos", "eos", "pad", "mask")}
    return found - {None}


def unknown_problem(name: str, split: EncodedSplit, tokenizer: PreTrainedTokenizerBase) -> ArgumentProblem | None:
    """Return that many tokens are unknown; an error if they are so many that nothing can be learnt."""
    share = unknown_share(split, tokenizer)
    if share < NOTICEABLE:
        return None
    message = f"{name}: {share:.0%} of the tokens in 'input_ids' are unknown to the tokenizer; {_CURE}"
    return ArgumentProblem("dataset", message, "error" if share > MOST_UNREAD else "warning")


def disagreement(stored: datasets.Dataset, split: EncodedSplit, tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Return the first row whose `input_ids` are not the tokens of its `sequence`, in whichever usual form.

    Special tokens do not count, and either end may have been cut off.
    """
    rows = stored.select_columns([name for name in SEQUENCES if name in stored.column_names])[:_COMPARED]
    special = framing_tokens(tokenizer)
    ids = [split[row]["input_ids"][split[row]["attention_mask"] == 1].tolist() for row in range(len(rows["sequence"]))]
    left = list(range(len(ids)))
    for write in _FORMS:
        made = tokenise(tokenizer, *([write(texts[row]) for row in left] for texts in rows.values()))["input_ids"]
        pairs = zip(left, made, strict=True)
        left = [row for row, tokens in pairs if not _agree(_inner(ids[row], special), _inner(tokens, special))]
        if not left:
            return None
    row = left[0]
    required = tokenise(tokenizer, *([texts[row]] for texts in rows.values()))["input_ids"][0]
    found, required = (show_tokens(tokenizer, tokens, 8) for tokens in (ids[row], required))
    return (
        f"the columns 'input_ids' and 'sequence' do not agree, first in row {row}: {found} is stored, {required} are "
        f"the tokens of the sequence; remove the wrong column: without 'input_ids', sequences are tokenised"
    )


def _inner(ids: Sequence[int], special: Collection[int]) -> list[int]:
    return [number for number in ids if number not in special]


def _agree(stored: list[int], made: list[int]) -> bool:
    """Return whether stored tokens are those that were made, or one end of them."""
    if not stored:
        return not made
    return stored in (made, made[: len(stored)], made[-len(stored) :])
