"""The evaluation of a final model: thresholds from validation, and one look at the test split."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from bertnado_config import ArgumentProblem
from bertnado_metrics import (
    DEFAULT_THRESHOLD,
    Threshold,
    bootstrap_intervals,
    choose_thresholds,
    compute_metrics,
    count_confusions,
    criterion_of,
    did_you_mean,
    metric_name_for_trainer,
    tabulate_classes,
)

from .best_checkpoint import EVALUATION, reported_metrics
from .dataset_files import row_batches
from .dataset_splits import TEST, VALIDATION, read_splits
from .prediction_record import record_of
from .prediction_table import PredictionTable, TableWriter, written_atomically
from .token_rows import SEQUENCES

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from transformers import PreTrainedModel

    from .encoded_split import EncodedSplit
    from .prediction_record import PredictionRecord
    from .task_trainer import TaskTrainer
    from .training_setup import TrainingSetup

PREDICTIONS = "predictions.tsv"
_OF_DECISIONS = ("accuracy", "f1", "precision", "recall", "mcc")
"""The metrics that depend on the threshold."""


@dataclass(frozen=True)
class FinalThresholds:
    """The thresholds of a final model."""

    chosen: Sequence[Threshold]
    """One for each logit; none if the task has no thresholds."""
    criterion: str | None = None
    """What they maximise; None if nothing was maximised."""
    reason: str | None = None

    @property
    def values(self) -> list[float]:
        """The probabilities above which labels are predicted."""
        return [threshold.value for threshold in self.chosen]

    def to_record(self) -> dict[str, Any]:
        """Return them with their origin, ready for JSON."""
        origin = {} if self.criterion is None else {"criterion": self.criterion, "reason": self.reason}
        scores = {} if self.criterion is None else {"scores": [threshold.score for threshold in self.chosen]}
        return {"values": self.values, "chosen_on": VALIDATION if self.criterion else None, **origin, **scores}


def final_thresholds(setup: TrainingSetup, trainer: TaskTrainer, objective: str | None) -> FinalThresholds:
    """Choose the thresholds on validation.

    Args:
        setup: The task and the dataset.
        trainer: The trainer with the final model.
        objective: The metric that the model was chosen by, without prefix; None if it was trained on validation as
            well, so that thresholds are the default.
    """
    task = setup.task
    if not task.prediction_rule.takes_thresholds:
        return FinalThresholds(())
    if objective is None:
        return FinalThresholds((Threshold(DEFAULT_THRESHOLD),) * setup.dataset.logits)
    logits = trainer.predict(setup.validation, metric_key_prefix=EVALUATION).predictions  # pyright: ignore[reportArgumentType]
    criterion = criterion_of(objective)
    chosen = choose_thresholds(task, logits, setup.validation.labels, objective)
    return FinalThresholds(chosen, criterion.name, criterion.reason)


def evaluate_test(
    setup: TrainingSetup,
    trainer: TaskTrainer,
    record: PredictionRecord,
    directory: Path,
    group_column: str | None = None,
) -> dict[str, Any]:
    """Evaluate the test split once, and write its predictions beside `metrics.json`.

    Args:
        setup: The task and the dataset, which has a test split.
        trainer: The trainer with the final model.
        record: The record of the model, with its thresholds.
        directory: The directory of `metrics.json`.
        group_column: The column of the dataset whose groups are resampled for the intervals; by default rows are.

    Returns:
        Entries of `metrics.json`: `test`, `test_interval`, `per_class`, ...
    """
    split: EncodedSplit = setup.dataset.splits[TEST]
    with _as_saved(trainer):
        found = trainer.predict(split, metric_key_prefix=EVALUATION)  # pyright: ignore[reportArgumentType]
    logits, labels = np.asarray(found.predictions, dtype=np.float64), split.labels
    metrics = reported_metrics(found.metrics or {})
    groups = None if group_column is None else _read_groups(setup, group_column)
    intervals = bootstrap_intervals(setup.task, logits, labels, groups=groups, class_weights=trainer.class_weights)
    table = PredictionTable(setup.task, record.classes, record.thresholds, has_truth=True)
    with written_atomically(directory / PREDICTIONS) as file:
        TableWriter(table, file).write([str(row) for row in range(len(split))], logits, labels)
    return {
        TEST: {metric_name_for_trainer(name): value for name, value in metrics.items()},
        "test_interval": intervals,
        "test_interval_over": "rows" if group_column is None else group_column,
        **_by_class(setup, record, logits, labels),
        "predictions": PREDICTIONS,
    }


@contextmanager
def _as_saved(trainer: TaskTrainer) -> Generator[None]:
    """Let the model predict in label units, as the saved one does: rounding in fp32 differs otherwise."""
    scale, model = trainer.label_scale, trainer.model
    with nullcontext() if scale is None or model is None else scale.folded(cast("PreTrainedModel", model)):
        trainer.label_scale = None
        try:
            yield
        finally:
            trainer.label_scale = scale


def _by_class(
    setup: TrainingSetup, record: PredictionRecord, logits: NDArray[Any], labels: NDArray[Any]
) -> dict[str, Any]:
    task, classes, thresholds = setup.task, record.classes, record.thresholds
    if task.predicts_values:
        return {}
    confusions = count_confusions(task, logits, labels, len(classes), thresholds)
    return {
        "per_class": tabulate_classes(task, logits, labels, classes, thresholds),
        **({"confusion": {"classes": list(classes), "rows": confusions}} if confusions else {}),
        **({"test_at_threshold": _decisions(setup, logits, labels, thresholds)} if thresholds else {}),
    }


def _decisions(
    setup: TrainingSetup, logits: NDArray[Any], labels: NDArray[Any], thresholds: Sequence[float]
) -> dict[str, float]:
    """Return the metrics of the decisions that the thresholds make."""
    cuts = np.clip(np.asarray(thresholds), *_INSIDE)
    moved = logits - np.log(cuts / (1 - cuts))
    metrics = compute_metrics(setup.task, moved, labels)
    return {name: metrics[name] for name in _OF_DECISIONS}


_INSIDE = (1e-300, 1 - 1e-16)
"""Probabilities that have a logit."""


def describe_model(setup: TrainingSetup, trainer: TaskTrainer, thresholds: FinalThresholds) -> PredictionRecord:
    """Return what predictions need to know of a final model."""
    stored = read_splits(setup.dataset.path)[VALIDATION].column_names
    columns = ["input_ids"] if "input_ids" in stored else [name for name in SEQUENCES if name in stored]
    return record_of(setup, trainer.args, columns, thresholds.values, thresholds.criterion)


def group_column_problem(dataset: Path, column: str) -> ArgumentProblem | None:
    """Return why the groups of a column of the test split cannot be resampled; None if they can.

    Raises:
        InvalidInputError: The dataset cannot be read.
    """
    stored = read_splits(dataset).get(TEST)
    if stored is None:
        return ArgumentProblem(
            "group_column", "{group_column} is for the test split, and the dataset has none; remove it"
        )
    if column not in stored.column_names:
        names = did_you_mean(column, stored.column_names)
        return ArgumentProblem("group_column", f"the test split has no column {column!r} for {{group_column}}; {names}")
    return None


def _read_groups(setup: TrainingSetup, column: str) -> list[object]:
    """Return the group of each test row."""
    stored = read_splits(setup.dataset.path)[TEST]
    return [group for batch in row_batches(stored, [column]) for group in batch[column].to_pylist()]
