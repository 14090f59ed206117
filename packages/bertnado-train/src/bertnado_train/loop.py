"""The Hugging Face `Trainer`, taught a task's loss, its metrics, and to keep the best weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from bertnado_config import TrialError
from bertnado_metrics import compute_metrics
from transformers import EvalPrediction, PrinterCallback, Trainer, TrainerCallback

from .encoded import CutToLongest
from .loss import TaskLoss, logits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bertnado_config import Report
    from bertnado_metrics import Task
    from transformers import PreTrainedModel, TrainerControl, TrainerState, TrainingArguments

    from .encoded import EncodedSplit

EVALUATION = "eval"
"""What the names of an evaluation's numbers begin with: `eval/roc_auc`."""


class DivergedError(TrialError):
    """The loss of a trial is no longer a finite number."""


class TaskTrainer(Trainer):
    """A `Trainer` whose loss and metrics are those of a task."""

    def __init__(
        self,
        model: PreTrainedModel,
        arguments: TrainingArguments,
        task: Task,
        class_weights: Sequence[float] | None,
        train: EncodedSplit,
        validation: EncodedSplit,
    ) -> None:
        super().__init__(
            model=model,
            args=arguments,
            data_collator=CutToLongest(getattr(model.config, "pad_token_id", None) or 0),
            train_dataset=train,
            eval_dataset=validation,
            compute_loss_func=TaskLoss(task, class_weights, arguments.label_smoothing_factor),
            compute_metrics=_metrics_of(task, class_weights),
        )
        self.remove_callback(PrinterCallback)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], int | None]:
        """Collect one effective batch, and count its label elements whatever their values are."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        return batches, sum(batch["labels"].numel() for batch in batches)

    def prediction_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[None, torch.Tensor, torch.Tensor]:
        """Compute the logits alone; the loss is one of the metrics, computed once over all of them."""
        inputs = self._prepare_inputs(inputs)
        labels = inputs.pop("labels")
        with torch.no_grad(), self.compute_loss_context_manager():
            logits = logits_of(model(**inputs))
        return None, logits.detach().float(), labels


class BestCheckpoint(TrainerCallback):
    """Evaluate to the last step, report each evaluation, and keep the weights of the best one in memory."""

    def __init__(self, report: Report, patience: int | None = None) -> None:
        """Watch one trial.

        Args:
            report: Whom to tell; its answer stops the trial.
            patience: Stop after so many evaluations in a row without an improvement; `None` never does.
        """
        self._objective = report.objective
        self._report = report
        self._patience = math.inf if patience is None else patience
        self._since_best = 0
        self.value: float | None = None
        self.step: int | None = None
        self.weights: dict[str, torch.Tensor] | None = None
        self.history: list[dict[str, Any]] = []
        self.stopped = False
        self.evaluation_seconds = 0.0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Count the step; the answer may stop the trial before its next evaluation."""
        if self._report.progress(state.global_step):
            self.stopped = control.should_training_stop = True

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Have the last step evaluated, whatever the interval is."""
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
        """Pass on what training logs; evaluations have their own way."""
        if logs and "loss" in logs:
            self._report.progress(state.global_step, {f"train/{name}": value for name, value in logs.items()})

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **given: Any,
    ) -> None:
        """Record one evaluation; keep the weights if it is the best so far.

        Raises:
            DivergedError: The loss is NaN or infinite.
        """
        metrics: dict[str, float] = given["metrics"]
        model: PreTrainedModel = given["model"]
        self.evaluation_seconds += metrics.get(f"{EVALUATION}_runtime", 0.0)
        numbers = reported_metrics(metrics)
        self.history.append({"step": state.global_step, "epoch": state.epoch, **numbers})
        if not math.isfinite(numbers[f"{EVALUATION}/loss"]):
            raise DivergedError(
                f"the loss is {numbers[f'{EVALUATION}/loss']} after step {state.global_step}; "
                f"the learning rate, {args.learning_rate:g} at its highest, is likely too high"
            )
        value = numbers[self._objective.name]
        self._since_best += 1
        if math.isfinite(value) and (self.value is None or self._objective.is_better(value, self.value)):
            self.value, self.step, self._since_best = value, state.global_step, 0
            self.weights = {name: weight.to("cpu", copy=True) for name, weight in model.state_dict().items()}
        self.stopped = self._report(state.global_step, value, numbers) or self.stopped
        if self.stopped or self._since_best >= self._patience:
            control.should_training_stop = True


def reported_metrics(metrics: dict[str, float]) -> dict[str, float]:
    """Name the numbers of a `Trainer`'s evaluation as they are reported; its timings are left out."""
    prefix = f"{EVALUATION}_"
    timings = ("runtime", "_per_second", "model_preparation_time")
    return {
        f"{EVALUATION}/{name.removeprefix(prefix)}": value
        for name, value in metrics.items()
        if name.startswith(prefix) and not name.endswith(timings)
    }


def _metrics_of(task: Task, class_weights: Sequence[float] | None) -> Callable[[EvalPrediction], dict[str, float]]:
    def compute(prediction: EvalPrediction) -> dict[str, float]:
        return compute_metrics(task.name, prediction.predictions, prediction.label_ids, class_weights=class_weights)

    return compute
