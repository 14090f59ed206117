"""The options of a person for the rows of a dataset: how sequences are written, and how long rows may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from bertnado_config import ArgumentProblem, TooLong

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class SequenceOptions:
    """How sequences are written before they are tokenised, and how many tokens a row may have."""

    uppercase: bool = False
    """Write them in upper case."""
    rna_to_dna: bool = False
    """Write T for U."""
    max_length: int | None = None
    """The most tokens of a row, special tokens included; `None` for no limit."""
    too_long: TooLong = "error"
    """What becomes of a row with more tokens."""

    def problems(self) -> Iterator[ArgumentProblem]:
        """Report values that mean nothing."""
        most = self.max_length
        if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
            yield ArgumentProblem("max_length", f"{{max_length}} must be an integer of at least 1, got {most!r}")
        choices = get_args(TooLong)
        if self.too_long not in choices:
            message = f"unknown {{too_long}} {self.too_long!r}; choose from {', '.join(choices)}"
            yield ArgumentProblem("too_long", message)
        elif self.too_long == "truncate" and most is None:
            yield ArgumentProblem("too_long", "{too_long} truncate requires {max_length}: the most tokens of a row")

    def problems_with_token_ids(self, name: str) -> Iterator[ArgumentProblem]:
        """Report options that change letters, for a split that has `input_ids`."""
        for option in ("uppercase", "rna_to_dna"):
            if getattr(self, option):
                why = f"{{{option}}} changes letters, but the split {name!r} has token ids, which are used as they are"
                cure = "tokenise it again, or remove the column 'input_ids' and keep 'sequence'"
                yield ArgumentProblem(option, f"{why}; {cure}")
