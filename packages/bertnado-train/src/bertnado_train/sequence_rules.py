"""Rules for the letters of sequences to predict: what is rewritten, refused, and counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bertnado_config import ArgumentProblem, InvalidInputError

from .sequence_form import T_FOR_U, SequenceForm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bertnado_config import EmptyTreatment, LetterTreatment

    from .sequence_files import SequenceRow

AMBIGUOUS = "RYSWKMBDHV"
"""The IUPAC codes of two or three bases."""
_KNOWN = frozenset("ACGTUN" + AMBIGUOUS)
_EITHER_CASE = frozenset(AMBIGUOUS + AMBIGUOUS.lower())
_EXAMPLES, _EXAMPLE_LETTERS = 20, 1000


@dataclass(frozen=True)
class SequenceRules:
    """How sequences are written before they are tokenised, and which are refused."""

    form: SequenceForm
    ambiguous: LetterTreatment = "keep"
    other: LetterTreatment = "error"
    empty: EmptyTreatment = "error"


@dataclass
class _Found:
    """The numbers of sequences with letters of each kind."""

    counts: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """A few sequences of each kind, as they were read."""

    def add(self, kind: str, text: str) -> None:
        """Count one sequence."""
        self.counts[kind] += 1
        kept = self.examples.setdefault(kind, [])
        if len(kept) < _EXAMPLES:
            kept.append(text[:_EXAMPLE_LETTERS])


class SequenceWriter:
    """Writes sequences as the tokeniser gets them, and counts what it finds."""

    def __init__(self, rules: SequenceRules, name: str) -> None:
        """Begin with nothing found.

        Args:
            rules: The rules.
            name: The input, for messages.
        """
        self._rules = rules
        self._name = name
        self.found = _Found()

    def write(self, row: SequenceRow) -> tuple[str, ...] | None:
        """Return the sequences of a row as the tokeniser gets them; None for a row that is skipped.

        Raises:
            InvalidInputError: A rule refuses it.
        """
        if row.tokens is not None:
            return ()
        if any(not text.strip() for text in row.texts):
            if self._rules.empty == "error":
                raise self._refused(
                    row, "is empty; remove it, or write a row without a prediction with {empty} skip", "empty"
                )
            self.found.add("empty", "")
            return None
        return tuple(self._write(row, text) for text in row.texts)

    def _write(self, row: SequenceRow, text: str) -> str:
        """Count and rewrite the letters of one sequence."""
        letters = set(text)
        if any(letter.islower() for letter in letters):
            self.found.add("lower", text)
        if not letters.isdisjoint("Uu"):
            self.found.add("u", text)
        ambiguous = letters & _EITHER_CASE
        others = {letter for letter in letters if letter.upper() not in _KNOWN and not letter.isspace()}
        text = self._treat(row, text, ambiguous, "ambiguous_letters", self._rules.ambiguous)
        text = self._treat(row, text, others, "other_letters", self._rules.other)
        return self._rules.form(text)

    def _treat(self, row: SequenceRow, text: str, letters: set[str], option: str, how: LetterTreatment) -> str:
        if not letters:
            return text
        if how == "error":
            first = next(letter for letter in text if letter in letters)
            kind = "the ambiguous letter" if option == "ambiguous_letters" else "the character"
            cure = f"write N in the place of such letters with {{{option}}} n, or leave them with {{{option}}} keep"
            raise self._refused(row, f"contains {kind} {first!r} at position {text.index(first) + 1}; {cure}", option)
        self.found.add(option.partition("_")[0], text)
        if how == "keep":
            return text
        return text.translate({ord(letter): "n" if letter.islower() else "N" for letter in letters})

    def _refused(self, row: SequenceRow, problem: str, option: str) -> InvalidInputError:
        message = f"{self._name}: the sequence {row.id!r} ({row.place}) {problem}"
        return InvalidInputError([ArgumentProblem(option, message)])

    def notes(self, rows: int, changes_tokens: Callable[[Sequence[str], Callable[[str], str]], bool]) -> Iterator[str]:
        """Say what was found, and what was done about it; `{name}` stands for an option.

        Args:
            rows: The number of rows.
            changes_tokens: Returns whether rewriting sequences gives other tokens.
        """
        form, rules = self._rules.form, self._rules
        for kind, (rewrite, other, cure) in _REWRITINGS.items():
            is_done = form.uppercase if kind == "lower" else form.rna_to_dna
            if is_done:
                yield from self._note(kind, f"{_NAMES[kind]} in", rows, f"is written as {other}")
            elif changes_tokens(self.found.examples.get(kind, ()), rewrite):
                why = f"is left as it is, which gives other tokens than {other}; {cure}"
                yield from self._note(kind, f"{_NAMES[kind]} in", rows, why)
        yield from self._note("ambiguous", f"ambiguous letters ({AMBIGUOUS}) in", rows, _DONE[rules.ambiguous])
        yield from self._note("other", "characters other than nucleotide codes in", rows, _DONE[rules.other])
        yield from self._note("empty", "", rows, "are empty and have no prediction")

    def _note(self, kind: str, what: str, rows: int, words: str) -> Iterator[str]:
        if count := self.found.counts[kind]:
            yield f"{what} {count:,} of {rows:,} sequences {words}".strip()


_NAMES = {"lower": "lower case", "u": "U"}
_REWRITINGS: Mapping[str, tuple[Callable[[str], str], str, str]] = {
    "lower": (str.upper, "upper case", "write upper case with {uppercase}"),
    "u": (lambda text: text.translate(T_FOR_U), "T", "if the model is one of DNA, write T with {rna_to_dna}"),
}
_DONE = {"keep": "are left as they are", "n": "are written as N", "error": "are refused"}


def reverse_complement(text: str) -> str:
    """Return the sequence of the other strand, IUPAC codes and case included; RNA if it contains U and no T.

    White space between words stays between them, and characters other than nucleotide codes stay what they are.
    """
    is_rna = not set(text).isdisjoint("Uu") and set(text).isdisjoint("Tt")
    return text.translate(_RNA_COMPLEMENTS if is_rna else _DNA_COMPLEMENTS)[::-1]


_DNA_COMPLEMENTS = str.maketrans("ACGTURYSWKMBDHVacgturyswkmbdhv", "TGCAAYRSWMKVHDBtgcaayrswmkvhdb")
_RNA_COMPLEMENTS = _DNA_COMPLEMENTS | str.maketrans("Aa", "Uu")
