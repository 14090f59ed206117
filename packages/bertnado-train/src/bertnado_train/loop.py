"""The Hugging Face `Trainer`, taught a task's loss, its metrics, and to keep the best weights."""

from __future__ import annotations

import itertools
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from bertnado_config import TrialError
from bertnado_metrics import compute_metrics
from torch.utils.data import Sampler
from transformers import PrinterCallback, Trainer, TrainerCallback
from transformers.trainer_pt_utils import LengthGroupedSampler
from transformers.trainer_utils import EvalLoopOutput

from .encoded import CutToLongest, EncodedSplit
from .loss import TaskLoss, logits_of
from .memory import Fit, is_out_of_memory, release_memory
from .model import position_limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bertnado_config import Report
    from bertnado_metrics import Task
    from numpy.typing import NDArray
    from torch.utils.data import DataLoader, Dataset
    from transformers import PreTrainedModel, TrainerControl, TrainerState, TrainingArguments

EVALUATION = "eval"
"""What the names of an evaluation's numbers begin with: `eval/roc_auc`."""


_TENSOR_CORE_WIDTH = 8
"""Tensor cores work fastest on sizes that are multiples of this.

https://docs.nvidia.com/deeplearning/performance/dl-performance-matrix-multiplication/
"""


class DivergedError(TrialError):
    """The loss of a trial is no longer a finite number."""


class TaskTrainer(Trainer):
    """A `Trainer` whose loss and metrics are those of a task, and which computes nothing on padding."""

    def __init__(
        self,
        model: PreTrainedModel,
        arguments: TrainingArguments,
        task: Task,
        class_weights: Sequence[float] | None,
        train: EncodedSplit,
        validation: EncodedSplit,
        fit: Fit | None = None,
    ) -> None:
        is_gpu = arguments.device.type == "cuda"
        super().__init__(
            model=model,
            args=arguments,
            data_collator=CutToLongest(  # pyright: ignore[reportArgumentType] (it gets a split, not a list)
                getattr(model.config, "pad_token_id", None) or 0,
                multiple=_TENSOR_CORE_WIDTH if is_gpu else 1,
                limit=position_limit(model.config),
            ),
            train_dataset=train,
            eval_dataset=validation,
            compute_loss_func=TaskLoss(task, class_weights, arguments.label_smoothing_factor),
        )
        self._task = task
        self._class_weights = class_weights
        self._fit = fit or Fit()
        self.remove_callback(PrinterCallback)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], int | None]:
        """Collect one effective batch, and count its label elements whatever their values are."""
        batches = list(itertools.islice(epoch_iterator, num_batches))
        return batches, sum(batch["labels"].numel() for batch in batches)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Count nothing: nobody reads the number, and counting walks through the model at every batch."""
        return 0

    def evaluation_loop(
        self,
        dataloader: DataLoader[Any],
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = EVALUATION,
    ) -> EvalLoopOutput:
        """Compute the logits of all rows, bring them over from the device at once, and compute the metrics.

        The loss is one of the metrics. Rows go through the model longest first and come back in their own order.
        """
        rows: EncodedSplit = dataloader.dataset  # pyright: ignore[reportAssignmentType]
        model = self._wrap_model(self.model, training=False).eval()  # pyright: ignore[reportArgumentType] (there is one)
        if callable(switch := getattr(self.optimizer, "eval", None)):
            switch()  # a schedule-free optimiser keeps other weights for evaluation
        while (computed := self._compute_logits(model, dataloader)) is None:
            self._fit.shrink_evaluation(self.args)
            release_memory()
            dataloader = self.get_eval_dataloader(rows)
        logits = np.empty_like(computed)
        logits[rows.longest_first] = computed
        metrics = compute_metrics(self._task.name, logits, rows.labels, class_weights=self._class_weights)
        named = {f"{metric_key_prefix}_{name}": value for name, value in metrics.items()}
        return EvalLoopOutput(predictions=logits, label_ids=rows.labels, metrics=named, num_samples=len(rows))

    def _compute_logits(self, model: torch.nn.Module, dataloader: DataLoader[Any]) -> NDArray[np.float32] | None:
        """The logits of all batches, one after the other; `None` where a batch does not fit into memory."""
        batches: list[torch.Tensor] = []
        try:
            with torch.no_grad():
                for inputs in dataloader:
                    del inputs["labels"]
                    with self.compute_loss_context_manager():
                        batches.append(logits_of(model(**self._prepare_inputs(inputs))).float())
            return torch.cat(batches).cpu().numpy()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        return None

    def _get_train_sampler(self, train_dataset: Dataset[Any] | None = None) -> Sampler[int] | None:
        rows = self.train_dataset if train_dataset is None else train_dataset
        if self.args.train_sampling_strategy != "group_by_length" or not isinstance(rows, EncodedSplit):
            return super()._get_train_sampler(train_dataset)
        batch = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return LengthGroupedSampler(batch, lengths=rows.lengths.tolist())

    def _get_eval_sampler(self, eval_dataset: EncodedSplit) -> Sampler[int]:  # pyright: ignore[reportIncompatibleMethodOverride] (all are of this kind)
        return _InOrder(eval_dataset.longest_first.tolist())


class _InOrder(Sampler[int]):
    """Rows in an order of their own."""

    def __init__(self, order: Sequence[int]) -> None:
        self._order = order

    def __iter__(self) -> Iterator[int]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)


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
        """In host memory, whatever the model trains on."""
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
            self._keep(model)
        self.stopped = self._report(state.global_step, value, numbers) or self.stopped
        if self.stopped or self._since_best >= self._patience:
            control.should_training_stop = True

    def _keep(self, model: PreTrainedModel) -> None:
        """Copy the weights to where the last best ones were."""
        current = model.state_dict()
        if self.weights is None:
            pin = any(weight.is_cuda for weight in current.values())
            self.weights = {
                name: torch.empty_like(weight, device="cpu", pin_memory=pin) for name, weight in current.items()
            }
        for name, weight in current.items():
            self.weights[name].copy_(weight)


def reported_metrics(metrics: dict[str, float]) -> dict[str, float]:
    """Name the numbers of a `Trainer`'s evaluation as they are reported; its timings are left out."""
    prefix = f"{EVALUATION}_"
    timings = ("runtime", "_per_second", "model_preparation_time")
    return {
        f"{EVALUATION}/{name.removeprefix(prefix)}": value
        for name, value in metrics.items()
        if name.startswith(prefix) and not name.endswith(timings)
    }
