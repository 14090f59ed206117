"""The files of a dataset: what they contain as hashes, and their rows, read without mapping them into memory."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from bertnado_config import InvalidInputError, read_json, write_json

from .cache_directory import cache_directory
from .dataset_splits import dataset_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import datasets

BATCH = 1000
"""Rows that are read at a time."""
_UNSETTLED = 2_000_000_000
"""Nanoseconds within which a file may change again without another time of change."""


def split_files(split: datasets.Dataset) -> list[Path]:
    """Return the files that contain the rows of a split, in their order."""
    return [Path(file["filename"]) for file in split.cache_files]


def content_hashes(stored: Mapping[str, datasets.Dataset]) -> dict[str, list[str]]:
    """Return the hashes of the files of each split.

    A file is read only if its size, its times of change or its inode are others than at the last time.
    """
    files = {name: split_files(split) for name, split in stored.items()}
    names = sorted(str(file.resolve()) for found in files.values() for file in found)
    memory = cache_directory() / "files" / f"{hashlib.sha256(json.dumps(names).encode()).hexdigest()[:32]}.json"
    known = _read_memory(memory)
    states = {name: _known_or_read(Path(name), known.get(name)) for name in names}
    settled = {name: state for name, state in states.items() if _is_settled(state)}
    if settled != known:
        _write_memory(memory, settled)
    return {name: [states[str(file.resolve())]["sha256"] for file in found] for name, found in files.items()}


def _known_or_read(file: Path, known: Any) -> dict[str, Any]:
    state = file_state(file)
    if isinstance(known, dict) and isinstance(known.get("sha256"), str) and {**known, **state} == known:
        return known
    begin = time.time_ns()
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    return {**state, "sha256": found, "read": begin}


def file_state(file: Path) -> dict[str, int]:
    """Return what changes when a file does: its size, its times of change and its inode."""
    found = file.stat()
    return {"size": found.st_size, "modified": found.st_mtime_ns, "changed": found.st_ctime_ns, "inode": found.st_ino}


def _is_settled(state: Mapping[str, Any]) -> bool:
    """Return whether a file had been left alone for long enough when it was read."""
    return state["read"] - max(state["modified"], state["changed"]) > _UNSETTLED


def _read_memory(file: Path) -> dict[str, Any]:
    try:
        found = read_json(file)
    except (InvalidInputError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_memory(file: Path, states: Mapping[str, Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, states)
    except OSError:  # the files are then read again
        return


def row_batches(split: datasets.Dataset, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Iterate over columns of a split, at most `BATCH` rows at a time.

    The files are read anew: pages of files that are mapped, as `datasets` maps them, count as memory of the process.

    Raises:
        InvalidInputError: A file is damaged, or has changed since the split was opened.
    """
    try:
        yield from _read_batches(split, list(columns))
    except (OSError, pa.ArrowInvalid) as error:
        raise dataset_error(f"a file cannot be read: {error}; prepare the dataset again") from error


def _read_batches(split: datasets.Dataset, names: list[str]) -> Iterator[pa.Table]:
    rows = 0
    if not _has_types_of_files(split, names):
        yield from split.select_columns(names).with_format("arrow").iter(BATCH)
        return
    for file in split_files(split):
        with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source) as reader:
            for batch in reader:
                table = pa.Table.from_batches([batch]).select(names)
                yield from (table.slice(start, BATCH) for start in range(0, len(table), BATCH))
                rows += len(table)
    if rows != len(split):
        raise dataset_error(f"{rows} rows were read instead of {len(split)}, so a file has changed; run this again")


def _has_types_of_files(split: datasets.Dataset, columns: Sequence[str]) -> bool:
    """Return whether `datasets` leaves columns as they are in the files, whatever features it was given for them."""
    with pa.OSFile(str(split_files(split)[0])) as source, pa.ipc.open_stream(source) as reader:
        stored, shown = reader.schema, split.data.schema
        return all(stored.field(column).type == shown.field(column).type for column in columns)
