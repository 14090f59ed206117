"""The record beside a saved model of what predictions need: its task, classes, thresholds, batches and rows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from bertnado_config import ArgumentProblem, InvalidInputError, ReverseComplement, read_json, write_json
from bertnado_metrics import Task, get_task
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from .batch_format import BatchFormat
from .sequence_options import SequenceOptions
from .strands import BothStrands, strands_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from transformers import TrainingArguments

    from .training_setup import TrainingSetup

RECORD = "prediction.json"
FORMAT = 1


class PredictionRecord(BaseModel):
    """What predictions need to know of a saved model. Further fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: int = FORMAT
    task: str
    classes: tuple[str, ...]
    """The names of classes or labels, of both classes of a binary task; those of the values of a regression."""
    thresholds: tuple[float, ...] = ()
    """The threshold of each logit; empty if the task has none."""
    criterion: str | None = None
    """What the thresholds maximise on validation; None if they are 0.5."""
    sequences: dict[str, Any] = {}
    """The options that sequences were written and cut with, see `SequenceOptions`."""
    columns: tuple[str, ...] = ("sequence",)
    """The columns that a row was made of."""
    batches: dict[str, Any] | None = None
    """The batches that the model takes, see `BatchFormat`; None if they are found by trying."""
    rows_per_batch: PositiveInt | None = None
    """The rows in a batch of an evaluation; None for as many as fit well."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    longest: int = 0
    """The most tokens of a row that the model was trained or evaluated on."""
    reverse_complement: ReverseComplement = "none"
    """The strands that the model was chosen by."""

    @property
    def task_object(self) -> Task:
        """The task."""
        return get_task(self.task)

    @property
    def logits(self) -> int:
        """The number of logits."""
        return 1 if self.task_object.has_positive_class else len(self.classes)

    @property
    def batch_format(self) -> BatchFormat | None:
        """The batches that the model takes; None if they are found by trying."""
        if self.batches is None:
            return None
        return BatchFormat(**{**self.batches, "inputs": tuple(self.batches["inputs"])})

    @property
    def options(self) -> SequenceOptions:
        """How sequences were written and cut."""
        return SequenceOptions(**self.sequences)


def record_of(
    setup: TrainingSetup,
    arguments: TrainingArguments,
    columns: Sequence[str],
    thresholds: Sequence[float],
    criterion: str | None,
) -> PredictionRecord:
    """Describe a model that was trained.

    Args:
        setup: What it was trained with, with the strands that it was evaluated on.
        arguments: The arguments of its training.
        columns: The columns that a row was made of.
        thresholds: The threshold of each logit.
        criterion: What they maximise on validation; None if they are 0.5.
    """
    return PredictionRecord(
        task=setup.task.name,
        classes=class_names(setup.task, setup.dataset.logits, setup.dataset.label2id or {}),
        thresholds=tuple(thresholds),
        criterion=criterion,
        sequences=asdict(setup.dataset.options),
        columns=tuple(columns),
        batches=asdict(setup.batch_format),
        rows_per_batch=arguments.per_device_eval_batch_size,
        precision="bf16" if arguments.bf16 else "fp16" if arguments.fp16 else "fp32",
        longest=max(int(rows.lengths.max()) for split in setup.dataset.splits.values() for rows in strands_of(split)),
        reverse_complement="average" if isinstance(setup.validation, BothStrands) else "none",
    )


def class_names(task: Task, logits: int, label2id: Mapping[str, int]) -> tuple[str, ...]:
    """Return the names of the classes; of a regression, those of its values.

    Args:
        task: The task.
        logits: The number of logits.
        label2id: The number of each class by its name; those without a name get one.
    """
    names = {number: name for name, number in label2id.items()}
    if task.has_positive_class:
        return names.get(0, "negative"), names.get(1, "positive")
    if task.predicts_values and logits == 1:
        return ("value",)
    plain = "value" if task.predicts_values else "LABEL"
    return tuple(names.get(number, f"{plain}_{number}") for number in range(logits))


def write_record(record: PredictionRecord, directory: Path) -> None:
    """Write the record into the directory of the model.

    Raises:
        OSError: It cannot be written.
    """
    write_json(directory / RECORD, record.model_dump(mode="json"))


def read_record(directory: Path) -> PredictionRecord | None:
    """Read the record of a saved model; None if it has none.

    Raises:
        InvalidInputError: It is damaged, or of a newer version.
    """
    path = directory / RECORD
    if not path.exists():
        return None
    try:
        content = read_json(path)
    except InvalidInputError as error:
        raise _error(path, "; ".join(map(str, error.problems))) from None
    written = content.get("format") if isinstance(content, dict) else None
    if isinstance(written, int) and written > FORMAT:
        raise _error(path, f"has format {written}, and this version reads up to {FORMAT}; update bertnado")
    try:
        record = PredictionRecord.model_validate(content)
        _ = record.task_object, record.batch_format, record.options
    except (ValidationError, ValueError, TypeError, LookupError) as error:
        raise _error(path, f"{_reason(error)}; train the model again, or remove the file") from None
    return record


def _error(path: Path, problem: str) -> InvalidInputError:
    return InvalidInputError([ArgumentProblem("model", f"{path} {problem}")])


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"is damaged: {error}"
    first = error.errors(include_url=False)[0]
    return f"is damaged: {'.'.join(map(str, first['loc'])) or 'the content'}: {first['msg'].lower()}"
