"""What fits into memory: found out by running out of it, and remembered for the worker's later trials."""

from __future__ import annotations

import gc
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from accelerate.utils.memory import should_reduce_batch_size
from bertnado_config import TrialError

from .arguments import training_steps

if TYPE_CHECKING:
    from transformers import TrainingArguments

_log = logging.getLogger(__name__)


class OutOfMemoryError(TrialError):
    """Not even one row at a time fits into memory."""


@dataclass
class Fit:
    """The batches that fit. Effective batches, steps and schedules stay what the parameters say."""

    too_large: int | None = None
    """Rows of the smallest batch that training ran out of memory with; `None` where it never did."""
    evaluation: int | None = None
    """Rows of the largest batch that an evaluation may take; `None` where it never ran out of memory."""

    def apply(self, arguments: TrainingArguments, rows: int) -> None:
        """Make batches smaller as far as is known to be necessary, and accumulate more of them.

        Args:
            arguments: A trial's; changed in place.
            rows: Rows of the training split.
        """
        batch = arguments.per_device_train_batch_size
        if self.too_large is not None and batch >= self.too_large:
            effective = batch * arguments.gradient_accumulation_steps
            if arguments.dataloader_drop_last:  # smaller batches leave out fewer rows
                arguments.max_steps = training_steps(arguments, rows)
            smaller = max(size for size in range(1, self.too_large) if effective % size == 0)
            arguments.per_device_train_batch_size = smaller
            arguments.gradient_accumulation_steps = effective // smaller
        if self.evaluation is not None:
            arguments.per_device_eval_batch_size = min(arguments.per_device_eval_batch_size, self.evaluation)

    def shrink_training(self, arguments: TrainingArguments) -> None:
        """Learn that a batch of training does not fit.

        Raises:
            OutOfMemoryError: It was a single row.
        """
        batch = arguments.per_device_train_batch_size
        if batch == 1:
            raise OutOfMemoryError(_too_long("training"))
        _log.warning("out of memory in training with batches of %d rows; smaller ones are accumulated", batch)
        self.too_large = batch

    def shrink_evaluation(self, arguments: TrainingArguments) -> None:
        """Learn that a batch of an evaluation does not fit, and halve it.

        Raises:
            OutOfMemoryError: It was a single row.
        """
        batch = arguments.per_device_eval_batch_size
        if batch == 1:
            raise OutOfMemoryError(_too_long("an evaluation"))
        self.evaluation = arguments.per_device_eval_batch_size = batch // 2
        _log.warning("out of memory in an evaluation with batches of %d rows; %d from here on", batch, batch // 2)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory, a GPU's or the host's, was exhausted."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, Exception) and should_reduce_batch_size(error)


def release_memory() -> None:
    """Give back what nothing refers to any more, to the GPU as well."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _too_long(doing: str) -> str:
    return (
        f"out of memory in {doing} with a single row; use shorter sequences, a smaller model, "
        f"gradient_checkpointing: true or --precision bf16, or fewer --trials-per-gpu"
    )
