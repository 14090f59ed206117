"""The rows of a dataset as token ids: tokenised or read, cut, and judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from bertnado_config import ArgumentProblem, InvalidInputError

from .dataset_rows import encode_rows, token_problems, used_columns
from .dataset_splits import TRAIN
from .sequence_checks import SequenceSample, sequence_problems
from .sequence_form import SequenceForm
from .stored_tokens import disagreement, framing_tokens, unknown_problem
from .token_rows import show_tokens
from .tokenise import SAMPLE, SEQUENCES, sample_rows, tokenise_split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import datasets
    from bertnado_config import Problem
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

    from .encoded_split import EncodedSplit
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
    load_tokenizer: Callable[[], PreTrainedTokenizerBase],
    pad_token_id: int | None,
    options: SequenceOptions,
) -> DatasetTokens:
    """Tokenise the sequences of a dataset, or read its token ids, and judge them.

    Args:
        stored: The splits as they are on disk, checked by `column_problems`.
        labels: The labels of each split.
        load_tokenizer: Loads the tokenizer of the model. Token ids without letters do without.
        pad_token_id: The token that rows without an `attention_mask` are padded with, if any.
        options: How sequences are written and cut.

    Raises:
        InvalidInputError: The rows cannot be trained on.
    """
    return _Reader(stored, labels, load_tokenizer, pad_token_id, options).read()


class _Reader:
    """Reads the splits of one dataset and collects what is wrong with them."""

    def __init__(
        self,
        stored: Mapping[str, datasets.Dataset],
        labels: Mapping[str, NDArray[Any]],
        load_tokenizer: Callable[[], PreTrainedTokenizerBase],
        pad_token_id: int | None,
        options: SequenceOptions,
    ) -> None:
        self._stored = stored
        self._labels = labels
        self._pad_token_id = pad_token_id
        self._options = options
        self._problems: list[Problem] = []
        self._with_ids = [name for name, split in stored.items() if "input_ids" in split.column_names]
        for name in self._with_ids:
            self._refuse(options.problems_with_token_ids(name))
        is_needed = len(self._with_ids) < len(stored)
        self._tokenizer = load_tokenizer() if is_needed else _load_if_possible(load_tokenizer)

    def read(self) -> DatasetTokens:
        form = SequenceForm(self._options.uppercase, self._options.rna_to_dna)
        splits = {name: self._encode(name, split, form) for name, split in self._stored.items()}
        self._refuse(
            ArgumentProblem("dataset", text) for name, split in splits.items() for text in token_problems(name, split)
        )
        splits = {name: self._shorten(name, split) for name, split in splits.items()}
        self._problems += self._judge(splits, form)
        self._problems += _unused_columns(self._stored)
        self._refuse(())
        return DatasetTokens(splits, self._show_first_row(splits[TRAIN]), tuple(self._problems))

    def _refuse(self, problems: Iterator[Problem] | tuple[()]) -> None:
        """Add problems, and raise an error if there are errors among all of them.

        Raises:
            InvalidInputError: There are.
        """
        self._problems += problems
        errors = [problem for problem in self._problems if problem.severity == "error"]
        if errors:
            raise InvalidInputError(errors)

    def _encode(self, name: str, split: datasets.Dataset, form: SequenceForm) -> EncodedSplit:
        if name in self._with_ids:
            tokenised = split
        else:
            assert self._tokenizer is not None  # noqa: S101  (it was needed, so its absence was an error)
            tokenised = tokenise_split(split, self._tokenizer, form)
        return encode_rows(name, tokenised, self._labels[name], self._pad_token_id)

    def _shorten(self, name: str, split: EncodedSplit) -> EncodedSplit:
        most = self._options.max_length
        beyond = 0 if most is None else int((split.lengths > most).sum())
        if most is None or not beyond:
            return split
        longest = f"the longest has {split.lengths.max()}"
        if self._options.too_long == "truncate":
            message = f"{name}: {beyond} of {len(split)} rows are cut to {most} tokens, {longest}"
            self._problems.append(ArgumentProblem("dataset", message, "warning"))
            return split.shortened(most, framing_tokens(self._tokenizer) if self._tokenizer else ())
        cure = "shorten the sequences, raise {max_length}, or cut them with {too_long} truncate"
        found = f"{beyond} of {len(split)} rows have more tokens than {{max_length}} {most}, {longest}"
        self._problems.append(ArgumentProblem("max_length", f"{name}: {found}; {cure}"))
        return split

    def _judge(self, splits: Mapping[str, EncodedSplit], form: SequenceForm) -> Iterator[Problem]:
        for name in self._with_ids:
            yield from self._judge_ids(name, splits[name])
        if self._tokenizer is not None:
            made = [name for name in splits if name not in self._with_ids]
            samples = {name: _sample(self._stored[name], splits[name], self._tokenizer, form) for name in made}
            yield from sequence_problems(samples)

    def _judge_ids(self, name: str, split: EncodedSplit) -> Iterator[Problem]:
        if self._tokenizer is None:
            return
        unknown = unknown_problem(name, split, self._tokenizer)
        if unknown:
            yield unknown
        if _has_texts(self._stored[name]):
            message = disagreement(self._stored[name], split, self._tokenizer)
            if message:
                yield ArgumentProblem("dataset", f"{name}: {message}")

    def _show_first_row(self, split: EncodedSplit) -> str:
        row = split[0]
        ids = row["input_ids"][row["attention_mask"] == 1].tolist()
        return f"{show_tokens(self._tokenizer, ids)} ({len(ids)} tokens)"


def _load_if_possible(load_tokenizer: Callable[[], PreTrainedTokenizerBase]) -> PreTrainedTokenizerBase | None:
    """Return the tokenizer that token ids are compared with; they can be trained on without."""
    try:
        return load_tokenizer()
    except (InvalidInputError, LookupError):
        return None


def _sample(
    stored: datasets.Dataset, split: EncodedSplit, tokenizer: PreTrainedTokenizerBase, form: SequenceForm
) -> SequenceSample:
    chosen = sample_rows(len(split), SAMPLE)
    columns = stored.select_columns([column for column in SEQUENCES if column in stored.column_names])[chosen]
    tokens = [np.ascontiguousarray(split[row]["input_ids"]).tobytes() for row in chosen]
    return SequenceSample(list(zip(*columns.values(), strict=True)), tokens, tokenizer, form, len(chosen) == len(split))


def _has_texts(stored: datasets.Dataset) -> bool:
    """Return whether a split has sequences for every row."""
    if "sequence" not in stored.column_names:
        return False
    return all(isinstance(text, str) and text for text in stored[:]["sequence"])


def _unused_columns(stored: Mapping[str, datasets.Dataset]) -> Iterator[Problem]:
    unused = {
        column: None
        for split in stored.values()
        for column in split.column_names
        if column not in (*used_columns(split.column_names), *SEQUENCES)
    }
    if unused:
        yield ArgumentProblem("dataset", f"columns not used: {', '.join(unused)}", "warning")
