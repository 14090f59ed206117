"""The measurements, which another process makes."""

from __future__ import annotations

import copy
import logging
import os
import resource
import statistics
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from bertnado_config import GPU_SHARE
from bertnado_metrics import compute_metrics

from bertnado_train.batch_size_limit import BatchSizeLimit, is_out_of_memory, release_memory
from bertnado_train.best_checkpoint import BestCheckpointCallback
from bertnado_train.stored_model import hide_reports
from bertnado_train.trained_checkpoint import save_trained
from bertnado_train.training_arguments import without_evaluations
from bertnado_train.trial import SilentReport, make_model, make_trainer

from .step_cost import MeasuredBatch, StepCost
from .stopwatch import MeasuredTrainer, Shape, Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bertnado_metrics import Objective
    from numpy.typing import NDArray
    from transformers import TrainingArguments

    from bertnado_train.encoded_split import EncodedSplit
    from bertnado_train.huggingface_trainer import HuggingFaceTrainer
    from bertnado_train.training_setup import TrainingSetup

    from .kinds import Kind

_SHARE_OF_A_TRIAL = 0.05
"""The share of a trial that measuring may take."""

_FEWEST_SECONDS, _MOST_SECONDS = 1.0, 18.0
"""Seconds for the training steps of all kinds together, however short or long a trial is."""

_EVALUATION_SECONDS = 0.3
"""Seconds for evaluations at least; at most a third of those for steps."""

_FAR = 10**6
"""A number of steps that is never reached."""


@dataclass(frozen=True)
class Request:
    """What to measure."""

    kinds: Sequence[Kind]
    objective: Objective
    place: Mapping[str, str]
    """The environment variables of the worker that this process stands for."""
    directory: Path
    """A directory on the disk that checkpoints are written to."""
    limit: BatchSizeLimit = field(default_factory=BatchSizeLimit)
    """The batch sizes that are known to fit."""


@dataclass(frozen=True)
class Trying:
    """Told before each attempt with batches of a size, and after each step."""

    batch: int


@dataclass(frozen=True)
class MeasuredKind:
    """The cost of the steps of one kind."""

    cost: StepCost
    batches: Sequence[MeasuredBatch]
    """Of the longest rows, of rows of median length, and of few of these."""


@dataclass(frozen=True)
class Measured:
    """What was measured in one process."""

    kinds: Sequence[MeasuredKind]
    limit: BatchSizeLimit
    batch: int
    """The rows of the largest batch that was trained."""
    prepare: float
    """Seconds from the start of a trial to its first step."""
    evaluation: float
    """Seconds of one evaluation."""
    evaluated: float
    """The share of the validation rows that was evaluated to know this."""
    keep: float
    """Seconds to keep the weights of the best evaluation."""
    save: float
    """Seconds to write a checkpoint."""
    checkpoint_bytes: int
    memory_bytes: int
    """The most memory so far: of the GPU, otherwise of the process."""
    gpu_bytes: int | None
    """The memory of the GPU; `None` without one."""


def measure(trainer: HuggingFaceTrainer, request: Request, tell: Callable[[Any], None]) -> Measured:
    """Train some steps, evaluate, and save a checkpoint.

    Raises:
        OutOfMemoryError: Not even a batch of one row fits into memory.
        Exception: What training, evaluating or saving raises.
    """
    logging.disable(logging.WARNING)
    _move_to(request.place)
    limit = copy.copy(request.limit)
    first, *others = request.kinds
    with hide_reports(), tempfile.TemporaryDirectory(dir=_writable(request.directory), prefix=".dry-run-") as directory:
        run = _Run(trainer.setup, request, limit, Path(directory), tell)
        measured = run.measure_first(first)
        kinds = [measured.kinds[0], *(run.measure_kind(kind) for kind in others)]
    device = torch.device("cuda") if torch.cuda.is_available() else None
    return replace(measured, kinds=kinds, limit=limit, memory_bytes=_peak_memory(device))


def _move_to(place: Mapping[str, str]) -> None:
    """Take the threads and the share of the GPU that a worker is given."""
    if threads := place.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(threads))
    share = float(place.get(GPU_SHARE, os.environ.get(GPU_SHARE, 1)))
    if torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(share)
        torch.cuda.reset_peak_memory_stats()


def _writable(directory: Path) -> Path | None:
    """Return the directory if files can be made there, otherwise `None` for the one of temporary files."""
    return directory if os.access(directory, os.W_OK | os.X_OK) else None


