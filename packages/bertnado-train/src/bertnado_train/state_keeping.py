"""Writing the training state of a trial when it is due, and continuing from the latest one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from .batch_size_limit import release_memory
from .loading_errors import first_line
from .resumable_trainer import is_epoch_end
from .state_file import StateError
from .training_state import TrainingState, read_state, write_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertnado_config import TrainingStates
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from .best_checkpoint import BestCheckpointCallback
    from .resumable_trainer import ResumableTrainer


class KeptStates(TrainerCallback):
    """The training states of one trial: the one that it continues from, and those that it writes.

    A state is written after the steps where it is due. It follows the evaluation of its step, and at the end of an
    epoch that of the epoch, so that none is left out or repeated. None is written after the last step.
    """

    def __init__(self, states: TrainingStates | None, identify: Callable[[], Mapping[str, Any]]) -> None:
        """Read the latest state; if it cannot be used, that is reported and the trial begins anew.

        Args:
            states: The training states of the trial; `None` if none are written.
            identify: Returns what a state must belong to.
        """
        self._states = states
        self._identity = {} if states is None else identify()
        self._resumed = self._read()
        self._written_at: int | None = None
        self._is_in_epoch = False
        self.seconds = 0.0
        """The time spent on writing states."""

    def _read(self) -> TrainingState | None:
        if self._states is None or (path := self._states.latest) is None:
            return None
        try:
            return read_state(path, self._identity)
        except StateError as error:
            self.refuse(error)
        return None

    def refuse(self, error: StateError) -> None:
        """Report that the latest state cannot be used."""
        if self._states is not None:
            self._states.refused(str(error))

    @property
    def batches(self) -> tuple[int, int] | None:
        """The rows of a training and of an evaluation batch of an earlier attempt that is continued from."""
        return None if self._resumed is None else (self._resumed.batches[0], self._resumed.batches[2])

    def added_to(self, timings: Mapping[str, float]) -> dict[str, float]:
        """Return timings with those of the earlier attempts."""
        earlier = {} if self._resumed is None else self._resumed.timings
        return {name: timings.get(name, 0.0) + earlier.get(name, 0.0) for name in {**timings, **earlier}}

    def train(
        self, trainer: ResumableTrainer, best: BestCheckpointCallback, timings: Callable[[], Mapping[str, float]]
    ) -> None:
        """Train from the beginning or from the latest state, and write states.

        Args:
            trainer: The trainer of the trial.
            best: The callback that keeps its best weights.
            timings: Returns the seconds spent on the trial so far, by activity.

        Raises:
            StateError: The state does not fit.
        """
        if self._states is None:
            trainer.train()
            return
        self._trainer, self._best, self._timings = trainer, best, timings
        trainer.write_state = self._write
        trainer.add_callback(self)
        if self._resumed is None:
            trainer.train()
            return
        best.restore(self._resumed.best)
        self._states.resumed(self._resumed.step, best.history, self._resumed.seconds)
        trainer.train_from(self._resumed)

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Note that an epoch begins."""
        self._is_in_epoch = True

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Let the state be written after the step, unless its epoch ends with it."""
        self._ask(state, control)

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Let the state be written after the epoch; evaluate nothing if it was interrupted before."""
        self._is_in_epoch = False
        if self._written_at == state.global_step:
            control.should_evaluate = False
        else:
            self._ask(state, control)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Let the state be written after the evaluation, during which the trial may have been interrupted."""
        self._ask(state, control)

    def _ask(self, state: TrainerState, control: TrainerControl) -> None:
        is_early = self._is_in_epoch and is_epoch_end(state)
        if self._states is not None and not is_early and not self._best.is_last(state):
            control.should_save = control.should_save or self._states.is_due()

    def _write(self) -> None:
        assert self._states is not None  # noqa: S101  (nothing is written otherwise)
        begin, step = time.perf_counter(), self._trainer.state.global_step
        try:
            parts = self._trainer.parts_of_state()
            state = TrainingState(**parts, best=self._best.state(), timings=self._timings())
            write_state(self._states.path, state, self._identity)
        except (OSError, TypeError, MemoryError) as error:
            self._states.not_written(first_line(error))
            release_memory()
        else:
            self._states.written(step, time.perf_counter() - begin)
        self._written_at = step
        self.seconds += time.perf_counter() - begin
