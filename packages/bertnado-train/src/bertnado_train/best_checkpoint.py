"""The weights that a trial keeps, those of its best evaluation or of a given step, and the reports of its progress."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import torch
from bertnado_config import TrialError
from bertnado_metrics import metric_name_for_trainer, reported_metric_name
from transformers import TrainerCallback

from .trained_weights import trained_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bertnado_config import Report
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, TrainerControl, TrainerState, TrainingArguments

EVALUATION = "eval"
"""The prefix of an evaluation's metrics in a `Trainer`: `eval_roc_auc`."""


_STATE = ("value", "step", "weights", "logits", "history", "_evaluations_since_best")
"""The attributes of a callback that depend on the evaluations so far."""


class DivergedError(TrialError):
    """The loss of a trial became NaN or infinite."""


class BestCheckpointCallback(TrainerCallback):
    """Reports each evaluation, and keeps the weights of the best one in host memory.

    The last step is always evaluated, so that every trial has a value.
    """

    def __init__(self, report: Report, patience: int | None = None) -> None:
        """Watch one trial.

        Args:
            report: Receives every step and evaluation; its answer may stop the trial.
            patience: Stop after this many consecutive evaluations without an improvement; `None` for never.
        """
        self._objective = report.objective
        self._report = report
        self._patience = math.inf if patience is None else patience
        self._evaluations_since_best = 0
        self.steps: int | None = None
        """The optimiser step that ends training, if that is not the last one of the schedule."""
        self.value: float | None = None
        """The objective at the best evaluation."""
        self.step: int | None = None
        """The optimiser step of the best evaluation."""
        self.weights: dict[str, torch.Tensor] | None = None
        """The trained weights of the best evaluation, in host memory."""
        self.logits: NDArray[Any] | None = None
        """The logits of the best evaluation."""
        self.read_logits: Callable[[], NDArray[Any] | None] = lambda: None
        """Returns the logits of the latest evaluation."""
        self.history: list[dict[str, Any]] = []
        self.stopped = False
        self.evaluation_seconds = 0.0
        self.first_step_at: float | None = None
        """When the first step began, by `time.perf_counter`."""

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Note when the first step begins."""
        if self.first_step_at is None:
            self.first_step_at = time.perf_counter()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Report the step; the answer may stop the trial before its next evaluation."""
        if self._report.progress(state.global_step) and not self.is_last(state):
            self.stopped = control.should_training_stop = True

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Evaluate the last step, whatever the interval.

        This event also follows a last step within an epoch. After `on_step_end`, a trial that is evaluated by epoch
        would be evaluated twice.
        """
        evaluated = self.history[-1]["step"] if self.history else None
        if state.global_step >= state.max_steps and evaluated != state.global_step and not self.stopped:
            control.should_evaluate = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Report what training logs; evaluations are reported by `on_evaluate`."""
        if logs and "loss" in logs:
            self._report.progress(state.global_step, {f"train/{name}": value for name, value in logs.items()})

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **given: Any,
    ) -> None:
        """Record and report one evaluation; keep the weights if it is the best one so far.

        Raises:
            DivergedError: The loss is NaN or infinite.
        """
        metrics: dict[str, float] = given["metrics"]
        self.evaluation_seconds += metrics.get(f"{EVALUATION}_runtime", 0.0)
        reported = reported_metrics(metrics)
        self.history.append({"step": state.global_step, "epoch": state.epoch, **reported})
        self._require_finite_loss(reported, state.global_step, args.learning_rate)
        value = reported[self._objective.name]
        self._evaluations_since_best += 1
        if self._objective.is_better(value, self.value):
            self.value, self.step, self._evaluations_since_best = value, state.global_step, 0
            self.keep_weights(given["model"])
            self.logits = self.read_logits()
        is_stopped = self._report(state.global_step, value, reported) and not self.is_last(state)
        self.stopped = is_stopped or self.stopped
        if self.stopped or self._evaluations_since_best >= self._patience:
            control.should_training_stop = True

    def is_last(self, state: TrainerState) -> bool:
        """Return whether the last step is done, so that nothing is left to stop."""
        return state.global_step >= (self.steps or state.max_steps)

    def state(self) -> dict[str, Any]:
        """Return what a later callback of the same trial needs to go on."""
        return {name: getattr(self, name) for name in _STATE}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        vars(self).update({name: state[name] for name in _STATE})

    def _require_finite_loss(self, reported: dict[str, float], step: int, learning_rate: float) -> None:
        loss = reported[reported_metric_name("loss")]
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss} after step {step}; "
                f"the learning rate, {learning_rate:g} at its highest, is likely too high"
            )

    def keep_weights(self, model: PreTrainedModel) -> None:
        """Copy the trained weights into the same pinned memory each time: allocating it is slow."""
        current = trained_weights(model)
        if self.weights is None:
            pin = any(weight.is_cuda for weight in current.values())
            self.weights = {
                name: torch.empty_like(weight, device="cpu", pin_memory=pin) for name, weight in current.items()
            }
        for name, weight in current.items():
            self.weights[name].copy_(weight)


class FixedStepsCallback(BestCheckpointCallback):
    """Ends training after a given number of steps, and keeps the weights of that step; nothing is evaluated."""

    def __init__(self, report: Report, steps: int) -> None:
        """Watch one trial.

        Args:
            report: Receives every step; its answer may stop the trial.
            steps: The number of optimiser steps.
        """
        super().__init__(report)
        self.steps = steps

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Report the step; end training, and keep the weights, after the last one.

        Raises:
            DivergedError: The weights became NaN or infinite.
        """
        super().on_step_end(args, state, control)
        if state.global_step == self.steps:
            control.should_training_stop = True
            self.step = self.steps
            self.keep_weights(given["model"])
            self._require_finite_weights(args.learning_rate)

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Evaluate nothing."""

    def _require_finite_weights(self, learning_rate: float) -> None:
        weights = (weight for weight in (self.weights or {}).values() if weight.is_floating_point())
        if not all(bool(weight.isfinite().all()) for weight in weights):
            raise DivergedError(
                f"some weights are not finite after step {self.steps}; "
                f"the learning rate, {learning_rate:g} at its highest, is likely too high"
            )


def reported_metrics(metrics: dict[str, float]) -> dict[str, float]:
    """Return the metrics of a `Trainer`'s evaluation by their reported names (`eval/roc_auc`), without timings."""
    prefix = f"{EVALUATION}_"
    timings = ("runtime", "_per_second", "model_preparation_time")
    return {
        reported_metric_name(name): value
        for name, value in metrics.items()
        if name.startswith(prefix) and not name.endswith(timings)
    }


def best_metrics(step: int | None, history: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the metrics of an evaluation by their names without prefix."""
    best = next(row for row in history if row["step"] == step)
    return {metric_name_for_trainer(name): value for name, value in best.items() if name not in ("step", "epoch")}
