"""A prepared dataset on disk: found, read, measured and checked."""

from __future__ import annotations

import hashlib
import math
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import pyarrow as pa
from bertnado_config import (
    InvalidInputError,
    UnfitFileError,
    path_problem,
    read_document,
    read_json,
    require_regular_file,
)
from bertnado_metrics import Task, nearest

from .encoded import EncodedSplit
from .tokenise import tokenise_split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_OTHER_SPLIT_NAMES = {"val": VALIDATION, "valid": VALIDATION, "dev": VALIDATION, "eval": VALIDATION}
_OTHER_SEQUENCE_NAMES = ("seq", "seqs", "dna", "dna_sequence", "text")
_MOST_UNKNOWN = 0.5
"""The largest share of a split's tokens that may be unknown: N can be unknown, and so can all lower-case letters."""


class DatasetError(ValueError):
    """A dataset that cannot be used, with everything that is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class PreparedDataset:
    """A dataset as a trial needs it."""

    path: Path
    splits: Mapping[str, EncodedSplit]
    """`train`, `validation` and, where there is one, `test`."""
    logits: int
    """How many outputs a model needs for these labels."""
    class_weights: tuple[float, ...] | None
    """From `class_weights.json`: one weight a class, or the weight of the positive class of a binary task."""
    label2id: Mapping[str, int] | None
    """From `label2id.json`."""
    fingerprint: str
    """A hash of the rows that are used, the same wherever the dataset lies."""

    @property
    def summary(self) -> dict[str, Any]:
        """What is worth recording of the dataset, ready for JSON."""
        return {
            "path": str(self.path),
            "fingerprint": self.fingerprint,
            "rows": {name: len(split) for name, split in self.splits.items()},
            "median_tokens": int(np.median(self.splits[TRAIN].lengths)),
            "class_weights": self.class_weights,
        }


def dataset_name_problem(path: Path | str) -> str | None:
    """Say why no dataset can lie there, `must ..., got ...; ...`; `None` where one may."""
    return path_problem(path, "the directory that save_to_disk wrote")


def open_dataset(
    path: Path | str,
    task: Task,
    load_tokenizer: Callable[[], PreTrainedTokenizerBase],
    pad_token_id: int | None,
) -> PreparedDataset:
    """Read a Hugging Face `DatasetDict` from disk; sequences are tokenised once and cached.

    Args:
        path: Where `DatasetDict.save_to_disk` wrote it.
        task: What its labels are for.
        load_tokenizer: Called if a split holds `sequence` and no `input_ids`.
        pad_token_id: What rows without an `attention_mask` are padded with, if they are.

    Raises:
        DatasetError: Everything that is wrong with it, each with its cure.
    """
    problem = dataset_name_problem(path)
    if problem:
        raise DatasetError([f"dataset {problem}"])
    path = Path(path)
    stored = _read_splits(path)
    problems = [problem for name, split in stored.items() for problem in _column_problems(name, split)]
    if problems:
        raise DatasetError(problems)
    labels = {name: _read_labels(split) for name, split in stored.items()}
    problems = [f"{name}: {problem}" for name, read in labels.items() for problem in task.check_labels(read)]
    if problems:
        raise DatasetError(problems)
    arrays = {name: np.asarray(read, dtype=task.label_dtype) for name, read in labels.items()}
    problems = _width_problems(arrays)
    splits: dict[str, EncodedSplit] = {}
    for name, split in stored.items():
        tokenizer = None if "input_ids" in split.column_names else load_tokenizer()
        encoded = split if tokenizer is None else tokenise_split(split, tokenizer)
        splits[name] = _encode(name, encoded, arrays[name], pad_token_id)
        problems += _token_problems(name, splits[name], None if tokenizer is None else tokenizer.unk_token_id)
    if problems:
        raise DatasetError(problems)
    logits = task.logit_count(np.concatenate([split.labels for split in splits.values()]))
    label2id, label_problems = _read_label_names(path, logits)
    class_weights, weight_problems = _read_class_weights(path, task, logits)
    problems += label_problems + weight_problems
    if problems:
        raise DatasetError(problems)
    return PreparedDataset(
        path=path,
        splits=splits,
        logits=logits,
        class_weights=class_weights,
        label2id=label2id,
        fingerprint=_fingerprint(splits),
    )


def _read_splits(path: Path) -> dict[str, datasets.Dataset]:
    if not path.exists():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        suggestion = nearest(path.name, siblings)
        hint = f"did you mean {str(path.parent / suggestion)!r}? " if suggestion else ""
        raise DatasetError([f"{str(path)!r} does not exist; {hint}give the directory that save_to_disk wrote"])
    if not (path / "dataset_dict.json").is_file():
        what = "is a file" if path.is_file() else "holds no dataset"
        what = "holds one split alone" if (path / "state.json").is_file() else what
        raise DatasetError(
            [
                (
                    f"{str(path)!r} {what}; a DatasetDict is needed, as "
                    f"datasets.DatasetDict({{'train': ..., 'validation': ...}}).save_to_disk(...) writes it"
                )
            ]
        )
    empty = _empty_splits(path)
    try:
        stored = datasets.DatasetDict() if empty else datasets.load_from_disk(str(path))
    except Exception as error:
        raise DatasetError([f"{str(path)!r} cannot be read: {error}; prepare it again"]) from error
    assert isinstance(stored, datasets.DatasetDict)  # noqa: S101  (dataset_dict.json says so)
    if empty:  # the library does not read those
        raise DatasetError([_no_rows(name) for name in sorted(empty)])
    problems: list[str] = []
    for needed in (TRAIN, VALIDATION):
        if needed not in stored:
            other = next((name for name in stored if _OTHER_SPLIT_NAMES.get(str(name)) == needed), None)
            cure = f"rename {other!r}" if other else "split some rows off, for example with train_test_split"
            problems.append(f"there is no {needed!r} split among {sorted(map(str, stored))}; {cure}")
        elif len(stored[needed]) == 0:
            problems.append(_no_rows(needed))
    if problems:
        raise DatasetError(problems)
    return {name: stored[name] for name in (TRAIN, VALIDATION, TEST) if name in stored and len(stored[name])}


def _empty_splits(path: Path) -> list[str]:
    """Name the splits without a row, once nothing in the directory can keep the library waiting."""
    for file in sorted({*path.glob("*"), *path.glob("*/*")}):
        try:
            if file.exists() and not file.is_dir():
                require_regular_file(file)
        except UnfitFileError as error:
            raise DatasetError([f"{str(file)!r} {error}; prepare the dataset again"]) from None
        except OSError as error:
            raise DatasetError([f"{str(file)!r} cannot be read: {error.strerror}; prepare the dataset again"]) from None
    _list_in(path / "dataset_dict.json", "splits", str)
    files = {state.parent.name: _list_in(state, "_data_files", dict) for state in path.glob("*/state.json")}
    return [name for name, parts in files.items() if not parts]


def _list_in(file: Path, key: str, kind: type) -> list[Any]:
    """Read a list in a file that save_to_disk wrote."""
    try:
        content = read_json(file)
    except InvalidInputError as error:
        reason = str(error.problems[0]).split(";")[0]
        raise DatasetError([f"{str(file)!r} cannot be read: {reason}; prepare the dataset again"]) from None
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, kind) for item in found):
        shown = reprlib.repr(content)
        wanted = f"must hold an object with the list {key!r}, got {shown}"
        raise DatasetError([f"{str(file)!r} {wanted}; prepare the dataset again"])
    return found


def _no_rows(name: str) -> str:
    cure = "split some rows off, for example with train_test_split" if name in (TRAIN, VALIDATION) else "leave it out"
    return f"the {name!r} split is empty; {cure}"


def _column_problems(name: str, split: datasets.Dataset) -> list[str]:
    columns = split.column_names
    problems: list[str] = []
    if "labels" not in columns:
        other = nearest("labels", columns)
        cure = f"rename {other!r} with rename_column({other!r}, 'labels')" if other else "add one"
        problems.append(f"{name}: there is no column 'labels' among {columns}; {cure}")
    if "input_ids" not in columns and "sequence" not in columns:
        other = nearest("sequence", columns) or next((c for c in columns if c.lower() in _OTHER_SEQUENCE_NAMES), None)
        cure = f"rename {other!r} with rename_column({other!r}, 'sequence')" if other else "add one"
        problems.append(f"{name}: a column 'input_ids' or 'sequence' is needed, there are {columns}; {cure}")
    used = [column for column in ("input_ids", "attention_mask", "sequence", "labels") if column in columns]
    table: pa.Table = split.with_format("arrow")[:] if used else pa.table({})
    problems += [
        f"{name}: {table[column].null_count} rows have no value in the column {column!r}; drop them"
        for column in used
        if table[column].null_count
    ]
    if not problems and "input_ids" not in columns:
        problems += _sequence_problems(name, table["sequence"])
    return problems


def _sequence_problems(name: str, column: pa.ChunkedArray) -> list[str]:
    """Find what no tokenizer can make tokens of."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return [f"{name}: the column 'sequence' holds {column.type}, not text; write each sequence in letters"]
    empty = [row for row, text in enumerate(column.to_pylist()) if not text.strip()]
    if not empty:
        return []
    return [f"{name}: {len(empty)} of {len(column)} sequences are empty (first: in row {empty[0]}); drop these rows"]


