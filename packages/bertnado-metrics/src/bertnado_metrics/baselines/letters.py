"""Sequences as numbers: the code of each letter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

OTHER, SPACE = 4, 5
"""The codes of a letter that is not one of A, C, G and T, and of white space."""


def _code_table() -> NDArray[np.uint8]:
    table = np.full(256, OTHER, np.uint8)
    for code, letters in enumerate(("Aa", "Cc", "Gg", "TtUu")):
        table[[ord(letter) for letter in letters]] = code
    table[[code for code in range(128) if chr(code).isspace()]] = SPACE
    return table


_TABLE = _code_table()


@dataclass(frozen=True, eq=False)
class Letters:
    """The letters of some sequences as codes: 0 to 3 for A, C, G and T or U, in either case."""

    codes: NDArray[np.uint8]
    """The sequences one after the other, each followed by white space: shape (letters + rows,)."""
    starts: NDArray[np.int64]
    """The offset of each sequence, and the end of the last one: shape (rows + 1,)."""

    @classmethod
    def of(cls, sequences: Sequence[str]) -> Letters:
        """Read sequences."""
        text = "".join(f"{sequence}\n" for sequence in sequences).encode("ascii", "replace")
        ends = np.cumsum([len(sequence) + 1 for sequence in sequences], dtype=np.int64)
        return cls(_TABLE[np.frombuffer(text, np.uint8)], np.concatenate([[0], ends]))

    def counts(self, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return how many of the marked letters are in each sequence.

        Args:
            wanted: Shape (letters + rows,), or shorter if the last ones are not marked.
        """
        return np.diff(self.before(wanted))

    def before(self, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return how many of the marked letters lie before each sequence, and in all: shape (rows + 1,)."""
        sums = np.concatenate([[0], np.cumsum(wanted)])
        return sums[np.minimum(self.starts, len(wanted))]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of letters of each sequence, white space apart: shape (rows,)."""
        return self.counts(self.codes != SPACE)
