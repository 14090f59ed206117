"""The groups of a column of a dataset, such as chromosomes: each is the validation rows of one fold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from bertnado_config import ArgumentProblem, InvalidInputError
from bertnado_metrics import did_you_mean

from .dataset_files import row_batches
from .dataset_splits import TRAIN, VALIDATION, read_splits
from .token_rows import COLUMNS, SEQUENCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import datasets
    from numpy.typing import NDArray

MOST_GROUPS = 100
"""More than the chromosomes of most genomes; each is a training of every finalist."""

_OF_ROWS = frozenset({"labels", *COLUMNS, *SEQUENCES})
"""The columns that a model is trained on."""
_NAME = "folds"
_OTHER = "choose another column"


@dataclass(frozen=True, eq=False)
class RowGroups:
    """The group of each row of `train` and `validation`."""

    column: str
    names: tuple[str, ...]
    """Those of the groups, in their natural order."""
    numbers: Mapping[str, NDArray[np.int64]]
    """The index in `names` of each row, by split: shape (rows,)."""

    def is_in(self, group: str) -> dict[str, NDArray[np.bool_]]:
        """Return which rows belong to a group, by split."""
        number = self.names.index(group)
        return {name: numbers == number for name, numbers in self.numbers.items()}


def read_groups(path: Path | str, column: str) -> RowGroups:
    """Read the groups of a column of a dataset on disk.

    Raises:
        InvalidInputError: There is no such column, rows have no value in it, or it has a single group or too many.
    """
    stored = {name: split for name, split in read_splits(Path(path)).items() if name in (TRAIN, VALIDATION)}
    _refuse(_missing_column(stored, column))
    _refuse(_unfit_type(stored, column))
    values = {name: _texts(split, column) for name, split in stored.items()}
    _refuse(*(_missing_values(name, texts, column) for name, texts in values.items()))
    names = sorted({str(text) for texts in values.values() for text in texts}, key=_natural)
    _refuse(_unfit_number(stored, column, names))
    number_of = {name: number for number, name in enumerate(names)}
    numbers = {name: np.array([number_of[str(text)] for text in texts]) for name, texts in values.items()}
    return RowGroups(column, tuple(names), numbers)


def _refuse(*problems: str | None) -> None:
    found = [ArgumentProblem(_NAME, problem) for problem in problems if problem]
    if found:
        raise InvalidInputError(found)


def _missing_column(stored: Mapping[str, datasets.Dataset], column: str) -> str | None:
    with_it = [name for name, split in stored.items() if column in split.column_names]
    if len(with_it) == len(stored):
        return None
    if with_it:
        (other,) = set(stored) - set(with_it)
        return f"the column {column!r} for {{{_NAME}}} is in {with_it[0]}, not in {other}; add it there"
    possible = [name for name in _other_columns(stored) if _is_groupable(stored[TRAIN], name)]
    if not possible:
        cure = "add it, such as the chromosome of each row"
        return f"the dataset has no column {column!r} for {{{_NAME}}}, nor another that could be meant; {cure}"
    return f"the dataset has no column {column!r} for {{{_NAME}}}; {did_you_mean(column, possible)}"


def _other_columns(stored: Mapping[str, datasets.Dataset]) -> list[str]:
    """Return the columns of both splits that no model is trained on."""
    return [
        name for name in stored[TRAIN].column_names if name in stored[VALIDATION].column_names and name not in _OF_ROWS
    ]


def _unfit_type(stored: Mapping[str, datasets.Dataset], column: str) -> str | None:
    for name, split in stored.items():
        if not _is_groupable(split, column):
            rule = f"the column {column!r} for {{{_NAME}}} must hold text or whole numbers"
            return f"{rule}, got {_type_of(split, column)} in {name}; {_OTHER}"
    return None


def _is_groupable(split: datasets.Dataset, column: str) -> bool:
    kind, types = _type_of(split, column), pa.types
    is_text = types.is_string(kind) or types.is_large_string(kind)
    return is_text or types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)


def _type_of(split: datasets.Dataset, column: str) -> pa.DataType:
    kind = split.data.schema.field(column).type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _texts(split: datasets.Dataset, column: str) -> list[str | None]:
    """Return the group of each row; `None` for a value that is missing."""
    classes: Sequence[str] | None = getattr(split.features[column], "names", None)
    known: dict[Any, str | None] = {}
    texts: list[str | None] = []
    for batch in row_batches(split, [column]):
        for value in batch[column].to_pylist():
            if value not in known:
                known[value] = _text(value, classes)
            texts.append(known[value])
    return texts


def _text(value: Any, classes: Sequence[str] | None) -> str | None:
    if value is None or value == "" or value != value:
        return None
    if classes is not None:
        return str(classes[value]) if 0 <= value < len(classes) else None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _missing_values(name: str, texts: Sequence[str | None], column: str) -> str | None:
    missing = texts.count(None)
    if not missing:
        return None
    rule = f"{missing} of {len(texts)} {name} rows have no value in the column {column!r} for {{{_NAME}}}"
    return f"{rule}, first row {texts.index(None)}; fill them in, or drop these rows"


def _unfit_number(stored: Mapping[str, datasets.Dataset], column: str, names: Sequence[str]) -> str | None:
    if len(names) < 2:
        return f"the column {column!r} for {{{_NAME}}} must have at least 2 groups, got only {names[0]!r}; {_OTHER}"
    if len(names) <= MOST_GROUPS:
        return None
    rule = f"the column {column!r} for {{{_NAME}}} must have at most {MOST_GROUPS} groups"
    found = f"{len(names):,} in {sum(map(len, stored.values())):,} rows"
    other = _suggestion(stored, column)
    return f"{rule}, got {found}; {f'choose {other}' if other else 'choose one with fewer, such as the chromosome'}"


def _suggestion(stored: Mapping[str, datasets.Dataset], column: str) -> str | None:
    """Return other columns with a fit number of groups, in words."""
    fit: list[str] = []
    for name in _other_columns(stored):
        if name == column or not all(_is_groupable(split, name) for split in stored.values()):
            continue
        groups = {text for split in stored.values() for text in _texts(split, name)}
        if None not in groups and 2 <= len(groups) <= MOST_GROUPS:
            fit.append(f"{name!r} ({len(groups)} groups)")
    return " or ".join(fit)


def _natural(text: str) -> list[tuple[bool, int, str]]:
    """Return a key by which `chr2` comes before `chr10`, and that before `chrX`."""
    parts: Iterable[str] = re.findall(r"[0-9]+|[^0-9]+", text)
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]