def _width_problems(labels: Mapping[str, NDArray[Any]]) -> list[str]:
    """Find the splits whose rows have more labels, or fewer, than those of `train`."""
    wanted = labels[TRAIN].shape[1:]
    return [
        f"{name}: its rows have {math.prod(read.shape[1:])} labels, those of train {math.prod(wanted)}; "
        f"give all the same ones, in the same order"
        for name, read in labels.items()
        if read.shape[1:] != wanted
    ]


def _read_labels(split: datasets.Dataset) -> Any:
    return split.with_format("arrow")[:]["labels"].to_pylist()


def _encode(name: str, split: datasets.Dataset, labels: Any, pad_token_id: int | None) -> EncodedSplit:
    table: pa.Table = split.with_format("arrow")[:]
    tokens, lengths = _flat(name, table, "input_ids", pa.int32(), "whole numbers")
    if "attention_mask" in table.column_names:
        mask, mask_lengths = _flat(name, table, "attention_mask", pa.uint8(), "0 and 1")
        if not np.array_equal(lengths, mask_lengths):
            message = f"{name}: the columns 'input_ids' and 'attention_mask' differ in length; prepare them again"
            raise DatasetError([message])
    else:
        mask = (tokens != (-1 if pad_token_id is None else pad_token_id)).astype(np.uint8)
    return EncodedSplit.from_padded(tokens, mask, lengths, labels)


