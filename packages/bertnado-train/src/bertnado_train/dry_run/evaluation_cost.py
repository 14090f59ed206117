"""The seconds of an evaluation, from one that was measured, of all validation rows or of some."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from bertnado_metrics import compute_metrics

from bertnado_train.strands import BothStrands

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from bertnado_train.features import FeatureSplit
    from bertnado_train.task_trainer import TaskTrainer
    from bertnado_train.training_setup import TrainingSetup

_MOST_BYTES = 2**26
"""The most bytes of features that are evaluated at once."""


@dataclass(frozen=True)
class MeasuredEvaluation:
    """What one evaluation of all validation rows takes."""

    seconds: float
    share: float
    """The share of the rows that was evaluated to know this."""


def measure_evaluation(
    trainer: TaskTrainer, setup: TrainingSetup, allowed: float, tell: Callable[[], None]
) -> MeasuredEvaluation:
    """Evaluate all rows, or as many batches as the time allows.

    Args:
        trainer: The trainer of a trial.
        setup: The dataset and the model.
        allowed: The seconds that it may take.
        tell: Called before each evaluation.
    """
    rows: Any = trainer.eval_dataset
    order = rows.longest_first

    def evaluate(chosen: NDArray[np.int64]) -> float:
        tell()
        some = rows.__getitems__(chosen.tolist())
        return seconds_of(lambda: trainer.evaluate(some))

    evaluate(order[: trainer.args.per_device_eval_batch_size])
    size = trainer.args.per_device_eval_batch_size  # less if memory ran out
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    affordable = int(allowed / evaluate(batches[len(batches) // 2]))
    if affordable >= len(batches) / 2:
        times = max(min(affordable // len(batches), 5), 1)
        return MeasuredEvaluation(statistics.median(seconds_of(lambda: trainer.evaluate()) for _ in range(times)), 1.0)
    chosen = np.linspace(0, len(batches) - 1, max(min(affordable, len(batches)), 2)).round().astype(int)
    some = np.concatenate([batches[index] for index in np.unique(chosen)])
    seconds = evaluate(some) * float(rows.lengths.sum() / rows.lengths[some].sum())
    return MeasuredEvaluation(seconds + _metrics_seconds(trainer, setup), len(some) / len(rows))


def measure_on_features(trainer: TaskTrainer, setup: TrainingSetup, rows: FeatureSplit) -> MeasuredEvaluation:
    """Evaluate rows that a trainer has cached features of, repeated until they are as many as those of validation."""
    whole = len(setup.validation)
    count = min(whole, max(len(rows), _MOST_BYTES * len(rows) // rows.tensor.nbytes))
    repeated: Any = rows.__getitems__(np.resize(np.arange(len(rows)), count).tolist())
    if isinstance(trainer.eval_dataset, BothStrands):
        repeated = BothStrands.of(repeated, repeated)
    seconds = statistics.median(seconds_of(lambda: trainer.evaluate(repeated)) for _ in range(3))
    if count < whole:
        seconds = seconds * whole / count + _metrics_seconds(trainer, setup)
    return MeasuredEvaluation(seconds, count / whole)


def _metrics_seconds(trainer: TaskTrainer, setup: TrainingSetup) -> float:
    """Return the seconds that the metrics of all validation rows take, with logits of any value."""
    assert trainer.evaluated is not None  # noqa: S101  (it has evaluated a moment ago)
    labels = setup.validation.labels
    shape = (len(labels), *trainer.evaluated.shape[1:])
    logits = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return seconds_of(lambda: compute_metrics(setup.task, logits, labels))


def seconds_of(act: Callable[[], Any]) -> float:
    """Return the seconds that something takes, the work of the GPU included."""
    begin = _now()
    act()
    return _now() - begin


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
