"""Training on batches of chosen shapes, each as often as it takes to know what it costs."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler
from transformers import TrainerCallback

from bertnado_train.task_trainer import TaskTrainer

from .step_cost import MeasuredBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from transformers import TrainerControl, TrainerState, TrainingArguments

_PRECISE = 0.03
"""The relative standard error of a mean from which a shape counts as measured."""

_FEWEST = 3
"""Steps that are needed to know the standard error."""


@dataclass
class Shape:
    """Batches of one size of similar rows, and the seconds of the steps with them.

    Each step gets other rows if there are more, because their widths vary in a trial too: every new one costs extra.
    """

    candidates: NDArray[np.int64]
    """The rows to draw from, at least `size` of them."""
    size: int
    """The rows of a batch."""
    lengths: NDArray[np.int64]
    """The tokens of every row of the split."""
    tokens: list[int] = field(default_factory=list[int])
    """Of each batch that was drawn, padding included."""
    seconds: list[float] = field(default_factory=list[float])
    """Of each step, with the optimiser; the first one warms up."""
    optimiser: list[float] = field(default_factory=list[float])
    """Of each step, the optimiser alone."""

    def draw(self, chance: np.random.Generator) -> list[int]:
        """Return the rows of another batch."""
        rows = chance.choice(self.candidates, self.size, replace=False)
        self.tokens.append(int(self.lengths[rows].max()) * self.size)
        return rows.tolist()

    def is_known(self, allowed: float) -> bool:
        """Return whether it needs no more steps.

        Args:
            allowed: The seconds that may be spent on it, beyond one step.
        """
        if not self.seconds or sum(self.seconds) >= allowed:
            return bool(self.seconds)
        timed = [seconds / tokens for seconds, tokens in zip(self.seconds[1:], self.tokens[1:], strict=False)]
        if len(timed) < _FEWEST:
            return False
        error = statistics.stdev(timed) / len(timed) ** 0.5
        return error < _PRECISE * statistics.mean(timed) and sum(self.seconds[1:]) > allowed / 4

    def to_measured(self) -> tuple[MeasuredBatch, float]:
        """Return the batch without its optimiser, and the optimiser; an only step counts, otherwise not the first."""
        first, last = min(1, len(self.seconds) - 1), len(self.seconds)
        whole = statistics.median(self.seconds[first:])
        optimiser = min(statistics.median(self.optimiser[first:]), whole)
        tokens = round(statistics.median(self.tokens[first:last]))
        return MeasuredBatch(self.size, tokens, max(whole - optimiser, 1e-6), last - first), optimiser


class Stopwatch(TrainerCallback):
    """Times each step of a trainer, and ends training when every shape is known."""

    def __init__(
        self, shapes: Sequence[Shape], device: torch.device, allowed: Callable[[Shape], float], tell: Callable[[], None]
    ) -> None:
        """Watch a training run over shapes.

        Args:
            shapes: The batches, in their order; they get the times.
            device: The device that must have finished before the clock is read.
            allowed: Returns the seconds that may be spent on each shape, from the first one with its first step.
            tell: Called after each step.
        """
        self.shapes = shapes
        self.first_step_at: float | None = None
        self._device = device
        self._allowed, self._allow = 0.0, allowed
        self._tell = tell
        self._last = self._optimiser_began = self._optimiser_seconds = 0.0

    @property
    def current(self) -> Shape | None:
        """The first shape that needs more steps; `None` if all are known."""
        return next((shape for shape in self.shapes if not shape.is_known(self._allowed)), None)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start at the first step."""
        if self.first_step_at is None:
            self.first_step_at = self._last = self._now()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Note when the optimiser begins."""
        self._optimiser_began = self._now()

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Note how long the optimiser took."""
        self._optimiser_seconds = self._now() - self._optimiser_began

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Note how long the step took, its data included; end training if all shapes are known."""
        now, shape = self._now(), self.current
        if shape is not None:
            shape.seconds.append(now - self._last)
            shape.optimiser.append(self._optimiser_seconds)
            if shape is self.shapes[0] and len(shape.seconds) == 1:
                self._allowed = self._allow(shape)
        self._tell()
        control.should_training_stop = self.current is None
        self._last = self._now()

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


class ShapedBatches(Sampler[list[int]]):
    """Yields the batch that the stopwatch asks for."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        self._stopwatch = stopwatch
        self._chance = np.random.default_rng(0)

    def __iter__(self) -> Iterator[list[int]]:
        while (shape := self._stopwatch.current) is not None:
            yield shape.draw(self._chance)


class MeasuredTrainer(TaskTrainer):
    """A `TaskTrainer` that trains on the batches of a stopwatch."""

    stopwatch: Stopwatch

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the batches that the stopwatch asks for, one after the other."""
        rows: Any = self.train_dataset
        return DataLoader(rows, batch_sampler=ShapedBatches(self.stopwatch), collate_fn=self.data_collator)  # pyright: ignore[reportArgumentType] (it gets a split)
