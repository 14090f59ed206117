"""The Hugging Face `Trainer` with a task's loss and metrics, and without computation on padding."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from bertnado_metrics import compute_metrics
from torch.utils.data import Sampler
from transformers import PrinterCallback
from transformers.trainer_pt_utils import LengthGroupedSampler
from transformers.trainer_utils import EvalLoopOutput

from .batch_format import BatchFormat
from .batch_size_limit import BatchSizeLimit, is_out_of_memory, release_memory
from .best_checkpoint import EVALUATION
from .encoded_split import EncodedSplit
from .learning_rates import PartRates, set_part_rates
from .resumable_trainer import ResumableTrainer
from .strands import RandomStrand, mean_over_strands
from .task_loss import TaskLoss, logits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from bertnado_metrics import Task
    from numpy.typing import NDArray
    from torch.utils.data import DataLoader, Dataset
    from transformers import PreTrainedModel, TrainingArguments

    from .label_scaling import LabelScale


class TaskTrainer(ResumableTrainer):
    """A `Trainer` with the loss and the metrics of a task, which computes nothing on padding.

    With a `label_scale`, the model trains on standardised labels; every loss and metric is in label units.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        arguments: TrainingArguments,
        task: Task,
        class_weights: Sequence[float] | None,
        train: EncodedSplit,
        validation: EncodedSplit,
        batch_size_limit: BatchSizeLimit | None = None,
        batch_format: BatchFormat | None = None,
        label_scale: LabelScale | None = None,
        part_rates: PartRates | None = None,
    ) -> None:
        self._format = batch_format or BatchFormat()
        self._loss = TaskLoss(task, class_weights, arguments.label_smoothing_factor)
        super().__init__(
            model=model,
            args=arguments,
            data_collator=self._format,  # pyright: ignore[reportArgumentType] (it gets a split, not a list)
            train_dataset=_with_scaled_labels(train, label_scale),
            eval_dataset=validation,
            compute_loss_func=self._loss,
        )
        self._task = task
        self.class_weights = class_weights
        self.label_scale = label_scale
        self.evaluated: NDArray[Any] | None = None
        """The logits of the latest evaluation, in label units."""
        self._batch_size_limit = batch_size_limit or BatchSizeLimit()
        self._part_rates = part_rates or PartRates()
        self.remove_callback(PrinterCallback)  # a library prints nothing

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Make the optimiser, with the learning rates of the parts of the model."""
        is_new = self.optimizer is None
        optimizer = super().create_optimizer(model)
        if is_new and self._part_rates.are_set:
            trained: Any = self.model if model is None else model
            set_part_rates(optimizer, trained, self._part_rates, self.args.learning_rate)
        return optimizer

    def begin_epoch(self) -> None:
        """Draw the strands of the epoch, if the rows are shown on one of two."""
        super().begin_epoch()
        rows: Any = self.train_dataset
        if isinstance(rows, RandomStrand):
            rows.begin_epoch(int(self.state.epoch or 0))

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], int | None]:
        """Collect the micro-batches of one optimiser step, and count their label elements.

        The `Trainer` itself leaves out labels of -100: padding in a language model, but possibly measured values here.
        """
        batches = list(itertools.islice(epoch_iterator, num_batches))
        return batches, sum(batch["labels"].numel() for batch in batches)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Compute the task's loss of one micro-batch."""
        labels = inputs.pop("labels")
        outputs = {"logits": self._format.logits(model, inputs)}
        loss = self._loss(outputs, labels, num_items_in_batch)
        if self.label_scale is not None:
            loss = self._in_label_units(outputs, labels, num_items_in_batch) + (loss - loss.detach())
        return (loss, outputs) if return_outputs else loss

    def _in_label_units(self, outputs: Any, labels: torch.Tensor, items: torch.Tensor | int | None) -> torch.Tensor:
        """Return the loss in label units, without a gradient; that of a regression depends on differences alone."""
        assert self.label_scale is not None  # noqa: S101  (asked by the caller)
        logits = logits_of(outputs).detach().float()
        return self._loss({"logits": self.label_scale.spread(logits)}, self.label_scale.spread(labels), items)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        """Return the batches of an evaluation: of every row, whatever training drops."""
        dropped, kept = self.args.dataloader_drop_last, self.args.dataloader_persistent_workers
        self.args.dataloader_drop_last = False
        self.args.dataloader_persistent_workers = kept and eval_dataset is None  # it would return those of other rows
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.args.dataloader_drop_last, self.args.dataloader_persistent_workers = dropped, kept

    def get_test_dataloader(self, test_dataset: Any) -> DataLoader[Any]:
        """Return the batches of a prediction: of every row, whatever training drops."""
        return self.get_eval_dataloader(test_dataset)

    def compute_rows(
        self,
        rows: EncodedSplit,
        compute: Callable[[int, dict[str, Any]], None],
        dataloader: DataLoader[Any] | None = None,
    ) -> None:
        """Call a function with each batch of an evaluation, longest rows first, and the number of rows before it.

        After running out of memory it is called with smaller batches, from the first one on.

        Args:
            rows: The rows.
            compute: The function.
            dataloader: The batches of `rows` to begin with; by default those of `get_eval_dataloader`.
        """
        batches = self.get_eval_dataloader(rows) if dataloader is None else dataloader
        while not self._try_batches(batches, compute):
            self._batch_size_limit.lower_evaluation(self.args)
            release_memory()
            batches = self.get_eval_dataloader(rows)

    def _try_batches(self, batches: DataLoader[Any], compute: Callable[[int, dict[str, Any]], None]) -> bool:
        before = 0
        try:
            for inputs in batches:
                count = len(inputs.pop("labels"))
                with torch.no_grad(), self.compute_loss_context_manager():
                    compute(before, self._prepare_inputs(inputs))
                before += count
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    def forget_batches(self) -> None:
        """Let go of the rows of earlier evaluations, all of which `accelerate` keeps."""
        self.accelerator._dataloaders.clear()  # pyright: ignore[reportPrivateUsage]

    @contextmanager
    def batches_of(self, batch_format: BatchFormat, train: EncodedSplit, validation: EncodedSplit) -> Generator[None]:
        """Train on other batches of the same rows in the block."""
        before = self._format, self.train_dataset, self.eval_dataset
        self._set_batches(batch_format, train, validation)
        try:
            yield
        finally:
            self._set_batches(*before)

    def _set_batches(self, batch_format: BatchFormat, train: Any, validation: Any) -> None:
        self._format = self.data_collator = batch_format
        self.train_dataset, self.eval_dataset = train, validation

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return 0: counting walks through the model at every batch, for a number that nobody reads."""
        return 0

    def compute_logits(self, rows: EncodedSplit, dataloader: DataLoader[Any] | None = None) -> NDArray[np.float32]:
        """Return what the model gives for all rows, in their own order: shape (rows, logits).

        The model sees the longest rows first. With a `label_scale`, these are standardised labels.

        Args:
            rows: The rows.
            dataloader: The batches of `rows` to begin with; by default those of `get_eval_dataloader`.
        """
        model = self._wrap_model(self.model, training=False).eval()  # pyright: ignore[reportArgumentType] (there is one)
        if callable(use_evaluation_weights := getattr(self.optimizer, "eval", None)):
            use_evaluation_weights()  # a schedule-free optimiser trains with other weights
        batches: list[torch.Tensor] = []

        def compute(before: int, inputs: dict[str, Any]) -> None:
            if not before:
                batches.clear()  # memory ran out, and smaller batches begin anew
            batches.append(self._format.logits(model, inputs).float())

        self.compute_rows(rows, compute, dataloader)
        computed = torch.cat(batches).cpu().numpy()
        logits = np.empty_like(computed)
        logits[rows.longest_first] = computed
        return logits

    def evaluation_loop(
        self,
        dataloader: DataLoader[Any],
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = EVALUATION,
    ) -> EvalLoopOutput:
        """Compute the logits of all rows, copy them from the device at once, and compute the metrics.

        The loss is one of the metrics. Predictions are in the rows' own order.
        """
        rows: EncodedSplit = dataloader.dataset  # pyright: ignore[reportAssignmentType]
        logits = mean_over_strands(rows, lambda part: self.compute_logits(part, dataloader if part is rows else None))
        if self.label_scale is not None:
            logits = self.label_scale.restore(logits)
        self.evaluated = logits
        metrics = compute_metrics(self._task, logits, rows.labels, class_weights=self.class_weights)
        named = {f"{metric_key_prefix}_{name}": value for name, value in metrics.items()}
        return EvalLoopOutput(predictions=logits, label_ids=rows.labels, metrics=named, num_samples=len(rows))

    def _get_train_sampler(self, train_dataset: Dataset[Any] | None = None) -> Sampler[int] | None:
        """Group by lengths that are known; the `Trainer` itself would read every row to measure it."""
        rows = self.train_dataset if train_dataset is None else train_dataset
        if self.args.train_sampling_strategy != "group_by_length" or not isinstance(rows, EncodedSplit):
            return super()._get_train_sampler(train_dataset)
        batch = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return LengthGroupedSampler(batch, lengths=rows.lengths.tolist())

    def _get_eval_sampler(self, eval_dataset: EncodedSplit) -> Sampler[int]:  # pyright: ignore[reportIncompatibleMethodOverride] (all are of this kind)
        return _FixedOrder(eval_dataset.longest_first.tolist())


def _with_scaled_labels(rows: EncodedSplit, scale: LabelScale | None) -> EncodedSplit:
    return rows if scale is None else replace(rows, labels=scale.standardise(rows.labels))


class _FixedOrder(Sampler[int]):
    """Samples rows in a given order."""

    def __init__(self, order: Sequence[int]) -> None:
        self._order = order

    def __iter__(self) -> Iterator[int]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)
