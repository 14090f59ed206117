"""Sequences to predict, read row by row from a FASTA file, a table or a dataset."""

from __future__ import annotations

import csv
import gzip
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import pyarrow as pa
import pyarrow.parquet as pq
from bertnado_config import ArgumentProblem, InvalidInputError, UnfitFileError, path_problem, require_regular_file
from bertnado_metrics import did_you_mean, nearest

from .dataset_files import row_batches
from .dataset_rows import is_text
from .dataset_splits import read_split
from .token_rows import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

_FASTA = (".fa", ".fasta", ".fna", ".ffn", ".fas", ".mfa", ".fsa")
_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_PARQUET = (".parquet", ".pq")
_KINDS = "FASTA (.fa, .fasta, .fna), CSV, TSV or Parquet, or a DatasetDict on disk"
_GZIP = b"\x1f\x8b"
_BATCH = 1000
"""Rows of a Parquet file that are read at a time."""


class SequenceRow(NamedTuple):
    """One row to predict."""

    id: str
    texts: tuple[str, ...]
    """The sequence, or the two of a pair; empty for a row of token ids."""
    place: str
    """Where it was read: `line 12`."""
    tokens: pa.Table | None = None
    """The token ids of a row that was tokenised beforehand."""


@dataclass(frozen=True)
class SequenceInput:
    """Rows to predict, which can be read once or several times."""

    name: str
    """The file or directory, for messages."""
    rows: Callable[[], Iterator[SequenceRow]]
    total: int | None = None
    """The number of rows, if it is known before they are read."""

    def __iter__(self) -> Iterator[SequenceRow]:
        return self.rows()


@dataclass(frozen=True)
class Columns:
    """The columns of a table to read."""

    sequences: tuple[str, ...] = ("sequence",)
    """That of the sequences; of pairs, also that of their partners."""
    id: str | None = None
    """That of the identifiers; None to number the rows from 0."""


def open_sequences(path: Path | str, columns: Columns, split: str | None = None) -> SequenceInput:
    """Open a file or a dataset with sequences; its name, without `.gz`, says what it is.

    Args:
        path: The file, or the directory of a `DatasetDict`.
        columns: The columns of a table.
        split: The split of a dataset.

    Raises:
        InvalidInputError: It does not exist, cannot be read, or lacks a column or the split.
    """
    problem = path_problem(path, f"a file with sequences: {_KINDS}")
    if problem:
        raise input_error(f"{{input}} {problem}")
    path = Path(path)
    if path.is_dir():
        return _open_dataset(path, columns, split)
    if split is not None:
        raise InvalidInputError(
            [ArgumentProblem("split", f"{{split}} requires a DatasetDict, got the file {path}; remove it")]
        )
    _require_file(path)
    ending = _ending(path)
    if ending in _PARQUET:
        return _open_parquet(path, columns)
    if ending in _DELIMITERS:
        return _open_table(path, columns, _DELIMITERS[ending])
    if ending in _FASTA or _begins_with_header(path):
        if len(columns.sequences) > 1:
            raise input_error("the model takes pairs of sequences, which a FASTA file does not contain; pass a table")
        return SequenceInput(str(path), lambda: _read_fasta(path))
    raise input_error(f"{str(path)!r} must be {_KINDS}, got the ending {path.suffix!r}; rename it, or convert it")


def input_error(message: str) -> InvalidInputError:
    """Return the error for an input that cannot be predicted."""
    return InvalidInputError([ArgumentProblem("input", message)])


def _require_file(path: Path) -> None:
    try:
        require_regular_file(path)
    except FileNotFoundError:
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        near = nearest(path.name, siblings)
        hint = f"did you mean {str(path.with_name(near))!r}? " if near else ""
        raise input_error(f"{str(path)!r} does not exist; {hint}pass {_KINDS}") from None
    except UnfitFileError as error:
        raise input_error(f"{str(path)!r} {error}; pass {_KINDS}") from None
    except OSError as error:
        raise input_error(f"{str(path)!r} cannot be read: {error.strerror}") from None


def _ending(path: Path) -> str:
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def _begins_with_header(path: Path) -> bool:
    with _opened(path) as file:
        return file.read(1) == ">"


@contextmanager
def _opened(path: Path) -> Generator[TextIO]:
    """Open a text file, decompressed if its first bytes say that it is compressed.

    Raises:
        InvalidInputError: It cannot be read, is damaged, or is not UTF-8 text.
    """
    try:
        with path.open("rb") as raw:
            is_compressed = raw.read(2) == _GZIP
        opened: Any = gzip.open if is_compressed else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError as error:
        raise input_error(f"{str(path)!r} must be UTF-8 text, got an invalid byte; save it as UTF-8") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise input_error(f"{str(path)!r} is compressed and damaged: {error}; download or compress it again") from error
    except OSError as error:
        raise input_error(f"{str(path)!r} cannot be read: {error.strerror or error}") from error


def _read_fasta(path: Path) -> Iterator[SequenceRow]:
    """Read the sequences of a FASTA file; white space in them is removed."""
    name, begin, parts = None, 0, list[str]()
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            if line.startswith(">"):
                if name is not None:
                    yield SequenceRow(name, ("".join(parts),), f"line {begin}")
                words = line[1:].split(maxsplit=1)
                if not words:
                    raise input_error(f"{path}: line {number} must contain a name after '>'; add one")
                name, begin, parts = words[0], number, []
            elif name is not None:
                parts += line.split()
            elif line.strip():
                cure = "convert FASTQ to FASTA" if line.startswith("@") else "add one"
                raise input_error(
                    f"{path}: line {number} must be a header that begins with '>', got {line.strip()[:20]!r}; {cure}"
                )
    if name is None:
        raise _no_sequences(path)
    yield SequenceRow(name, ("".join(parts),), f"line {begin}")


