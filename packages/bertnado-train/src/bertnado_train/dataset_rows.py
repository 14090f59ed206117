"""The rows of a split, checked and read part by part."""

from __future__ import annotations

import reprlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from bertnado_metrics import nearest

from .dataset_files import row_batches
from .dataset_splits import dataset_error
from .encoded_split import EncodedSplit
from .token_rows import COLUMNS, SEQUENCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import datasets
    from numpy.typing import NDArray

_OTHER_LABEL_NAMES = ("target", "targets", "class", "category", "y")
_OTHER_SEQUENCE_NAMES = ("seq", "seqs", "dna", "dna_sequence", "text")


def column_problems(name: str, split: datasets.Dataset) -> list[str]:
    """Report missing columns and values, and sequences that are not text."""
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
        problems += [
            f"the column {column!r} must contain strings, got {table[column].type}; write each sequence in letters"
            for column in used
            if column in SEQUENCES and not is_text(table[column].type)
        ]
    return [f"{name}: {problem}" for problem in problems]


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column contains strings."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def sequence_problems(name: str, split: datasets.Dataset) -> list[str]:
    """Report empty sequences of a split without `input_ids`."""
    if "input_ids" in split.column_names:
        return []
    columns = [column for column in SEQUENCES if column in split.column_names]
    empty: dict[str, list[int]] = {column: [] for column in columns}
    first = 0
    for batch in row_batches(split, columns):
        for column in columns:
            texts = batch[column].to_pylist()
            empty[column] += [first + row for row, text in enumerate(texts) if not text.strip()]
        first += len(batch)
    return [
        f"{name}: {len(rows)} of {first} sequences{'' if column == 'sequence' else f' of the column {column!r}'} are "
        f"empty, first in row {rows[0]}; drop these rows"
        for column, rows in empty.items()
        if rows
    ]


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


def encode_rows(
    name: str, batches: Iterable[pa.Table], labels: NDArray[Any], pad_token_id: int | None
) -> Iterator[EncodedSplit]:
    """Read `input_ids`, `attention_mask` and `token_type_ids` of a split, part by part.

    Args:
        name: The name of the split, for messages.
        batches: Its rows, with the column `input_ids`.
        labels: Its labels.
        pad_token_id: The token that rows without an `attention_mask` are padded with.

    Raises:
        InvalidInputError: A column does not contain lists of token ids, or of 0 and 1.
    """
    reader = _ListReader(name)
    for batch in batches:
        tokens, lengths = reader.flatten(batch, "input_ids", pa.int32(), "integers")
        mask = reader.flatten_beside(batch, "attention_mask", pa.uint8(), "0 and 1", lengths)
        if mask is None:
            mask = (tokens != (-1 if pad_token_id is None else pad_token_id)).astype(np.uint8)
        types = reader.flatten_beside(batch, "token_type_ids", pa.uint8(), "small integers", lengths)
        own = labels[reader.rows : reader.rows + len(batch)]
        reader.rows += len(batch)
        yield EncodedSplit.from_padded(tokens, mask, lengths, own, types)
    reader.require_values()


class _ListReader:
    """Reads columns of lists of one split."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._missing = Counter[str]()
        self._values = Counter[str]()
        self.rows = 0
        """The rows that have been read."""

    def flatten(self, table: pa.Table, column: str, kind: pa.DataType, items: str) -> tuple[Any, Any]:
        """Return the concatenated values of a column of lists, 0 for missing ones, and the length of each list."""
        lists = _cast(table[column], kind)
        if lists is None:
            row = next((row for row in range(len(table)) if _cast(table[column].slice(row, 1), kind) is None), 0)
            found = f"{reprlib.repr(table[column][row].as_py())} in row {self.rows + row}"
            raise self._error(f"the column {column!r} must contain lists of {items}, got {found}")
        values = lists.flatten()
        self._missing[column] += values.null_count
        self._values[column] += len(values)
        lengths = lists.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
        return values.fill_null(0).to_numpy(zero_copy_only=False), lengths

    def flatten_beside(self, table: pa.Table, column: str, kind: pa.DataType, items: str, required: Any) -> Any:
        """Return the values of a column whose lists have the length of others; `None` if there is no such column."""
        if column not in table.column_names:
            return None
        values, lengths = self.flatten(table, column, kind, items)
        if not np.array_equal(lengths, required):
            self.require_values()
            cure = "prepare them again"
            raise dataset_error(f"{self._name}: the columns 'input_ids' and {column!r} differ in length; {cure}")
        return values

    def require_values(self) -> None:
        """Raise an error if values are missing."""
        for column, missing in self._missing.items():
            if missing:
                count = f"{missing} of {self._values[column]} numbers"
                raise self._error(f"{count} in the column {column!r} are missing")

    def _error(self, problem: str) -> Exception:
        return dataset_error(f"{self._name}: {problem}; prepare it again, or remove it and add 'sequence'")


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> Any:
    """Return a column as lists of a type; `None` if it contains something else."""
    try:
        return column.cast(pa.large_list(kind)).combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
