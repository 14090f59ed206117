"""The letters of sequences by kind: lower case, U, IUPAC codes, N, white space and others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from .letter_reading import CODES, encoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

Kind = Literal["lower", "u", "iupac", "n", "space", "other"]

_LETTERS: Mapping[Kind, str] = {
    "lower": "abcdefghijklmnopqrstuvwxyz",
    "u": "U",
    "iupac": "RYSWKMBDHV",
    "n": "N",
    "space": " \t\n\v\f\r",
}
_BASES = "ACGT"


def _codes(letters: str) -> NDArray[np.bool_]:
    chosen = np.zeros(CODES, dtype=bool)
    chosen[encoded(letters)] = True
    return chosen


CODES_OF: Mapping[Kind, NDArray[np.bool_]] = {
    **{kind: _codes(letters) for kind, letters in _LETTERS.items()},
    "other": ~_codes(_BASES + "".join(_LETTERS.values())),
}
"""The Latin-1 codes of each kind: shape (CODES,). U is both in `u` and, as `u`, in `lower`."""


@dataclass(frozen=True)
class LetterCounts:
    """The letters of some sequences."""

    codes: NDArray[np.int64]
    """How often each Latin-1 code occurs: shape (CODES,)."""
    holders: Mapping[Kind, int]
    """The number of sequences that contain each kind."""
    sequences: int
    """The number of sequences."""

    def of(self, kind: Kind) -> int:
        """Return how often letters of a kind occur."""
        return int(self.codes[CODES_OF[kind]].sum())

    def listed(self, chosen: NDArray[np.bool_], most: int = 8) -> str:
        """Return the commonest of the chosen letters with their counts: `'R' 12, 'Y' 3`."""
        found = [code for code in np.argsort(-self.codes, kind="stable") if chosen[code] and self.codes[code]]
        return ", ".join(f"{chr(code)!r} {self.codes[code]:,}" for code in found[:most])

    def __add__(self, other: LetterCounts) -> LetterCounts:
        holders: dict[Kind, int] = {kind: count + other.holders[kind] for kind, count in self.holders.items()}
        return LetterCounts(self.codes + other.codes, holders, self.sequences + other.sequences)


def count_letters(sequences: Sequence[str]) -> LetterCounts:
    """Count the letters of sequences.

    Args:
        sequences: At least one sequence, none of them empty.
    """
    texts = [encoded(text) for text in sequences]
    letters = np.concatenate(texts)
    starts = np.cumsum([0, *map(len, texts[:-1])])
    codes = np.bincount(letters, minlength=CODES)
    holders: dict[Kind, int] = {
        kind: int(np.logical_or.reduceat(chosen[letters], starts).sum()) if codes[chosen].any() else 0
        for kind, chosen in CODES_OF.items()
    }
    return LetterCounts(codes, holders, len(texts))


def total(counts: Iterable[LetterCounts]) -> LetterCounts:
    """Return the sum of at least one count."""
    first, *others = counts
    for other in others:
        first += other
    return first