def _open_table(path: Path, columns: Columns, delimiter: str) -> SequenceInput:
    with _opened(path) as file:
        try:
            header = next(csv.reader(file, delimiter=delimiter), [])
        except csv.Error as error:
            raise input_error(f"{path}: line 1 cannot be read: {error}; correct it") from error
    if not header:
        raise _no_sequences(path)
    _require_columns(path, header, columns)
    return SequenceInput(str(path), lambda: _read_table(path, columns, delimiter))


def _read_table(path: Path, columns: Columns, delimiter: str) -> Iterator[SequenceRow]:
    with _opened(path) as file, _long_fields():
        reader = csv.reader(file, delimiter=delimiter)
        header = next(reader)
        places = [header.index(name) for name in columns.sequences]
        id_place = None if columns.id is None else header.index(columns.id)
        number = -1
        try:
            for fields in reader:
                if not fields:
                    continue  # an empty line
                number += 1
                if len(fields) != len(header):
                    raise input_error(
                        f"{path}: line {reader.line_num} must have {len(header)} fields, as the first line, got "
                        f"{len(fields)}; correct it, or quote fields that contain {delimiter!r}"
                    )
                name = str(number) if id_place is None else fields[id_place]
                yield SequenceRow(name, tuple(fields[place] for place in places), f"line {reader.line_num}")
        except csv.Error as error:
            raise input_error(f"{path}: line {reader.line_num} cannot be read: {error}; correct it") from error
    if number < 0:
        raise _no_sequences(path)


@contextmanager
def _long_fields() -> Generator[None]:
    """Let a field of a table be longer than 128 KiB, as sequences are."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _open_parquet(path: Path, columns: Columns) -> SequenceInput:
    try:
        with pq.ParquetFile(path) as file:
            schema, total = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise input_error(f"{str(path)!r} is not a Parquet file, or damaged: {error}; write it again") from error
    _require_columns(path, schema.names, columns)
    _require_text(path, schema, columns)
    if not total:
        raise _no_sequences(path)

    def rows() -> Iterator[SequenceRow]:
        with pq.ParquetFile(path) as file:
            wanted = [*columns.sequences, *([columns.id] if columns.id else [])]
            batches = (pa.Table.from_batches([batch]) for batch in file.iter_batches(_BATCH, columns=wanted))
            yield from _rows_of(batches, columns)

    return SequenceInput(str(path), rows, total)


def _open_dataset(path: Path, columns: Columns, split: str | None) -> SequenceInput:
    stored = read_split(path, split)
    names, place = stored.column_names, f"{path} ({split})"
    is_encoded = "input_ids" in names
    if is_encoded:
        columns = Columns((), columns.id)
    _require_columns(Path(place), names, columns)
    if not is_encoded:
        _require_text(Path(place), stored.data.schema, columns)
    wanted = [*(name for name in COLUMNS if is_encoded and name in names), *columns.sequences]
    wanted += [columns.id] if columns.id else []
    return SequenceInput(place, lambda: _rows_of(row_batches(stored, wanted), columns), len(stored))


def _rows_of(batches: Iterator[pa.Table], columns: Columns) -> Iterator[SequenceRow]:
    """Yield the rows of tables; those without sequences have token ids."""
    number = 0
    for batch in batches:
        ids = None if columns.id is None else batch[columns.id].to_pylist()
        texts = list(zip(*(batch[name].to_pylist() for name in columns.sequences), strict=True))
        tokens = [] if texts or columns.sequences else [batch.slice(row, 1) for row in range(len(batch))]
        for row in range(len(batch)):
            name = str(number) if ids is None else str(ids[row])
            own = tuple(text or "" for text in texts[row]) if texts else ()
            yield SequenceRow(name, own, f"row {number}", tokens[row] if tokens else None)
            number += 1


def _require_columns(path: Path, names: Sequence[str], columns: Columns) -> None:
    wanted = {"sequence_column": columns.sequences[:1], "id_column": (columns.id,) if columns.id else ()}
    problems = [
        ArgumentProblem(option, f"{path} has no column {name!r}; {_column_cure(name, names, option)}")
        for option, chosen in wanted.items()
        for name in chosen
        if name not in names
    ]
    problems += [
        ArgumentProblem("input", f"{path} has no column {name!r} for the second sequence of the model's pairs; add it")
        for name in columns.sequences[1:]
        if name not in names
    ]
    if problems:
        raise InvalidInputError(problems)


def _column_cure(name: str, names: Sequence[str], option: str) -> str:
    return f"name another with {{{option}}}, {did_you_mean(name, names)}"


def _require_text(path: Path, schema: pa.Schema, columns: Columns) -> None:
    for name in columns.sequences:
        kind = schema.field(name).type
        if not is_text(kind):
            raise input_error(
                f"{path}: the column {name!r} must contain strings, got {kind}; write sequences in letters"
            )


def _no_sequences(path: Path) -> InvalidInputError:
    return input_error(f"{path} contains no sequences; pass a file that does")