def _flat(name: str, table: pa.Table, column: str, kind: pa.DataType, wanted: str) -> tuple[Any, Any]:
    """Return the values of a column of lists, one after the other, and the length of each list."""
    cure = "prepare it again, or leave it out and give 'sequence'"
    try:
        lists = table[column].cast(pa.large_list(kind)).combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        first = reprlib.repr(table[column][0].as_py())
        message = f"{name}: each row of the column {column!r} is a list of {wanted}, row 0 holds {first}; {cure}"
        raise DatasetError([message]) from error
    values = lists.flatten()
    if values.null_count:
        raise DatasetError([f"{name}: {values.null_count} numbers are missing in the column {column!r}; {cure}"])
    lengths = lists.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    return values.to_numpy(zero_copy_only=False), lengths


def _token_problems(name: str, split: EncodedSplit, unknown: int | None) -> list[str]:
    """Find rows without a token, ids that no tokenizer gives, and sequences that this one does not know."""
    problems: list[str] = []
    empty = np.flatnonzero(split.lengths == 0)
    if len(empty):
        problems.append(f"{name}: {len(empty)} rows have no tokens, the first is row {empty[0]}; drop them")
    lowest = int(split.tokens.min(initial=0))
    if lowest < 0:
        problems.append(f"{name}: token id {lowest} is below 0; prepare the dataset again")
    share = (split.tokens == unknown).sum() / max(len(split.tokens), 1)
    if unknown is not None and share > _MOST_UNKNOWN:
        cure = "write them as the model's tokenizer knows them, usually in upper-case letters"
        problems.append(f"{name}: {share:.0%} of the sequences' tokens are unknown to the tokenizer; {cure}")
    return problems


def _beside(path: Path, name: str) -> Path | None:
    """Find a file in the dataset's directory, or else next to that directory."""
    return next((file for file in (path / name, path.parent / name) if file.exists()), None)


def _read_mapping(file: Path) -> Mapping[str, Any]:
    try:
        read = read_document(file)
    except InvalidInputError as error:
        raise ValueError("; ".join(map(str, error.problems))) from None
    if not isinstance(read, dict):
        raise ValueError("an object is needed, {name: value, ...}")
    return read


def _read_class_weights(path: Path, task: Task, logits: int) -> tuple[tuple[float, ...] | None, list[str]]:
    file = _beside(path, "class_weights.json")
    if file is None:
        return None, []
    try:
        weights = task.class_weights_from(_read_mapping(file))
    except ValueError as error:
        return None, [f"{file}: {error}"]
    if len(weights) != logits:
        return None, [f"{file}: {logits} weights are needed for these labels, it gives {len(weights)}"]
    return weights, []


def _read_label_names(path: Path, logits: int) -> tuple[Mapping[str, int] | None, list[str]]:
    file = _beside(path, "label2id.json")
    if file is None:
        return None, []
    try:
        names = _read_mapping(file)
    except ValueError as error:
        return None, [f"{file}: {error}"]
    classes = max(logits, 2)  # one logit tells two classes apart
    if sorted(names.values(), key=str) != sorted(range(classes), key=str):
        return None, [f"{file}: the names need the numbers 0 to {classes - 1}, each once; it has {reprlib.repr(names)}"]
    return names, []


def _fingerprint(splits: Mapping[str, EncodedSplit]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, split in splits.items():
        digest.update(name.encode())
        for array in (split.tokens, split.mask, split.starts, split.labels):
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()
