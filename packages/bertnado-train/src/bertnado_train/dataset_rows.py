"""The rows of a split, checked and read into flat arrays."""

from __future__ import annotations

import math
import reprlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from bertnado_metrics import nearest

from .dataset_splits import TRAIN, dataset_error
from .encoded_split import EncodedSplit
from .token_rows import COLUMNS
from .tokenise import SEQUENCES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import datasets
    from numpy.typing import NDArray

_OTHER_LABEL_NAMES = ("target", "targets", "class", "category", "y")
_OTHER_SEQUENCE_NAMES = ("seq", "seqs", "dna", "dna_sequence", "text")


def column_problems(name: str, split: datasets.Dataset) -> list[str]:
    """Report missing columns and values, and sequences that no tokenizer accepts."""
    columns = split.column_names
    problems = [problem for problem in (_missing_labels(columns), _missing_tokens(columns)) if problem]
    used = [column for column in used_columns(columns) if column in columns]
    table: pa.Table = split.with_format("arrow")[:] if used else pa.table({})
    problems += [
        f"{table[column].null_count} of {len(table)} rows have no value in the column {column!r}; drop them"
        for column in used
        if table[column].null_count
    ]
    if not problems and "input_ids" not in columns:
        problems += [problem for name in SEQUENCES if name in columns for problem in _sequence_problems(name, table)]
    return [f"{name}: {problem}" for problem in problems]


def used_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that a split with these columns may be trained on."""
    return ("labels", *(COLUMNS if "input_ids" in columns else SEQUENCES))


def _missing_labels(columns: list[str]) -> str | None:
    if "labels" in columns:
        return None
    other = nearest("labels", columns) or next((c for c in columns if c.lower() in _OTHER_LABEL_NAMES), None)
    return f"must have a column 'labels', got {columns}; {_rename_or_add(other, 'labels')}"


def _missing_tokens(columns: list[str]) -> str | None:
    if "input_ids" in columns or "sequence" in columns:
        return None
    other = nearest("sequence", columns) or next((c for c in columns if c.lower() in _OTHER_SEQUENCE_NAMES), None)
    return f"must have a column 'input_ids' or 'sequence', got {columns}; {_rename_or_add(other, 'sequence')}"


def _rename_or_add(other: str | None, column: str) -> str:
    return f"rename {other!r} with rename_column({other!r}, {column!r})" if other else "add one"


def _sequence_problems(name: str, table: pa.Table) -> list[str]:
    column = table[name]
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return [f"the column {name!r} must contain strings, got {column.type}; write each sequence in letters"]
    empty = [row for row, text in enumerate(column.to_pylist()) if not text.strip()]
    if not empty:
        return []
    where = "" if name == "sequence" else f" of the column {name!r}"
    return [f"{len(empty)} of {len(column)} sequences{where} are empty, first in row {empty[0]}; drop these rows"]


def width_problems(labels: Mapping[str, NDArray[Any]]) -> list[str]:
    """Report the splits whose rows have more or fewer labels than those of `train`."""
    required = labels[TRAIN].shape[1:]
    return [
        f"{name}: its rows have {math.prod(read.shape[1:])} labels, those of train {math.prod(required)}; "
        f"give all rows the same labels in the same order"
        for name, read in labels.items()
        if read.shape[1:] != required
    ]


def encode_rows(name: str, split: datasets.Dataset, labels: Any, pad_token_id: int | None) -> EncodedSplit:
    """Read `input_ids`, `attention_mask` and `token_type_ids` of a split.

    Args:
        name: The name of the split, for messages.
        split: A split with the column `input_ids`.
        labels: Its labels.
        pad_token_id: The token that rows without an `attention_mask` are padded with.

    Raises:
        InvalidInputError: A column does not contain lists of token ids, or of 0 and 1.
    """
    table: pa.Table = split.with_format("arrow")[:]
    tokens, lengths = _flatten(name, table, "input_ids", pa.int32(), "integers")
    if "attention_mask" in table.column_names:
        mask, mask_lengths = _flatten(name, table, "attention_mask", pa.uint8(), "0 and 1")
        _require_same_lengths(name, "attention_mask", lengths, mask_lengths)
    else:
        mask = (tokens != (-1 if pad_token_id is None else pad_token_id)).astype(np.uint8)
    types = None
    if "token_type_ids" in table.column_names:
        types, type_lengths = _flatten(name, table, "token_type_ids", pa.uint8(), "small integers")
        _require_same_lengths(name, "token_type_ids", lengths, type_lengths)
    return EncodedSplit.from_padded(tokens, mask, lengths, labels, types)


def _require_same_lengths(name: str, column: str, lengths: NDArray[Any], others: NDArray[Any]) -> None:
    if not np.array_equal(lengths, others):
        raise dataset_error(f"{name}: the columns 'input_ids' and {column!r} differ in length; prepare them again")


def _flatten(name: str, table: pa.Table, column: str, kind: pa.DataType, items: str) -> tuple[Any, Any]:
    """Return the concatenated values of a column of lists, and the length of each list."""
    cure = "prepare it again, or remove it and add 'sequence'"
    try:
        lists = table[column].cast(pa.large_list(kind)).combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        first = reprlib.repr(table[column][0].as_py())
        message = f"{name}: the column {column!r} must contain lists of {items}, got {first} in row 0; {cure}"
        raise dataset_error(message) from error
    values = lists.flatten()
    if values.null_count:
        missing = f"{values.null_count} of {len(values)} numbers in the column {column!r} are missing"
        raise dataset_error(f"{name}: {missing}; {cure}")
    lengths = lists.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    return values.to_numpy(zero_copy_only=False), lengths


def token_problems(name: str, split: EncodedSplit) -> list[str]:
    """Report rows without tokens, and negative token ids."""
    problems: list[str] = []
    empty = np.flatnonzero(split.lengths == 0)
    if len(empty):
        problems.append(f"{name}: {len(empty)} of {len(split)} rows have no tokens, first row {empty[0]}; drop them")
    lowest = int(split.tokens.min(initial=0))
    if lowest < 0:
        problems.append(f"{name}: token ids must be at least 0, got {lowest}; prepare the dataset again")
    return problems
