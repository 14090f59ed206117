"""The form in which sequences are tokenised, and forms that they may be written in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

T_FOR_U = str.maketrans("Uu", "Tt")
"""For `str.translate`: DNA for RNA, in either case."""
LONGEST_KMER = 8
"""The longest k-mers that people write sequences in."""


@dataclass(frozen=True)
class SequenceForm:
    """Rewrites the letters of sequences before they are tokenised.

    Nothing else is rewritten: what the model's tokenizer makes of a sequence is what the saved model will be given.
    """

    uppercase: bool = False
    rna_to_dna: bool = False

    def __call__(self, sequence: str) -> str:
        """Return the sequence as the tokenizer gets it."""
        written = sequence.upper() if self.uppercase else sequence
        return written.translate(T_FOR_U) if self.rna_to_dna else written


def joined(sequence: str) -> str:
    """Return the sequence without white space."""
    return "".join(sequence.split())


def as_kmers(sequence: str, length: int) -> str:
    """Return the overlapping k-mers of a sequence, separated by spaces; a shorter one is its only word."""
    letters = joined(sequence)
    return " ".join(letters[start : start + length] for start in range(max(len(letters) - length + 1, 1)))


def is_overlapping(words: Sequence[str]) -> bool:
    """Return whether words are overlapping k-mers, each one letter further than the one before."""
    return (
        len(words) > 2
        and 1 < len(words[0]) <= LONGEST_KMER
        and all(word[:-1] == before[1:] for before, word in pairwise(words))
    )
