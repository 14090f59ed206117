"""Predictions of a saved model for a file of sequences, written as a table."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from bertnado_config import InvalidInputError, PredictionOptions
from bertnado_train import PredictionTable, Predictor, TableWriter, open_input, require_writable, written_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import TextIO

    from bertnado_config import Problem
    from bertnado_train import SequenceInput
STANDARD_OUTPUT = "-"


def write_predictions(
    given: Mapping[str, Any],
    output: Path | str,
    *,
    progress: Callable[[int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Predict a file of sequences; see `bertnado.api.predict`.

    Args:
        given: The fields of `PredictionOptions` that were given.
        output: The file to write, or `-` for the standard output stream.
        progress: Called with the number of rows so far, and that of all rows if it is known.

    Returns:
        What `bertnado.api.predict` returns, with notes that name options as a command or a call does.

    Raises:
        InvalidInputError: Something is wrong; nothing was written.
        TrialError: The model fails.
        OSError: The output cannot be written.
    """
    options = PredictionOptions.checked(given)
    predictor, source = _open(options, output)
    rows = 0
    thresholds = predictor.model.thresholds
    table = PredictionTable(predictor.record.task_object, predictor.record.classes, thresholds)
    with _opened(output) as file:
        writer = TableWriter(table, file)
        for part in predictor.predict(source):
            writer.write(part.ids, part.logits)
            rows += len(part.ids)
            if progress is not None:
                progress(rows, source.total)
    return {
        "output": str(output),
        "rows": rows,
        "task": predictor.record.task,
        "classes": list(predictor.record.classes),
        **({"threshold": list(thresholds)} if thresholds else {}),
        "reverse_complement": predictor.strands,
        "notes": predictor.notes(),
    }


def _open(options: PredictionOptions, output: Path | str) -> tuple[Predictor, SequenceInput]:
    """Open the model and the input.

    Raises:
        InvalidInputError: One of them, or the output, cannot be used; every problem is in it.
    """
    problems: list[Problem] = []
    predictor = source = None
    try:
        if output != STANDARD_OUTPUT:
            require_writable(output, source=options.input)
    except InvalidInputError as error:
        problems += error.problems
    try:
        predictor = Predictor(options)
    except InvalidInputError as error:
        problems += error.problems
    try:
        source = open_input(options, predictor.record if predictor else None)
    except InvalidInputError as error:
        problems += error.problems
    if problems or predictor is None or source is None:
        raise InvalidInputError(problems)
    return predictor, source


def _opened(output: Path | str) -> AbstractContextManager[TextIO]:
    return nullcontext(sys.stdout) if output == STANDARD_OUTPUT else written_atomically(output)
