"""Predictions as a table: one row for each input, written as tab-separated values."""

from __future__ import annotations

import csv
import errno
import gzip
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from bertnado_config import ArgumentProblem, InvalidInputError, path_problem, replaced_atomically
from bertnado_metrics import class_probabilities, predict_classes

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from bertnado_metrics import Task
    from numpy.typing import NDArray

ID, LABEL, TRUE_LABEL = "id", "label", "true_label"
_PROBABILITY = "probability_"
_SEPARATOR = ";"
"""Between the labels of a row of a multilabel task."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class PredictionTable:
    """The columns of a table of predictions."""

    task: Task
    classes: Sequence[str]
    """The names of classes or labels; of a regression, those of its values."""
    thresholds: Sequence[float]
    """The threshold of each logit."""
    has_truth: bool = False
    """True if the true labels stand in the last column."""

    @property
    def header(self) -> list[str]:
        """The names of the columns."""
        truth = [TRUE_LABEL] if self.has_truth else []
        if self.task.predicts_values:
            return [ID, *self.classes, *(f"true_{name}" for name in self.classes if truth)]
        return [ID, *(f"{_PROBABILITY}{name}" for name in self.classes), LABEL, *truth]

    def rows(self, ids: Sequence[str], logits: NDArray[Any], labels: NDArray[Any] | None = None) -> Iterator[list[str]]:
        """Yield the rows of the table; cells of a row without logits are empty.

        Args:
            ids: The identifier of each row.
            logits: Shape (rows, logits); NaN for a row that was skipped.
            labels: The true labels, if they have a column.
        """
        is_blank = [bool(np.isnan(row).any()) for row in logits]
        numbers = logits if self.task.predicts_values else class_probabilities(self.task, logits)
        predicted = self._names(
            None if self.task.predicts_values else predict_classes(self.task, logits, self.thresholds)
        )
        true = self._names(None) if labels is None else self._true(labels)
        for row, name in enumerate(ids):
            cells = [f"{number:.9g}" for number in numbers[row]]
            ends = [*predicted(row), *true(row)]
            yield [name, *([""] * (len(cells) + len(ends)) if is_blank[row] else [*cells, *ends])]

    def _true(self, labels: NDArray[Any]) -> Any:
        if self.task.predicts_values:
            columns = labels.reshape(len(labels), -1)
            return lambda row: [f"{number:.9g}" for number in columns[row]]
        if self.task.uses_class_weights:
            return self._names(labels.reshape(-1, 1).astype(int) == np.arange(len(self.classes)))
        return self._names(labels == 1)

    def _names(self, chosen: NDArray[Any] | None) -> Any:
        """Return a function that returns the cell of a row with the names of its classes; no cell without a choice."""
        if chosen is None:
            return lambda row: []
        return lambda row: [_SEPARATOR.join(self.classes[number] for number in np.flatnonzero(chosen[row]).tolist())]


class TableWriter:
    """Writes the rows of a table to an open file."""

    def __init__(self, table: PredictionTable, file: TextIO) -> None:
        """Write the header.

        Args:
            table: The columns.
            file: The file.
        """
        self._table = table
        self._writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        self._writer.writerow(table.header)

    def write(self, ids: Sequence[str], logits: NDArray[Any], labels: NDArray[Any] | None = None) -> None:
        """Write rows, see `PredictionTable.rows`."""
        self._writer.writerows(self._table.rows(ids, logits, labels))


@contextmanager
def written_atomically(path: Path | str) -> Generator[TextIO]:
    """Open a file that appears under its name when the block ends without an error; compressed if it ends in `.gz`.

    Raises:
        OSError: It cannot be written; an existing file is left as it was. The error names `path`.
    """
    path = Path(path)
    opened: Any = gzip.open if path.suffix == ".gz" else open
    scratch = None
    try:
        with (
            replaced_atomically(path) as scratch,
            opened(scratch, "xt", encoding="utf-8", errors="surrogateescape", newline="") as file,
        ):
            yield file
    except OSError as error:
        if error.filename not in (None, str(scratch)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def require_writable(path: Path | str, *, source: Path | str) -> None:
    """Check that predictions can be written to a file.

    Args:
        path: The file.
        source: The input of the predictions.

    Raises:
        InvalidInputError: It cannot be written.
    """
    problem = _output_problem(path, source)
    if problem:
        raise InvalidInputError([ArgumentProblem("output", problem)])


def _output_problem(name: Path | str, source: Path | str) -> str | None:
    problem = path_problem(name, "a file for the predictions")
    if problem:
        return f"{{output}} {problem}"
    path = Path(name)
    if path.is_dir():
        return f"{str(path)!r} is a directory; pass the name of a file"
    if not path.parent.is_dir():
        return f"the directory {str(path.parent)!r} does not exist; create it, or choose another {{output}}"
    if path.exists() and Path(source).exists() and path.samefile(source):
        return f"{str(path)!r} is the input; choose another {{output}}"
    try:
        with TemporaryFile(dir=path.parent) as probe:
            probe.write(b"writable?")
    except OSError as error:
        cure = (
            "free some space there, or choose another {output}" if error.errno in _FULL else "choose another {output}"
        )
        return f"{str(path.parent)!r} is not writable ({error.strerror}); {cure}"
    return None
