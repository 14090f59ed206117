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

import torch
from bertnado_config import GPU_SHARE

from bertnado_train.backbone_fingerprint import backbone_fingerprint
from bertnado_train.batch_size_limit import BatchSizeLimit, is_out_of_memory, release_memory
from bertnado_train.best_checkpoint import BestCheckpointCallback
from bertnado_train.cached_features import features_of_some
from bertnado_train.parameters.namespaces import trial_settings
from bertnado_train.stored_model import hide_reports
from bertnado_train.strands import BothStrands
from bertnado_train.trained_checkpoint import save_trained
from bertnado_train.training_arguments import without_evaluations
from bertnado_train.trial import SilentReport, make_model, make_trainer

from .evaluation_cost import MeasuredEvaluation, measure_evaluation, measure_on_features, seconds_of
from .step_cost import MeasuredBatch, StepCost
from .stopwatch import MeasuredTrainer, Shape, Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from bertnado_metrics import Objective
    from numpy.typing import NDArray
    from transformers import TrainingArguments

    from bertnado_train.cached_features import SampledFeatures
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
    evaluation: MeasuredEvaluation
    features: float
    """Seconds to compute the features of a frozen backbone, which the first trial does for all; 0 without them."""


@dataclass(frozen=True)
class Measured:
    """What was measured in one process."""

    kinds: Sequence[MeasuredKind]
    limit: BatchSizeLimit
    batch: int
    """The rows of the largest batch that was trained."""
    prepare: float
    """Seconds from the start of a trial to its first step."""
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
    evaluations: dict[bool, MeasuredEvaluation] = field(default_factory=dict[bool, MeasuredEvaluation])
    """Those of a model without cached features that are measured, by whether they average both strands."""

    def measure_first(self, kind: Kind) -> Measured:
        """Measure steps, and on the same trainer everything else."""
        measured, trainer, prepare = self._train(kind)
        report = SilentReport(self.directory, self.request.objective)
        keep = seconds_of(lambda: BestCheckpointCallback(report).keep_weights(cast("Any", trainer.model)))
        checkpoint = self.directory / "checkpoint"
        save = seconds_of(lambda: self._save(trainer, checkpoint))
        device = trainer.args.device
        return Measured(
            kinds=[measured],
            limit=self.limit,
            batch=trainer.args.per_device_train_batch_size,
            prepare=prepare,
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

    def _train(self, kind: Kind) -> tuple[MeasuredKind, MeasuredTrainer, float]:
        """Train until the batches fit into memory and every shape is known.

        Returns:
            The steps with an evaluation, the trainer, and the seconds of the preparation.

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

    def _train_batches(self, kind: Kind, arguments: TrainingArguments) -> tuple[MeasuredKind, MeasuredTrainer, float]:
        begin = time.perf_counter()
        model = make_model(self.setup, kind.largest, arguments.seed)
        # before a trainer changes the model
        is_frozen = trial_settings(kind.largest).freeze == "backbone"
        fingerprint = backbone_fingerprint(model, self.setup.model) if is_frozen else None
        trainer = cast(
            "MeasuredTrainer",
            make_trainer(self.setup, kind.largest, arguments, model, batch_size_limit=self.limit, kind=MeasuredTrainer),
        )
        prepare = time.perf_counter() - begin
        with self._features(trainer, fingerprint) as features:
            return self._time_batches(kind, trainer, prepare, features)

    def _features(
        self, trainer: MeasuredTrainer, fingerprint: str | None
    ) -> AbstractContextManager[SampledFeatures | None]:
        """Train on cached features in the block, where trials with a frozen backbone do."""
        if fingerprint is None:
            return nullcontext()
        return features_of_some(trainer, self.setup, fingerprint, 2 * trainer.args.per_device_train_batch_size)

    def _time_batches(
        self, kind: Kind, trainer: MeasuredTrainer, prepare: float, features: SampledFeatures | None
    ) -> tuple[MeasuredKind, MeasuredTrainer, float]:
        largest = trainer.args.per_device_train_batch_size
        rows = self.setup.train if features is None else features.rows
        shapes = choose_shapes(rows, largest, min(kind.batches[0], largest))
        allowed = 0.0

        def allow(longest: Shape) -> float:
            nonlocal allowed
            a_trial = longest.seconds[0] / longest.tokens[0] * kind.tokens
            allowed = min(max(a_trial * _SHARE_OF_A_TRIAL, _FEWEST_SECONDS), _MOST_SECONDS) / len(self.request.kinds)
            return allowed / len(shapes)

        begin = time.perf_counter()
        trainer.stopwatch = Stopwatch(shapes, trainer.args.device, allow, lambda: self.tell(Trying(largest)))
        trainer.add_callback(trainer.stopwatch)
        trainer.train()
        batches, optimiser = zip(*(shape.to_measured() for shape in shapes), strict=True)
        cost = StepCost.fitted(statistics.median(optimiser), batches)
        prepare += (trainer.stopwatch.first_step_at or begin) - begin
        if features is not None:
            evaluation, seconds = measure_on_features(trainer, self.setup, features.rows), features.seconds
        else:
            evaluation, seconds = self._evaluate(trainer, max(allowed / 3, _EVALUATION_SECONDS)), 0.0
        return MeasuredKind(cost, batches, evaluation, seconds), trainer, prepare

    def _evaluate(self, trainer: MeasuredTrainer, allowed: float) -> MeasuredEvaluation:
        """Evaluate without cached features, once for all kinds of the same strands: what is trained changes nothing."""
        is_averaged = isinstance(trainer.eval_dataset, BothStrands)
        if is_averaged not in self.evaluations:
            batch = trainer.args.per_device_train_batch_size
            found = measure_evaluation(trainer, self.setup, allowed, lambda: self.tell(Trying(batch)))
            self.evaluations[is_averaged] = found
        return self.evaluations[is_averaged]


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
