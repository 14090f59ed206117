"""Rows to predict as token ids, checked for what would make their predictions meaningless."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from bertnado_config import ArgumentProblem, InvalidInputError

from .dataset_rows import encode_rows
from .padding import choose_padding
from .sequence_checks import SequenceSample, sequence_problems
from .sequence_files import input_error
from .token_rows import tokenise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .encoded_split import EncodedSplit
    from .prediction_model import OpenedModel
    from .sequence_files import SequenceRow
    from .sequence_form import SequenceForm


def encode_texts(
    rows: Sequence[SequenceRow],
    texts: Sequence[tuple[str, ...]],
    model: OpenedModel,
    judged: SequenceForm | None = None,
) -> EncodedSplit:
    """Tokenise sequences as in training.

    Args:
        rows: The rows.
        texts: Their sequences as the tokenizer gets them; for pairs, two of each row.
        model: The model with its tokenizer.
        judged: How sequences were written, to judge by these rows how the tokenizer reads them; None not to judge.

    Raises:
        InvalidInputError: The tokenizer does not read them, or is missing.
    """
    tokenizer = model.tokenizer
    if tokenizer is None:
        cure = "pass a dataset with the column 'input_ids' that was prepared with its tokenizer"
        raise input_error(f"{str(model.directory)!r} has no tokenizer, so sequences cannot be predicted; {cure}")
    made = tokenise(tokenizer, *zip(*texts, strict=True))
    encoded = _encode(pa.table({name: pa.array(lists) for name, lists in made.items()}), model, rows)
    if judged is not None:
        tokens = [encoded[row]["input_ids"].astype(np.int32).tobytes() for row in range(len(encoded))]
        found = sequence_problems({"sequences": SequenceSample(list(texts), tokens, tokenizer, judged)})
        _refuse_errors(found)
    return encoded


def encode_tokens(rows: Sequence[SequenceRow], model: OpenedModel) -> EncodedSplit:
    """Read rows that were tokenised beforehand.

    Raises:
        InvalidInputError: They are not rows of token ids of this model.
    """
    return _encode(pa.concat_tables([row.tokens for row in rows]), model, rows)


def _encode(table: pa.Table, model: OpenedModel, rows: Sequence[SequenceRow]) -> EncodedSplit:
    declared = choose_padding(model.model.config, model.tokenizer).declared
    try:
        (encoded,) = encode_rows("the input", [table], np.zeros(len(rows), np.float32), declared)
    except InvalidInputError as error:
        raise InvalidInputError([_of_input(problem) for problem in error.problems]) from error
    empty = np.flatnonzero(encoded.lengths == 0)
    if len(empty):
        row = rows[int(empty[0])]
        raise input_error(f"the sequence {row.id!r} ({row.place}) has no tokens; remove it")
    embeddings: Any = model.model.get_input_embeddings()
    vocabulary = len(embeddings.weight) if hasattr(embeddings, "weight") else None
    if vocabulary is not None and encoded.highest_token >= vocabulary:
        found = f"token id {encoded.highest_token} is outside the model's vocabulary of {vocabulary}"
        raise input_error(f"{found}; prepare the rows with the model's own tokenizer")
    return encoded


def _refuse_errors(problems: Sequence[Any]) -> None:
    errors = [_of_input(problem) for problem in problems if problem.severity == "error"]
    if errors:
        raise InvalidInputError(errors)


def _of_input(problem: Any) -> Any:
    """Return a problem of a dataset as one of the input."""
    is_argument = isinstance(problem, ArgumentProblem) and problem.path == "dataset"
    return replace(problem, path="input") if is_argument else problem
