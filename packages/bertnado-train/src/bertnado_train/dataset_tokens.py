"""The rows of a dataset as token ids: tokenised or read, cut, and judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from bertnado_config import ArgumentProblem, InvalidInputError

from .dataset_files import row_batches
from .dataset_rows import encode_rows, used_columns
from .dataset_splits import TRAIN
from .sequence_checks import SequenceSample, sequence_problems
from .sequence_form import SequenceForm
from .split_writer import SplitWriter, assemble_split
from .stored_tokens import disagreement, framing_tokens, unknown_problem
from .token_rows import COLUMNS, SAMPLE, SEQUENCES, sample_rows, show_tokens, tokenise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import datasets
    from bertnado_config import Problem
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

    from .encoded_split import EncodedSplit
    from .row_store import RowStore
    from .sequence_options import SequenceOptions


@dataclass(frozen=True)
class DatasetTokens:
    """All splits as token ids, and what is worth a warning."""

    splits: Mapping[str, EncodedSplit]
    first_row: str
    """The first tokens of the first training row, in words."""
    warnings: tuple[Problem, ...]


def read_tokens(
    stored: Mapping[str, datasets.Dataset],
    labels: Mapping[str, NDArray[Any]],
    tokenizer: PreTrainedTokenizerBase | None,
    pad_token_id: int | None,
    options: SequenceOptions,
    store: RowStore,
) -> DatasetTokens:
    """Tokenise the sequences of a dataset, or read its token ids, into a store, and judge them.

    Args:
        stored: The splits as they are on disk, checked by `column_problems` and `sequence_problems`.
        labels: The labels of each split.
        tokenizer: The tokenizer of the model; `None` only if all splits have token ids.
        pad_token_id: The token that rows without an `attention_mask` are padded with, if any.
        options: How sequences are written and cut.
        store: Gets the arrays of all splits; it has those of the labels.

    Raises:
        InvalidInputError: The rows cannot be trained on.
        UnwritableCacheError: The store cannot be written.
    """
    return _Reader(stored, labels, tokenizer, pad_token_id, options, store).read()


@dataclass
class _Findings:
    """What is noticed while the rows of a split are read."""

    rows: int = 0
    empty: list[int] = field(default_factory=list)
    """Rows without tokens."""
    lowest: int = 0
    """The lowest token id."""
    longest: int = 0
    beyond: int = 0
    """Rows with more tokens than a row may have."""
    texts: list[tuple[str, ...]] = field(default_factory=list)
    """The sequences of the rows that are judged."""

    def add(self, part: EncodedSplit, most: int | None) -> None:
        """Look at more rows, before they are cut."""
        self.empty += (self.rows + np.flatnonzero(part.lengths == 0)).tolist()
        self.lowest = min(self.lowest, int(part.tokens.min(initial=0)))
        self.longest = max(self.longest, int(part.lengths.max()))
        self.beyond += 0 if most is None else int((part.lengths > most).sum())
        self.rows += len(part)

    def token_problems(self, name: str) -> Iterator[Problem]:
        """Report rows without tokens, and negative token ids."""
        if self.empty:
            found = f"{len(self.empty)} of {self.rows} rows have no tokens, first row {self.empty[0]}"
            yield ArgumentProblem("dataset", f"{name}: {found}; drop them")
        if self.lowest < 0:
            found = f"token ids must be at least 0, got {self.lowest}"
            yield ArgumentProblem("dataset", f"{name}: {found}; prepare the dataset again")


class _Reader:
    """Reads the splits of one dataset and collects what is wrong with them."""

    def __init__(
        self,
        stored: Mapping[str, datasets.Dataset],
        labels: Mapping[str, NDArray[Any]],
        tokenizer: PreTrainedTokenizerBase | None,
        pad_token_id: int | None,
        options: SequenceOptions,
        store: RowStore,
    ) -> None:
        self._stored = stored
        self._labels = labels
        self._tokenizer = tokenizer
        self._pad_token_id = pad_token_id
        self._options = options
        self._store = store
        self._form = SequenceForm(options.uppercase, options.rna_to_dna)
        self._problems: list[Problem] = []
        self._with_ids = [name for name, split in stored.items() if "input_ids" in split.column_names]

    def read(self) -> DatasetTokens:
        findings = {name: _Findings() for name in self._stored}
        highest = {name: self._write(name, found) for name, found in findings.items()}
        self._refuse(problem for name, found in findings.items() for problem in found.token_problems(name))
        self._problems += [problem for name, found in findings.items() for problem in self._too_long(name, found)]
        arrays = self._store.finish()
        splits = {name: assemble_split(arrays, name, found) for name, found in highest.items()}
        self._problems += self._judge(splits, findings)
        self._problems += _unused_columns(self._stored)
        self._refuse(())
        return DatasetTokens(splits, self._show_first_row(splits[TRAIN]), tuple(self._problems))

    def _refuse(self, problems: Iterable[Problem]) -> None:
        """Add problems, and raise an error if there are errors among all of them.

        Raises:
            InvalidInputError: There are.
        """
        self._problems += problems
        errors = [problem for problem in self._problems if problem.severity == "error"]
        if errors:
            raise InvalidInputError(errors)

    def _write(self, name: str, findings: _Findings) -> int:
        """Write a split into the store, its longer rows cut, and return its highest token id."""
        split, most = self._stored[name], self._options.max_length
        columns = [column for column in COLUMNS if column in split.column_names]
        batches = row_batches(split, columns) if name in self._with_ids else self._tokenised(split, findings)
        closing = framing_tokens(self._tokenizer) if self._tokenizer else ()
        writer = SplitWriter(self._store, name)
        for part in encode_rows(name, batches, self._labels[name], self._pad_token_id):
            findings.add(part, most)
            writer.append(part if most is None or part.lengths.max() <= most else part.shortened(most, closing))
        writer.finish()
        return writer.highest

    def _tokenised(self, split: datasets.Dataset, findings: _Findings) -> Iterator[pa.Table]:
        """Tokenise the sequences of a split, or its pairs, without padding or truncation; keep some for judging."""
        assert self._tokenizer is not None  # noqa: S101  (the caller has one for sequences)
        columns = [column for column in SEQUENCES if column in split.column_names]
        chosen, first = np.array(sample_rows(len(split), SAMPLE)), 0
        for batch in row_batches(split, columns):
            texts = [batch[column].to_pylist() for column in columns]
            made = tokenise(self._tokenizer, *([self._form(text) for text in column] for column in texts))
            yield pa.table({name: pa.array(rows) for name, rows in made.items()})
            places = chosen[(chosen >= first) & (chosen < first + len(batch))] - first
            findings.texts += [tuple(column[place] for column in texts) for place in places]
            first += len(batch)

    def _too_long(self, name: str, findings: _Findings) -> Iterator[Problem]:
        most, rows = self._options.max_length, f"{findings.beyond} of {findings.rows} rows"
        longest = f"the longest has {findings.longest}"
        if not findings.beyond:
            return
        if self._options.too_long == "truncate":
            yield ArgumentProblem("dataset", f"{name}: {rows} are cut to {most} tokens, {longest}", "warning")
            return
        cure = "shorten the sequences, raise {max_length}, or cut them with {too_long} truncate"
        found = f"{rows} have more tokens than {{max_length}} {most}, {longest}"
        yield ArgumentProblem("max_length", f"{name}: {found}; {cure}")

    def _judge(self, splits: Mapping[str, EncodedSplit], findings: Mapping[str, _Findings]) -> Iterator[Problem]:
        if self._tokenizer is None:
            return
        for name in self._with_ids:
            yield from self._judge_ids(name, splits[name], self._tokenizer)
        made = [name for name in splits if name not in self._with_ids]
        yield from sequence_problems(
            {name: _sample(findings[name].texts, splits[name], self._tokenizer, self._form) for name in made}
        )

    def _judge_ids(self, name: str, split: EncodedSplit, tokenizer: PreTrainedTokenizerBase) -> Iterator[Problem]:
        unknown = unknown_problem(name, split, tokenizer)
        if unknown:
            yield unknown
        if _has_texts(self._stored[name]):
            message = disagreement(self._stored[name], split, tokenizer)
            if message:
                yield ArgumentProblem("dataset", f"{name}: {message}")

    def _show_first_row(self, split: EncodedSplit) -> str:
        row = split[0]
        ids = row["input_ids"][row["attention_mask"] == 1].tolist()
        return f"{show_tokens(self._tokenizer, ids)} ({len(ids)} tokens)"


def _sample(
    texts: list[tuple[str, ...]], split: EncodedSplit, tokenizer: PreTrainedTokenizerBase, form: SequenceForm
) -> SequenceSample:
    chosen = sample_rows(len(split), SAMPLE)
    tokens = [split[row]["input_ids"].astype(np.int32).tobytes() for row in chosen]
    return SequenceSample(texts, tokens, tokenizer, form, len(chosen) == len(split))


def _has_texts(stored: datasets.Dataset) -> bool:
    """Return whether a split has sequences for every row."""
    if "sequence" not in stored.column_names:
        return False
    batches = (batch["sequence"].to_pylist() for batch in row_batches(stored, ["sequence"]))
    return all(isinstance(text, str) and text for texts in batches for text in texts)


def _unused_columns(stored: Mapping[str, datasets.Dataset]) -> Iterator[Problem]:
    unused = {
        column: None
        for split in stored.values()
        for column in split.column_names
        if column not in (*used_columns(split.column_names), *SEQUENCES)
    }
    if unused:
        yield ArgumentProblem("dataset", f"columns not used: {', '.join(unused)}", "warning")
