"""The reverse complements of the sequences of a dataset, tokenised once and cached beside its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
from bertnado_config import ArgumentProblem, InvalidInputError

from .dataset_files import row_batches
from .dataset_rows import encode_rows
from .row_cache import PreparedRows, open_rows
from .row_preparation import hash_rows
from .row_store import chunks
from .sequence_form import SequenceForm
from .sequence_rules import reverse_complement
from .split_writer import SplitWriter, assemble_split
from .stored_tokens import framing_tokens
from .token_rows import tokenise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import datasets
    from transformers import PreTrainedTokenizerBase

    from .encoded_split import EncodedSplit
    from .row_store import RowStore
    from .sequence_options import SequenceOptions


@dataclass(frozen=True)
class ReverseComplements:
    """The reverse complements of all rows, read when they are first needed."""

    read: Callable[[], PreparedRows]
    problem: str | None = None
    """Why the rows have none."""

    @cached_property
    def rows(self) -> PreparedRows:
        """The reverse complements by split, in the order of the rows.

        Raises:
            InvalidInputError: They have more tokens than a row may have.
            ValueError: The rows have none.
        """
        if self.problem:
            raise ValueError(self.problem)
        return self.read()

    def rearranged(
        self, arrange: Callable[[Mapping[str, EncodedSplit]], dict[str, EncodedSplit]]
    ) -> ReverseComplements:
        """Return those of a dataset whose rows are divided into other splits.

        Args:
            arrange: Returns the new splits, from the old ones; for the rows themselves it was the same function.
        """
        return ReverseComplements(lambda: replace(self.rows, splits=arrange(self.rows.splits)), self.problem)


def find_reverse_complements(
    stored: Mapping[str, datasets.Dataset],
    splits: Mapping[str, EncodedSplit],
    tokenizer: PreTrainedTokenizerBase | None,
    options: SequenceOptions,
    key: str,
) -> ReverseComplements:
    """Return the reverse complements of rows.

    Args:
        stored: The splits as they are on disk.
        splits: Their rows.
        tokenizer: The tokenizer that made the rows of sequences.
        options: How sequences are written, and how many tokens a row may have.
        key: The name of the rows in the cache.
    """

    def prepare(store: RowStore) -> PreparedRows:
        assert tokenizer is not None  # noqa: S101  (there are sequences, see `_column_problem`)
        return _Preparation(tokenizer, options, store).prepare(stored, splits)

    return ReverseComplements(
        lambda: open_rows(f"{key}-reverse-complements", prepare)[0],
        next((problem for name, split in stored.items() if (problem := _column_problem(name, split))), None),
    )


def _column_problem(name: str, split: datasets.Dataset) -> str | None:
    rule = "reverse_complement must be none unless each row is one sequence"
    cure = "or remove reverse_complement"
    if "input_ids" in split.column_names:
        ids = f"the split {name!r} has token ids (input_ids)"
        return f"{rule}, and {ids}; keep the column 'sequence' in their place, {cure}"
    if "sequence2" in split.column_names:
        return f"{rule}, and the split {name!r} has pairs (sequence2); join them to one sequence, {cure}"
    return None


@dataclass(frozen=True)
class _Preparation:
    """Tokenises reverse complements part by part."""

    tokenizer: PreTrainedTokenizerBase
    options: SequenceOptions
    store: RowStore

    def prepare(self, stored: Mapping[str, datasets.Dataset], splits: Mapping[str, EncodedSplit]) -> PreparedRows:
        """Write the reverse complements of all splits into the store.

        Raises:
            InvalidInputError: Some have more tokens than a row may have.
        """
        highest = {name: self._write(name, split, splits[name]) for name, split in stored.items()}
        arrays = self.store.finish()
        made = {name: assemble_split(arrays, name, found) for name, found in highest.items()}
        return PreparedRows(made, 0, {}, hash_rows(made), "", ())

    def _write(self, name: str, stored: datasets.Dataset, rows: EncodedSplit) -> int:
        """Write those of a split, and return their highest token id."""
        labels = self.store.array(f"{name}.labels", rows.labels.dtype)
        for part in chunks(rows.labels):
            labels.append(part)
        writer, most, longest, beyond = SplitWriter(self.store, name), self.options.max_length, 0, 0
        for part in encode_rows(name, self._tokenised(stored), rows.labels, None):
            longest = max(longest, int(part.lengths.max()))
            beyond += 0 if most is None else int((part.lengths > most).sum())
            writer.append(part if most is None else part.shortened(most, framing_tokens(self.tokenizer)))
        writer.finish()
        if beyond and self.options.too_long == "error":
            found = f"reverse complements of {beyond} of {len(rows)} rows have more tokens than {{max_length}} {most}"
            cure = "raise {max_length}, cut them with {too_long} truncate, or remove reverse_complement"
            problem = f"{name}: {found}, the longest has {longest}; {cure}"
            raise InvalidInputError([ArgumentProblem("max_length", problem)])
        return writer.highest

    def _tokenised(self, stored: datasets.Dataset) -> Iterator[pa.Table]:
        form = SequenceForm(self.options.uppercase, self.options.rna_to_dna)
        for batch in row_batches(stored, ["sequence"]):
            turned = [reverse_complement(form(text)) for text in batch["sequence"].to_pylist()]
            yield pa.table({name: pa.array(rows) for name, rows in tokenise(self.tokenizer, turned).items()})
