"""The rows of datasets, checked and compact, on disk for all processes of a machine."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import ArgumentProblem, InvalidInputError, read_json, write_json

from .cache_directory import CACHE, cache_directory
from .file_modes import apply_umask
from .row_store import ArrayFacts, RowStore, UnwritableCacheError, map_arrays
from .split_writer import assemble_split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bertnado_config import Problem

    from .encoded_split import EncodedSplit

_log = logging.getLogger(__name__)

UNCACHED = f"none, each process reads the dataset anew; set {CACHE} to a directory that can be written"
"""Said instead of a directory."""
_INDEX = "index.json"
_UNFINISHED = ".unfinished-"
"""The first letters of a directory that a process has not finished."""
_ATTEMPTS = 3
"""How often a damaged directory is replaced, which other processes may do at the same time."""
_ABANDONED = 24 * 3600
"""Seconds after which the files of a process that did not finish are removed."""


@dataclass(frozen=True)
class PreparedRows:
    """The rows of a dataset, and what was found out about them."""

    splits: Mapping[str, EncodedSplit]
    logits: int
    """The number of logits that the labels need."""
    classes: Mapping[str, Sequence[int]]
    """The rows of each class by split, see `count_classes`."""
    fingerprint: str
    """A hash of the rows."""
    first_row: str
    """The first tokens of the first training row, in words."""
    warnings: Sequence[Problem]


@dataclass(frozen=True)
class CachedRows:
    """The directory of a dataset's rows in the cache."""

    directory: Path

    def describe(self) -> str:
        """Return where the cache is and how much of it these rows are, in words."""
        size = sum(file.stat().st_size for file in self.directory.iterdir())
        return f"{cache_directory()}: {size / 1e6:,.1f} MB for this dataset"

    def remembered(self, name: str, find: Callable[[], list[str]]) -> list[str]:
        """Return texts that were found earlier, or find them and keep them."""
        file = self.directory / f"{name}.json"
        try:
            known = read_json(file)
        except (InvalidInputError, OSError):
            known = None
        if isinstance(known, list) and all(isinstance(text, str) for text in known):
            return known
        found = find()
        try:
            write_json(file, found)
        except OSError as error:
            _log.warning("%s is not kept: %s", file, error)
        return found


def open_rows(key: str, prepare: Callable[[RowStore], PreparedRows]) -> tuple[PreparedRows, CachedRows | None]:
    """Return rows from the cache, or prepare them and keep them; `None` if the cache cannot be written.

    Args:
        key: The name of the rows, for which they are the same at all times.
        prepare: Reads the rows into a store.

    Raises:
        InvalidInputError: `prepare` refuses them.
    """
    directory = cache_directory() / "rows" / key
    try:
        rows = _load(directory) or _keep(directory, prepare)
        return rows, CachedRows(directory)
    except UnwritableCacheError as error:
        _log.warning("the rows of the dataset cannot be cached: %s; cache: %s", error, UNCACHED)
    return prepare(RowStore()), None


def _load(directory: Path) -> PreparedRows | None:
    """Map rows of the cache; `None` if there are none, or not what was written."""
    try:
        return _from_index(directory, read_json(directory / _INDEX)) if directory.exists() else None
    except (InvalidInputError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        _log.warning("the cached dataset in %s is damaged, so it is made anew: %s", directory, error)
    return None


def _keep(directory: Path, prepare: Callable[[RowStore], PreparedRows]) -> PreparedRows:
    """Prepare rows in a directory of this process, give it its name when they are complete, and map it."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(directory.parent)
        scratch = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=directory.parent))
    except OSError as error:
        raise UnwritableCacheError(str(error)) from error
    try:
        store = RowStore(scratch)
        rows = prepare(store)
        write_json(scratch / _INDEX, _index(rows, store))
        apply_umask(scratch)
        return _publish(scratch, directory)
    except OSError as error:
        raise UnwritableCacheError(str(error)) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _publish(scratch: Path, directory: Path) -> PreparedRows:
    """Give a complete directory its name, and map it; one that another process has completed meanwhile is as good."""
    for attempt in range(_ATTEMPTS):
        with suppress(OSError):
            scratch.rename(directory)
        rows = _load(directory)
        if rows is not None:
            return rows
        with suppress(OSError):
            directory.rename(scratch / f"damaged-{attempt}")
    raise UnwritableCacheError(f"{directory} cannot be replaced")


def _remove_abandoned(place: Path) -> None:
    for scratch in place.glob(f"{_UNFINISHED}*"):
        if time.time() - scratch.stat().st_mtime > _ABANDONED:
            shutil.rmtree(scratch, ignore_errors=True)


def _index(rows: PreparedRows, store: RowStore) -> dict[str, Any]:
    return {
        "arrays": {name: facts._asdict() for name, facts in store.facts.items()},
        "highest": {name: split.highest_token for name, split in rows.splits.items()},
        "logits": rows.logits,
        "classes": dict(rows.classes),
        "fingerprint": rows.fingerprint,
        "first_row": rows.first_row,
        "warnings": [[problem.path, problem.message] for problem in rows.warnings],
    }


def _from_index(directory: Path, index: Any) -> PreparedRows:
    arrays = map_arrays(directory, {name: ArrayFacts(**facts) for name, facts in index["arrays"].items()})
    return PreparedRows(
        {name: assemble_split(arrays, name, highest) for name, highest in index["highest"].items()},
        index["logits"],
        {name: tuple(rows) for name, rows in index["classes"].items()},
        index["fingerprint"],
        index["first_row"],
        [ArgumentProblem(path, message, "warning") for path, message in index["warnings"]],
    )
