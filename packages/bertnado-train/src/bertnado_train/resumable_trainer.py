"""A `Trainer` that continues from a training state, and gives the numbers of a run that was never interrupted."""

from __future__ import annotations

import dataclasses
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import Trainer, TrainerCallback, TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from .batch_size_limit import is_out_of_memory
from .random_states import random_states, restore_random_states
from .state_file import StateError
from .trained_weights import restore_weights, trained_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from transformers import TrainerControl, TrainingArguments

    from .training_state import TrainingState


class ResumableTrainer(Trainer):
    """A `Trainer` whose state after an optimiser step can be taken, and continued from.

    The `Trainer`'s own resumption finds the epoch and skips the batches that were trained. The state comes from memory,
    where it has been checked as a whole, and the rows of an epoch that was begun have the order that they had.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._resumed: TrainingState | None = None
        self._epoch_random: dict[str, Any] = {}
        self.write_state: Callable[[], None] = lambda: None
        """Called after a step when a callback has set `control.should_save`."""
        self.add_callback(_Resumption(self))

    def train_from(self, state: TrainingState) -> None:
        """Go on with the training of another trainer, made of the same model and arguments.

        Raises:
            StateError: The state does not fit.
        """
        with _as_state_error():
            restore_weights(self.model, state.weights)  # pyright: ignore[reportArgumentType] (there is one)
            position = TrainerState(**{**state.trainer, "train_batch_size": self._train_batch_size})
        self._resumed = state
        try:
            with tempfile.TemporaryDirectory() as directory, self._without_repetition():
                position.save_to_json(str(Path(directory, TRAINER_STATE_NAME)))
                self.train(resume_from_checkpoint=directory)
        finally:
            self._resumed = None

    @contextmanager
    def _without_repetition(self) -> Generator[None]:
        """Switch off the arguments that would evaluate the untrained model again, or train rows again."""
        names = ("eval_on_start", "ignore_data_skip")
        before = {name: getattr(self.args, name) for name in names}
        vars(self.args).update(dict.fromkeys(names, False))
        try:
            yield
        finally:
            vars(self.args).update(before)

    def parts_of_state(self) -> dict[str, Any]:
        """Return the fields of a `TrainingState` that the trainer knows, after an optimiser step."""
        optimizer, scheduler, scaler = self._stateful_parts()
        position = dataclasses.asdict(dataclasses.replace(self.state, log_history=[], stateful_callbacks={}))
        return {
            "step": self.state.global_step,
            "trainer": position,
            "weights": trained_weights(self.model),  # pyright: ignore[reportArgumentType] (there is one)
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
            "random": random_states(),
            "epoch_random": self._epoch_random,
            "batches": (
                self.args.per_device_train_batch_size,
                self.args.gradient_accumulation_steps,
                self.args.per_device_eval_batch_size,
            ),
            "logged": (self._tr_loss, self._total_loss_scalar, self._globalstep_last_logged),
        }

    def begin_epoch(self) -> None:
        """Keep the random states from which the order of an epoch's rows follows; the same when one is gone on with."""
        state = self._resumed
        if state is not None and self.state.global_step == state.step:
            restore_random_states(state.random if is_epoch_end(self.state) else state.epoch_random)
        self._epoch_random = random_states()

    def restore_logged(self) -> None:
        """Go on with the mean of the training loss."""
        if self._resumed is not None:
            loss, total, step = self._resumed.logged
            self._tr_loss = loss.to(self.args.device)
            self._total_loss_scalar, self._globalstep_last_logged = total, step

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write the training state where the `Trainer` would write a checkpoint: after the step and its evaluation."""
        self.write_state()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Do nothing: `train_from` has restored the weights."""

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if self._resumed is not None:
            optimizer, scheduler, _ = self._stateful_parts()
            with _as_state_error():
                optimizer.load_state_dict(self._resumed.optimizer)
                scheduler.load_state_dict(self._resumed.scheduler)

    def _load_scaler(self, checkpoint: str | None) -> None:
        *_, scaler = self._stateful_parts()
        if self._resumed is not None and scaler is not None:
            with _as_state_error():
                scaler.load_state_dict(self._resumed.scaler)

    def _stateful_parts(self) -> tuple[Any, Any, Any]:
        """Return the optimiser, the scheduler and the gradient scaler, which is `None` unless training is in fp16."""
        return self.optimizer, self.lr_scheduler, self.accelerator.scaler

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Restore the random states; called when the rows of the epoch are in their order."""
        if self._resumed is not None:
            restore_random_states(self._resumed.random)


class _Resumption(TrainerCallback):
    """Tells a trainer of the moments at which a state is restored."""

    def __init__(self, trainer: ResumableTrainer) -> None:
        self._trainer = trainer

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Restore what the beginning of training has reset."""
        self._trainer.restore_logged()

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Keep the random states before the rows are put in order."""
        self._trainer.begin_epoch()


def is_epoch_end(state: TrainerState) -> bool:
    """Return whether the last step was that of an epoch, after which the epoch's evaluation may follow."""
    return float(state.epoch or 0.0).is_integer()


@contextmanager
def _as_state_error() -> Generator[None]:
    """Turn any error of restoring a state into a `StateError`."""
    try:
        yield
    except Exception as error:  # torch and optimisers raise what they like at a state that is not theirs
        if is_out_of_memory(error):
            raise
        raise StateError(f"does not fit: {error}") from error
