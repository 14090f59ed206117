"""The batch sizes that fit into memory, found by running out of it, and remembered for a worker's later trials."""

from __future__ import annotations

import gc
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from accelerate.utils.memory import should_reduce_batch_size
from bertnado_config import TrialError

from .schedule import training_steps

if TYPE_CHECKING:
    from transformers import TrainingArguments

_logger = logging.getLogger(__name__)


class OutOfMemoryError(TrialError):
    """Not even a batch of one row fits into memory."""


@dataclass
class BatchSizeLimit:
    """The batch sizes that fit into memory. Effective batch sizes, steps and schedules stay as the parameters say."""

    smallest_failed: int | None = None
    """The smallest training batch that did not fit; `None` if all did."""
    evaluation: int | None = None
    """The largest evaluation batch that may be used; `None` if all fit so far."""

    def apply(self, arguments: TrainingArguments, rows: int, known: tuple[int, int] | None = None) -> None:
        """Lower the batch sizes of a trial as far as necessary, and accumulate more batches instead.

        Args:
            arguments: The trial's arguments, changed in place.
            rows: Rows of the training split.
            known: The rows of a training and of an evaluation batch that fitted an earlier attempt of the trial.
        """
        largest, evaluated = known or (arguments.per_device_train_batch_size, arguments.per_device_eval_batch_size)
        batch = arguments.per_device_train_batch_size
        effective = batch * arguments.gradient_accumulation_steps
        smaller = min(batch, largest)
        if self.smallest_failed is not None and smaller >= self.smallest_failed:
            smaller = max(size for size in range(1, self.smallest_failed) if effective % size == 0)
        if smaller != batch:
            if arguments.dataloader_drop_last:  # smaller batches drop fewer rows, which would add steps
                arguments.max_steps = training_steps(arguments, rows)
            arguments.per_device_train_batch_size = smaller
            arguments.gradient_accumulation_steps = effective // smaller
        limits = (arguments.per_device_eval_batch_size, evaluated, self.evaluation)
        arguments.per_device_eval_batch_size = min(limit for limit in limits if limit is not None)

    def lower_training(self, arguments: TrainingArguments) -> None:
        """Record that the training batch of a trial does not fit.

        Raises:
            OutOfMemoryError: It was a single row.
        """
        batch = arguments.per_device_train_batch_size
        if batch == 1:
            raise OutOfMemoryError(single_row_message("training"))
        _logger.warning("out of memory in training with batches of %d rows; accumulating smaller batches", batch)
        self.smallest_failed = batch

    def lower_evaluation(self, arguments: TrainingArguments) -> None:
        """Record that the evaluation batch of a trial does not fit, and halve it.

        Raises:
            OutOfMemoryError: It was a single row.
        """
        batch = arguments.per_device_eval_batch_size
        if batch == 1:
            raise OutOfMemoryError(single_row_message("evaluation"))
        self.evaluation = arguments.per_device_eval_batch_size = batch // 2
        _logger.warning("out of memory in evaluation with batches of %d rows; continuing with %d", batch, batch // 2)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether `error` means that the memory of a GPU or of the host is exhausted."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, Exception) and should_reduce_batch_size(error)


def release_memory() -> None:
    """Free memory that is no longer referenced, on the GPU as well."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def single_row_message(phase: str) -> str:
    """Return the message for a phase in which not even a batch of one row fits into memory."""
    return (
        f"out of memory in {phase} with a single row; use shorter sequences, a smaller model, "
        f"gradient_checkpointing: true, bf16, or fewer trials per GPU"
    )
