"""The number of optimiser steps and evaluations of a trial, as the `Trainer` counts them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transformers.trainer_utils import IntervalStrategy

if TYPE_CHECKING:
    from transformers import TrainingArguments


@dataclass(frozen=True)
class Schedule:
    """The number of steps and evaluations of one trial."""

    steps: int
    """Optimiser steps."""
    evaluations: int
    """Evaluations, including the one after the last step."""


def trial_schedule(arguments: TrainingArguments, rows: int) -> Schedule:
    """Count the optimiser steps and evaluations of a trial over `rows` training rows."""
    steps = training_steps(arguments, rows)
    interval = {
        IntervalStrategy.STEPS: int(arguments.eval_steps or 1),
        IntervalStrategy.EPOCH: _steps_per_epoch(arguments, rows),
    }.get(IntervalStrategy(arguments.eval_strategy), steps)
    skipped = math.ceil(arguments.eval_delay * _steps_per_delay_unit(arguments, rows) / interval) - 1
    return Schedule(steps, max(math.ceil(steps / interval) - max(skipped, 0), 1))


def training_steps(arguments: TrainingArguments, rows: int) -> int:
    """Count the optimiser steps of a trial over `rows` training rows."""
    if arguments.max_steps > 0:
        return arguments.max_steps
    return math.ceil(arguments.num_train_epochs * _steps_per_epoch(arguments, rows))


def whole_steps(interval: float, steps: int) -> int:
    """Convert an interval, a ratio of all steps if below 1, to steps; round up as the `Trainer` does."""
    return max(math.ceil(steps * interval) if interval < 1 else int(interval), 1)


def _steps_per_epoch(arguments: TrainingArguments, rows: int) -> int:
    batch = arguments.per_device_train_batch_size
    batches = rows // batch if arguments.dataloader_drop_last else math.ceil(rows / batch)
    return max(math.ceil(batches / arguments.gradient_accumulation_steps), 1)


def _steps_per_delay_unit(arguments: TrainingArguments, rows: int) -> int:
    """Return the optimiser steps in one unit of `eval_delay`, which counts epochs or steps."""
    by_epoch = arguments.eval_strategy == IntervalStrategy.EPOCH
    return _steps_per_epoch(arguments, rows) if by_epoch else 1
