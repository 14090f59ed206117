"""The splits of a dataset on disk, read after everything that could block or mislead their reader is ruled out."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any

import datasets
from bertnado_config import ArgumentProblem, InvalidInputError, UnfitFileError, read_json, require_regular_file
from bertnado_metrics import did_you_mean, nearest

if TYPE_CHECKING:
    from pathlib import Path

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_OTHER_SPLIT_NAMES = {"val": VALIDATION, "valid": VALIDATION, "dev": VALIDATION, "eval": VALIDATION}
_SPLIT_OFF = "split off some rows, for example with train_test_split"


def dataset_error(*messages: str) -> InvalidInputError:
    """Return the error for a dataset that cannot be used, with everything that is wrong with it."""
    return InvalidInputError(ArgumentProblem("dataset", message) for message in messages)


def read_splits(path: Path) -> dict[str, datasets.Dataset]:
    """Read `train`, `validation` and, unless it is empty, `test`.

    Raises:
        InvalidInputError: There is no such dataset, it is damaged, or a split is missing.
    """
    stored = _load(path)
    problems = [problem for name in (TRAIN, VALIDATION) if (problem := _missing_split(stored, name))]
    if problems:
        raise dataset_error(*problems)
    return {name: stored[name] for name in (TRAIN, VALIDATION, TEST) if name in stored and len(stored[name])}


def read_split(path: Path, name: str | None) -> datasets.Dataset:
    """Read one split, whatever the others are.

    Args:
        path: The directory of the dataset.
        name: The name of the split.

    Raises:
        InvalidInputError: There is no such dataset or split, or it is damaged.
    """
    stored = _load(path)
    if name is None:
        raise InvalidInputError([ArgumentProblem("split", f"{{split}} is required for a dataset; {_choose(stored)}")])
    if name not in stored:
        message = f"{path} has no {{split}} {name!r}; {did_you_mean(name, map(str, stored))}"
        raise InvalidInputError([ArgumentProblem("split", message)])
    return stored[name]


def _choose(stored: datasets.DatasetDict) -> str:
    return f"choose from {', '.join(map(str, stored))}"


def _load(path: Path) -> datasets.DatasetDict:
    """Read all splits, none of which is empty.

    Raises:
        InvalidInputError: There is no such dataset, or it is damaged.
    """
    _require_dataset_dict(path)
    empty = _empty_splits(path)
    if empty:  # `datasets` cannot read them
        raise dataset_error(*map(_no_rows, sorted(empty)))
    try:
        stored = datasets.load_from_disk(str(path))
    except Exception as error:  # a damaged file raises whatever its reader raises
        raise dataset_error(f"{str(path)!r} cannot be read: {error}; prepare the dataset again") from error
    assert isinstance(stored, datasets.DatasetDict)  # noqa: S101  (dataset_dict.json says so)
    return stored


def _require_dataset_dict(path: Path) -> None:
    if not path.exists():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        suggestion = nearest(path.name, siblings)
        hint = f"did you mean {str(path.parent / suggestion)!r}? " if suggestion else ""
        raise dataset_error(f"{str(path)!r} does not exist; {hint}pass the directory that save_to_disk wrote")
    if (path / "dataset_dict.json").is_file():
        return
    found = "is a file" if path.is_file() else "contains no dataset"
    found = "contains a single split" if (path / "state.json").is_file() else found
    required = "datasets.DatasetDict({'train': ..., 'validation': ...}).save_to_disk(...)"
    raise dataset_error(f"{str(path)!r} must be a DatasetDict on disk, but {found}; write it with {required}")


def _missing_split(stored: datasets.DatasetDict, name: str) -> str | None:
    if name not in stored:
        other = next((other for other in stored if _OTHER_SPLIT_NAMES.get(str(other)) == name), None)
        cure = f"rename {other!r}" if other else _SPLIT_OFF
        return f"the dataset must have the split {name!r}, got {sorted(map(str, stored))}; {cure}"
    return None if len(stored[name]) else _no_rows(name)


def _empty_splits(path: Path) -> list[str]:
    """Return the splits without rows, after making sure that no file blocks its reader."""
    for file in sorted({*path.glob("*"), *path.glob("*/*")}):
        try:
            if file.exists() and not file.is_dir():
                require_regular_file(file)
        except UnfitFileError as error:
            raise dataset_error(f"{str(file)!r} {error}; prepare the dataset again") from None
        except OSError as error:
            raise dataset_error(f"{str(file)!r} cannot be read: {error.strerror}; prepare the dataset again") from None
    _read_list(path / "dataset_dict.json", "splits", str)
    files = {state.parent.name: _read_list(state, "_data_files", dict) for state in path.glob("*/state.json")}
    return [name for name, parts in files.items() if not parts]


def _read_list(file: Path, key: str, kind: type) -> list[Any]:
    """Read a list from a JSON file that save_to_disk wrote."""
    try:
        content = read_json(file)
    except InvalidInputError as error:
        reason = str(error.problems[0]).split(";")[0]
        raise dataset_error(f"{str(file)!r} cannot be read: {reason}; prepare the dataset again") from None
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, kind) for item in found):
        required = f"must be an object with the list {key!r}, got {reprlib.repr(content)}"
        raise dataset_error(f"{str(file)!r} {required}; prepare the dataset again")
    return found


def _no_rows(name: str) -> str:
    return f"the {name!r} split is empty; {_SPLIT_OFF if name in (TRAIN, VALIDATION) else 'remove it'}"
