"""Predictions of a saved model, with tokens and batches as in its training, for any number of rows."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from bertnado_config import ArgumentProblem, InvalidInputError, PredictionOptions, TrialError
from bertnado_metrics import resolve_objective

from .batch_size_limit import OutOfMemoryError
from .encoded_split import EncodedSplit
from .loading_errors import first_line
from .model_probe import probe_model
from .padding import choose_padding
from .precision import precision_problems
from .predicted_rows import encode_texts, encode_tokens
from .prediction_model import open_model
from .sequence_files import Columns, open_sequences
from .sequence_form import SequenceForm
from .sequence_rules import SequenceRules, SequenceWriter, reverse_complement
from .task_trainer import TaskTrainer
from .token_limit import TokenLimit
from .token_rows import tokenise
from .training_arguments import make_training_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bertnado_config import Precision, ReverseComplement
    from numpy.typing import NDArray

    from .batch_format import BatchFormat
    from .prediction_model import OpenedModel
    from .prediction_record import PredictionRecord
    from .sequence_files import SequenceInput, SequenceRow

CHUNK_ROWS = 4096
"""Rows that are in memory at once, and whose batches are made together."""
_CHUNK_LETTERS = 1 << 24
"""Letters of rows that are in memory at once, unless a single row has more."""
_NO_ROWS = EncodedSplit(np.zeros(0, np.uint16), None, np.zeros(1, np.int64), np.zeros(0, np.float32))


@dataclass(frozen=True)
class PredictedRows:
    """The logits of some rows, in their order."""

    ids: Sequence[str]
    logits: NDArray[np.float64]
    """Shape (rows, logits); NaN for a row that was skipped."""


class Predictor:
    """Predicts sequences with a saved model.

    What it finds in the sequences it counts; `notes` says it.
    """

    def __init__(self, options: PredictionOptions) -> None:
        """Open the model.

        Args:
            options: The model, the input, and the treatment of what the model does not expect.

        Raises:
            InvalidInputError: The model cannot be used, or an option does not fit it; every problem is in it.
        """
        self._options = options
        self.model: OpenedModel = open_model(options)
        self.record = self.model.record
        trained = self.record.options
        form = SequenceForm(options.uppercase or trained.uppercase, options.rna_to_dna or trained.rna_to_dna)
        self._rules = SequenceRules(form, options.ambiguous_letters, options.other_letters, options.empty)
        self.strands: ReverseComplement = options.reverse_complement or self.record.reverse_complement
        self._limit = TokenLimit(self.model, options)
        self._format: BatchFormat | None = self.record.batch_format
        self._writer = SequenceWriter(self._rules, str(options.input))
        self._rows = 0
        _refuse(precision_problems(self._precision, ()))

    def predict(self, rows: Iterable[SequenceRow]) -> Iterator[PredictedRows]:
        """Yield the logits of rows, some thousand at a time.

        Args:
            rows: The rows; they are read as they are needed, and not kept.

        Raises:
            InvalidInputError: A row cannot be predicted as the options say.
            TrialError: The model fails, or gives something other than finite numbers.
        """
        for chunk in _chunks(rows):
            written = [self._writer.write(row) for row in chunk]
            kept = [number for number, texts in enumerate(written) if texts is not None]
            logits = np.full((len(chunk), self.record.logits), np.nan)
            if kept:
                texts = [texts for texts in written if texts is not None]
                logits[kept] = self._logits([chunk[number] for number in kept], texts)
            self._rows += len(chunk)
            yield PredictedRows([row.id for row in chunk], logits)

    def notes(self) -> list[ArgumentProblem]:
        """Say what was found in the sequences so far, and what was done about it; `{name}` stands for an option."""
        said = [*self.model.notes, *self._writer.notes(self._rows, self._changes_tokens), *self._limit.notes()]
        return [ArgumentProblem("", note, "warning") for note in said]

    def _logits(self, rows: Sequence[SequenceRow], texts: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
        """Return the logits of rows of which none is skipped."""
        if rows[0].tokens is not None:
            if self.strands == "average":
                raise _cannot_turn("the rows are token ids; pass sequences")
            return self._run(rows, encode_tokens(rows, self.model))
        first = self._run(rows, encode_texts(rows, texts, self.model, self._first_form))
        if self.strands == "none":
            return first
        if len(texts[0]) > 1:
            raise _cannot_turn("the model takes pairs of sequences")
        other = [(reverse_complement(text),) for (text,) in texts]
        return (first + self._run(rows, encode_texts(rows, other, self.model))) / 2

    def _run(self, rows: Sequence[SequenceRow], encoded: EncodedSplit) -> NDArray[np.float64]:
        """Return the logits of encoded rows, those of windows averaged."""
        fitting = self._limit.apply(rows, encoded)
        if self._format is None:
            self._format = self._try_batches(fitting.split)
        trainer = self._trainer
        try:
            computed = trainer.compute_logits(fitting.split).astype(np.float64)
        except OutOfMemoryError as error:
            longest = int(fitting.split.lengths.max())
            raise TrialError(
                f"out of memory with a single row of {longest:,} tokens; use {{too_long}} windows"
            ) from error
        except Exception as error:  # its code raises whatever it raises
            longest = int(fitting.split.lengths.max())
            raise TrialError(
                f"the model cannot be run on rows of up to {longest:,} tokens: {first_line(error)}"
            ) from error
        finally:
            trainer.forget_batches()
        logits = fitting.mean(computed, len(rows))
        wrong = np.flatnonzero(~np.isfinite(logits).all(axis=1))
        if len(wrong):
            row = rows[int(wrong[0])]
            raise TrialError(f"the model gives NaN or infinity for {row.id!r} ({row.place}); use {{precision}} fp32")
        return logits

    @property
    def _first_form(self) -> SequenceForm | None:
        """How sequences are written, before the first rows."""
        return None if self._rows else self._rules.form

    @property
    def _precision(self) -> Precision:
        return self._options.precision or self.record.precision

    @cached_property
    def _trainer(self) -> TaskTrainer:
        """The trainer that evaluates as training did."""
        task, batch = self.record.task_object, self.record.rows_per_batch
        with tempfile.TemporaryDirectory() as directory:
            arguments = make_training_arguments(
                {} if batch is None else {"per_device_eval_batch_size": batch},
                output_dir=directory,
                objective=resolve_objective(task, None, None),
                rows=1,
                longest=self._limit.longest_seen,
                seed=0,
                precision=self._precision,
            )
            return TaskTrainer(self.model.model, arguments, task, None, _NO_ROWS, _NO_ROWS, None, self._format)

    def _try_batches(self, rows: EncodedSplit) -> BatchFormat:
        """Find out which batches a model without a record takes.

        Raises:
            InvalidInputError: It cannot be run.
        """
        padding = choose_padding(self.model.model.config, self.model.tokenizer)
        probe = probe_model(
            self.model.model, [rows], pad_token_id=padding.token_id, side=padding.side, logits=self.record.logits
        )
        _refuse(ArgumentProblem("model", problem) for problem in probe.problems)
        return probe.format

    def _changes_tokens(self, texts: Sequence[str], rewrite: Callable[[str], str]) -> bool:
        tokenizer = self.model.tokenizer
        if tokenizer is None or not texts:
            return False
        before, after = (tokenise(tokenizer, chosen)["input_ids"] for chosen in (texts, list(map(rewrite, texts))))
        return before != after


def open_input(options: PredictionOptions, record: PredictionRecord | None = None) -> SequenceInput:
    """Open the input of a prediction.

    Args:
        options: The options of the prediction.
        record: That of the model, which says whether it takes pairs.

    Raises:
        InvalidInputError: The input does not exist, cannot be read, or lacks a column or the split.
    """
    second = record.columns[1:] if record and record.columns[:1] == ("sequence",) else ()
    columns = Columns((options.sequence_column, *second), options.id_column)
    return open_sequences(options.input, columns, options.split)


def _chunks(rows: Iterable[SequenceRow]) -> Iterator[list[SequenceRow]]:
    """Yield rows in parts that are small enough for the memory."""
    chunk: list[SequenceRow] = []
    letters = 0
    for row in rows:
        chunk.append(row)
        letters += sum(map(len, row.texts))
        if len(chunk) == CHUNK_ROWS or letters >= _CHUNK_LETTERS:
            yield chunk
            chunk, letters = [], 0
    if chunk:
        yield chunk


def _refuse(problems: Iterable[Any]) -> None:
    """Raise an error if there are problems.

    Raises:
        InvalidInputError: There are.
    """
    found = list(problems)
    if found:
        raise InvalidInputError(found)


def _cannot_turn(reason: str) -> InvalidInputError:
    message = f"{{reverse_complement}} average needs one sequence for each row, but {reason}, or use none"
    return InvalidInputError([ArgumentProblem("reverse_complement", message)])
