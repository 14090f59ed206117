"""Sequences that a tokenizer does not read well: errors where nothing can be learnt, otherwise warnings with counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from bertnado_config import ArgumentProblem

from .letter_reading import LetterReading, read_letters, unread_share
from .reading_cures import find_cure
from .sequence_form import T_FOR_U, is_overlapping, joined
from .sequence_letters import CODES_OF, LetterCounts, count_letters, total
from .token_rows import show_tokens, tokenise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bertnado_config import Problem
    from transformers import PreTrainedTokenizerBase

    from .sequence_form import SequenceForm
    from .sequence_letters import Kind

MOST_UNREAD = 0.4
"""The largest fraction of letters or rows that may be lost. Beyond it, ties of rows with the same tokens, broken by
rounding, shape every metric."""
NOTICEABLE = 0.02
"""The fraction of letters from which unknown ones are reported: N alone may be unknown."""
_READ = 1000
"""Sequences of a split that are tokenised once more to see which letters are lost."""
_TRIED = 50
"""Sequences that are tokenised in several forms."""


@dataclass(frozen=True)
class SequenceSample:
    """Some rows of a split, evenly spaced."""

    rows: Sequence[tuple[str, ...]]
    """The sequences of each row: one, or the two of a pair."""
    tokens: Sequence[bytes]
    """The token ids of each row, as bytes of int32."""
    tokenizer: PreTrainedTokenizerBase
    form: SequenceForm
    is_all: bool = True
    """True if these are all rows of the split."""

    @cached_property
    def sequences(self) -> list[str]:
        """The sequences of all rows, as the tokenizer gets them."""
        return [self.form(text) for row in self.rows for text in row]

    @cached_property
    def counts(self) -> LetterCounts:
        """Their letters."""
        return count_letters(self.sequences)

    @cached_property
    def reading(self) -> LetterReading:
        """What becomes of their letters."""
        step = -(-len(self.sequences) // _READ)
        return read_letters(self.tokenizer, self.sequences[::step])

    def with_letters(self, kind: Kind) -> list[str]:
        """Return a few sequences with letters of a kind."""
        letters = {chr(code) for code in np.flatnonzero(CODES_OF[kind])}
        return [text for text in self.sequences if not letters.isdisjoint(text)][:_TRIED]


def sequence_problems(samples: Mapping[str, SequenceSample]) -> list[Problem]:
    """Report what a tokenizer makes of sequences: errors for each split, and, if there are none, warnings."""
    errors = [f"{name}: {problem}" for name, sample in samples.items() for problem in _errors(sample)]
    if errors:
        return [ArgumentProblem("dataset", message) for message in errors]
    warnings = [f"{name}: {problem}" for name, sample in samples.items() for problem in _unknown_letters(sample)]
    warnings += _letter_warnings(samples) if samples else []
    return [ArgumentProblem("dataset", message, "warning") for message in warnings]


def _errors(sample: SequenceSample) -> Iterator[str]:
    if _misreads_kmers(sample):
        how = "overlapping k-mers between spaces"
        yield f"the sequences are written as {how}, which the model's tokenizer does not read; write whole sequences"
        return
    first = sample.rows[0]
    if len(first) > 1 and _ids(sample, *first) == _ids(sample, first[0]):
        yield "the model's tokenizer takes no pairs, it leaves out 'sequence2'; remove this column"
    lost = sample.reading.share
    same, example = _same_tokens(sample)
    if max(lost, same) <= MOST_UNREAD:
        return
    cure = find_cure(sample.tokenizer, sample.sequences[:_TRIED])
    if same >= lost:
        yield f"{same:.0%} of the different sequences share their tokens with others, for example {example}; {cure}"
    else:
        listed = sample.counts.listed(sample.reading.causes)
        yield f"{lost:.0%} of the sequences' letters are unknown to the tokenizer ({listed}); {cure}"


def _misreads_kmers(sample: SequenceSample) -> bool:
    """Return whether there are overlapping k-mers that do not become one token each."""
    words = [text.split() for text in sample.sequences if is_overlapping(text.split())][:_TRIED]
    return any(len(sample.tokenizer.tokenize(" ".join(found))) != len(found) for found in words)


def _ids(sample: SequenceSample, *row: str) -> list[int]:
    return tokenise(sample.tokenizer, *([sample.form(text)] for text in row))["input_ids"][0]


def _same_tokens(sample: SequenceSample) -> tuple[float, str]:
    """Return the fraction of different rows that have the tokens of another one, and the commonest tokens."""
    distinct = {tuple(map(sample.form, row)): tokens for row, tokens in zip(sample.rows, sample.tokens, strict=True)}
    groups = Counter(distinct.values())
    tokens, _ = groups.most_common(1)[0]
    shared = sum(count for count in groups.values() if count > 1)
    return shared / len(distinct), show_tokens(sample.tokenizer, np.frombuffer(tokens, np.int32).tolist())


def _unknown_letters(sample: SequenceSample) -> Iterator[str]:
    if sample.reading.share < NOTICEABLE:
        return
    causes = sample.counts.listed(sample.reading.causes)
    because = causes or find_cure(sample.tokenizer, sample.sequences[:_TRIED])
    yield f"{sample.reading.share:.0%} of the sequences' letters are unknown to the tokenizer: {because}"


def _letter_warnings(samples: Mapping[str, SequenceSample]) -> Iterator[str]:
    counts = total(sample.counts for sample in samples.values())
    unread = np.sum([sample.reading.unread for sample in samples.values()], axis=0)
    for kind, describe in _DESCRIPTIONS.items():
        found = counts.of(kind)
        message = describe(kind, samples, counts, bool(np.any(unread[CODES_OF[kind]]))) if found else None
        if message:
            noun = "character" if kind in ("space", "other") else "letter"
            yield f"{found:,} {noun}{'s' * (found > 1)} in {_places(samples, kind)} {message}"


def _places(samples: Mapping[str, SequenceSample], kind: Kind) -> str:
    """Return the sequences with letters of a kind: `12 of 96 sequences of train, 3 of 40 of test`."""
    found = {name: sample for name, sample in samples.items() if sample.counts.holders[kind]}
    parts: list[str] = []
    for name, sample in found.items():
        noun = f"{'' if sample.is_all else 'sampled '}{'' if parts else 'sequences '}"
        parts.append(f"{sample.counts.holders[kind]:,} of {sample.counts.sequences:,} {noun}of {name}")
    return ", ".join(parts)


def _changes_tokens(samples: Mapping[str, SequenceSample], kind: Kind, rewrite: Callable[[str], str]) -> bool:
    """Return whether rewriting sequences with letters of a kind gives other tokens."""
    for sample in samples.values():
        texts = sample.with_letters(kind)
        rewritten = [rewrite(text) for text in texts]
        if tokenise(sample.tokenizer, texts)["input_ids"] != tokenise(sample.tokenizer, rewritten)["input_ids"]:
            return True
    return False


def _lower(kind: Kind, samples: Mapping[str, SequenceSample], counts: LetterCounts, unread: bool) -> str | None:
    if not _changes_tokens(samples, kind, str.upper):
        return None
    how = "which the tokenizer does not know" if unread else "which gives other tokens than upper case"
    return f"are in lower case (soft-masked), {how}; write upper case with {{uppercase}}"


def _u(kind: Kind, samples: Mapping[str, SequenceSample], counts: LetterCounts, unread: bool) -> str | None:
    if not _changes_tokens(samples, kind, lambda text: text.translate(T_FOR_U)):
        return None
    how = "which the tokenizer does not know" if unread else "which gives other tokens than T"
    return f"are U (RNA), {how}; if the model is one of DNA, write T with {{rna_to_dna}}"


def _iupac(kind: Kind, samples: Mapping[str, SequenceSample], counts: LetterCounts, unread: bool) -> str | None:
    listed = counts.listed(CODES_OF[kind])
    cure = "replace them by N, or drop these sequences"
    return f"are IUPAC codes that the tokenizer does not know ({listed}); {cure}" if unread else None


def _space(kind: Kind, samples: Mapping[str, SequenceSample], counts: LetterCounts, unread: bool) -> str | None:
    if any(_separates_words(sample) for sample in samples.values()) or not _changes_tokens(samples, kind, joined):
        return None
    return "are white space, which changes the tokens; write each sequence s as ''.join(s.split())"


def _separates_words(sample: SequenceSample) -> bool:
    """Return whether the tokenizer loses letters without the white space."""
    texts = sample.with_letters("space")
    without = unread_share(sample.tokenizer, [joined(text) for text in texts])
    return without > unread_share(sample.tokenizer, texts) + NOTICEABLE


def _other(kind: Kind, samples: Mapping[str, SequenceSample], counts: LetterCounts, unread: bool) -> str | None:
    listed = counts.listed(CODES_OF[kind])
    return f"are not nucleotide codes, and unknown to the tokenizer ({listed}); remove them" if unread else None


_DESCRIPTIONS: Mapping[Kind, Callable[[Kind, Mapping[str, SequenceSample], LetterCounts, bool], str | None]] = {
    "lower": _lower,
    "u": _u,
    "iupac": _iupac,
    "space": _space,
    "other": _other,
}