def _peak_memory(device: torch.device | None) -> int:
    if device is not None:
        return torch.cuda.max_memory_reserved(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@dataclass
class _Run:
    """Measures kinds of trials, one after the other."""

    setup: TrainingSetup
    request: Request
    limit: BatchSizeLimit
    directory: Path
    tell: Callable[[Any], None]

    def measure_first(self, kind: Kind) -> Measured:
        """Measure steps, and on the same trainer everything else."""
        measured, trainer, prepare, allowed = self._train(kind)
        evaluation, evaluated = self._evaluate(trainer, max(allowed / 3, _EVALUATION_SECONDS))
        report = SilentReport(self.directory, self.request.objective)
        keep = _seconds(lambda: BestCheckpointCallback(report).keep_weights(cast("Any", trainer.model)))
        checkpoint = self.directory / "checkpoint"
        save = _seconds(lambda: self._save(trainer, checkpoint))
        device = trainer.args.device
        return Measured(
            kinds=[measured],
            limit=self.limit,
            batch=trainer.args.per_device_train_batch_size,
            prepare=prepare,
            evaluation=evaluation,
            evaluated=evaluated,
            keep=keep,
            save=save,
            checkpoint_bytes=sum(file.stat().st_size for file in checkpoint.rglob("*") if file.is_file()),
            memory_bytes=0,
            gpu_bytes=torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None,
        )

    def _save(self, trainer: MeasuredTrainer, checkpoint: Path) -> None:
        model = cast("Any", trainer.model)
        with nullcontext() if trainer.label_scale is None else trainer.label_scale.folded(model):
            save_trained(model, self.setup.model, checkpoint)

    def measure_kind(self, kind: Kind) -> MeasuredKind:
        """Measure steps."""
        measured = self._train(kind)[0]
        release_memory()
        return measured

    def _train(self, kind: Kind) -> tuple[MeasuredKind, MeasuredTrainer, float, float]:
        """Train until the batches fit into memory and every shape is known.

        Returns:
            The steps, the trainer, and the seconds of the preparation and of what was allowed for the steps.

        Raises:
            OutOfMemoryError: Not even a batch of one row fits.
        """
        while True:
            arguments = self.setup.training_arguments(kind.largest, self.request.objective, self.directory)
            self.limit.apply(arguments, len(self.setup.train))
            self.tell(Trying(arguments.per_device_train_batch_size))
            try:
                return self._train_batches(kind, without_evaluations(arguments, _FAR))
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            self.limit.lower_training(arguments)
            release_memory()  # not in the except block, where the traceback keeps the model alive

    def _train_batches(
        self, kind: Kind, arguments: TrainingArguments
    ) -> tuple[MeasuredKind, MeasuredTrainer, float, float]:
        begin = time.perf_counter()
        model = make_model(self.setup, kind.largest, arguments.seed)
        trainer = cast(
            "MeasuredTrainer",
            make_trainer(self.setup, kind.largest, arguments, model, batch_size_limit=self.limit, kind=MeasuredTrainer),
        )
        largest = arguments.per_device_train_batch_size
        shapes = choose_shapes(self.setup.train, largest, min(kind.batches[0], largest))
        allowed = 0.0

        def allow(longest: Shape) -> float:
            nonlocal allowed
            a_trial = longest.seconds[0] / longest.tokens[0] * kind.tokens
            allowed = min(max(a_trial * _SHARE_OF_A_TRIAL, _FEWEST_SECONDS), _MOST_SECONDS) / len(self.request.kinds)
            return allowed / len(shapes)

        trainer.stopwatch = Stopwatch(shapes, arguments.device, allow, lambda: self.tell(Trying(largest)))
        trainer.add_callback(trainer.stopwatch)
        trainer.train()
        batches, optimiser = zip(*(shape.to_measured() for shape in shapes), strict=True)
        cost = StepCost.fitted(statistics.median(optimiser), batches)
        prepare = (trainer.stopwatch.first_step_at or begin) - begin
        return MeasuredKind(cost, batches), trainer, prepare, allowed

    def _evaluate(self, trainer: MeasuredTrainer, allowed: float) -> tuple[float, float]:
        """Evaluate all rows, or as many batches as the time allows.

        Returns:
            The seconds of one evaluation of all rows, and the share of them that was evaluated to know this.
        """
        rows, order = self.setup.validation, self.setup.validation.longest_first
        size = trainer.args.per_device_eval_batch_size
        self._evaluate_rows(trainer, rows, order[:size])
        size = trainer.args.per_device_eval_batch_size  # less if memory ran out
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        typical = self._evaluate_rows(trainer, rows, batches[len(batches) // 2])
        affordable = int(allowed / typical)
        if affordable >= len(batches) / 2:
            times = max(min(affordable // len(batches), 5), 1)
            return statistics.median(_seconds(lambda: trainer.evaluate()) for _ in range(times)), 1.0
        chosen = np.linspace(0, len(batches) - 1, max(min(affordable, len(batches)), 2)).round().astype(int)
        some = np.concatenate([batches[index] for index in np.unique(chosen)])
        seconds = self._evaluate_rows(trainer, rows, some)
        share = float(rows.lengths[some].sum() / rows.lengths.sum())
        return seconds / share + self._metrics_seconds(trainer), len(some) / len(rows)

    def _evaluate_rows(self, trainer: MeasuredTrainer, rows: EncodedSplit, chosen: NDArray[np.int64]) -> float:
        self.tell(Trying(trainer.args.per_device_train_batch_size))
        some = rows.__getitems__(chosen.tolist())
        return _seconds(lambda: trainer.evaluate(cast("Any", some)))

    def _metrics_seconds(self, trainer: MeasuredTrainer) -> float:
        """Return the seconds that the metrics of all validation rows take, with logits of any value."""
        assert trainer.evaluated is not None  # noqa: S101  (it has evaluated a moment ago)
        labels = self.setup.validation.labels
        shape = (len(labels), *trainer.evaluated.shape[1:])
        logits = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        return _seconds(lambda: compute_metrics(self.setup.task, logits, labels))


def choose_shapes(rows: EncodedSplit, largest: int, smallest: int) -> list[Shape]:
    """Return batches of the longest rows, of the middle half of them, and small ones of these if sizes vary."""
    lengths, order = rows.lengths, rows.longest_first
    largest = min(largest, len(order))
    shapes = [Shape(order[:largest], largest, lengths), _of_the_middle(order, largest, lengths)]
    return [*shapes, _of_the_middle(order, smallest, lengths)] if smallest < largest else shapes


def _of_the_middle(order: NDArray[np.int64], size: int, lengths: NDArray[np.int64]) -> Shape:
    """Return batches of the middle half of the rows, or of more if these are too few."""
    count = max(len(order) // 2, size)
    start = (len(order) - count) // 2
    return Shape(order[start : start + count], size, lengths)


def _seconds(act: Callable[[], Any]) -> float:
    begin = _now()
    act()
    return _now() - begin


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
