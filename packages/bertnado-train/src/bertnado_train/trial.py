"""One trial: training with one set of parameters, and its best checkpoint."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import TrainingInputs, TrialResult
from bertnado_metrics import judge

from .adapter import adapter_config
from .backbone_fingerprint import backbone_fingerprint
from .batch_size_limit import BatchSizeLimit, is_out_of_memory, release_memory
from .best_checkpoint import BestCheckpointCallback, FixedStepsCallback, best_metrics
from .cached_features import cached_features
from .devices import describe_device
from .parameters.namespaces import trial_settings
from .saved_tokenizer import save_tokenizer
from .schedule import training_steps
from .state_file import StateError
from .state_keeping import KeptStates
from .strands import BothStrands, RandomStrand
from .task_trainer import TaskTrainer
from .trained_checkpoint import save_trained, save_whole
from .trained_weights import restore_weights
from .training_arguments import effective_arguments
from .training_setup import TrainingSetup, open_training_setup
from .training_state import identity_of
from .trial_class_weights import trial_class_weights
from .trial_model import change_model, trained_record
from .trial_strands import with_strands

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from bertnado_config import Report, TrainingStates
    from bertnado_metrics import Objective, Task
    from transformers import PreTrainedModel, TrainingArguments

    from .encoded_split import EncodedSplit
    from .parameters.namespace import TrialSettings

CHECKPOINT = "checkpoint"
"""The directory of the best checkpoint in the directory of a trial."""


class SilentReport:
    """A `Report` that does nothing, for a trial that is trained on its own."""

    def __init__(self, directory: Path, objective: Objective) -> None:
        self.directory = directory
        self.objective = objective
        self.training_states: TrainingStates | None = None

    def started(self, total_steps: int, details: Mapping[str, Any]) -> None:
        """Do nothing."""

    def progress(self, step: int, metrics: Mapping[str, float] | None = None) -> bool:
        """Never stop the trial."""
        return False

    def __call__(self, step: int, value: float, metrics: Mapping[str, float] | None = None) -> bool:
        """Never stop the trial."""
        return False


def train_trial(
    model_name: str,
    dataset: Path | str,
    task_type: str | Task,
    parameters: Mapping[str, Any],
    objective: Objective,
    output_dir: Path | str,
    *,
    report: Report | None = None,
    **further: Any,
) -> TrialResult:
    """Train one trial and keep its best checkpoint.

    Args:
        model_name: A directory that holds a model, or the name of a model on the Hugging Face hub.
        dataset: A `DatasetDict` on disk with the splits `train` and `validation`.
        task_type: The name of one of `bertnado_metrics.TASKS`, or a `Task`.
        parameters: Training arguments, by any name that the installed or an older transformers has for them.
        objective: The metric that selects the best checkpoint.
        output_dir: The directory of the trial; the best checkpoint becomes `checkpoint` in it.
        report: Receives every step and evaluation; its answers may stop the trial.
        further: All other fields of `TrainingInputs`, such as `seed`.

    Raises:
        InvalidInputError: The model or the dataset cannot be used.
        ValueError: A parameter cannot be used.
        DivergedError: The loss became NaN or infinite.
        OutOfMemoryError: Not even a batch of one row fits into memory.
    """
    directory = Path(output_dir)
    directory.mkdir(parents=True, exist_ok=True)
    inputs = TrainingInputs(model_name=model_name, dataset=dataset, task_type=task_type, **further)
    setup = open_training_setup(inputs)
    report = report or SilentReport(directory, objective)
    result, _ = run_trial(setup, parameters, report, directory / CHECKPOINT)
    if result.checkpoint is not None:
        save_tokenizer(setup, result.checkpoint)
    return result


def run_trial(
    setup: TrainingSetup,
    parameters: Mapping[str, Any],
    report: Report,
    checkpoint: Path,
    *,
    patience: int | None = None,
    steps: int | None = None,
    batch_size_limit: BatchSizeLimit | None = None,
    is_final: bool = False,
) -> tuple[TrialResult, TaskTrainer]:
    """Train one trial; the model of the trainer that is returned has the weights of the checkpoint.

    A checkpoint predicts in label units. The model in memory does so with the trainer's `label_scale`.

    A trial that runs out of memory in training starts again with the next smaller batch that divides its effective one.

    Args:
        setup: The task, dataset and model.
        parameters: The parameters of the trial.
        report: Receives every step and evaluation.
        checkpoint: The directory of the best checkpoint; not written if no evaluation gave a number.
        patience: Stop after this many consecutive evaluations without an improvement; `None` for never.
        steps: End after this many optimiser steps, and keep the weights of that step; by default the checkpoint is that
            of the best evaluation.
        batch_size_limit: The batch sizes that are known to fit into memory; updated.
        is_final: The checkpoint is to be a whole model, with adapters merged into it. By default it holds what is
            trained: for a model that is trained in part, that part alone.

    Raises:
        OutOfMemoryError: Not even a batch of one row fits into memory.
    """
    limit = batch_size_limit or BatchSizeLimit()
    while True:
        arguments = setup.training_arguments(parameters, report.objective, report.directory)
        best = BestCheckpointCallback(report, patience) if steps is None else FixedStepsCallback(report, steps)
        ends = {"patience": patience, "steps": steps or training_steps(arguments, len(setup.train))}
        kept = KeptStates(
            report.training_states, partial(identity_of, setup, parameters, arguments, report.objective, ends)
        )
        limit.apply(arguments, len(setup.train), kept.batches)
        try:
            return _TrainingRun(setup, parameters, arguments, report, best, limit, kept, is_final).run(checkpoint)
        except StateError as error:
            kept.refuse(error)
            continue
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        limit.lower_training(arguments)
        release_memory()  # not in the except block, where the traceback keeps the model alive


@dataclass
class _TrainingRun:
    """A trial with batches of one size."""

    setup: TrainingSetup
    parameters: Mapping[str, Any]
    arguments: TrainingArguments
    report: Report
    best: BestCheckpointCallback
    batch_size_limit: BatchSizeLimit
    kept: KeptStates
    is_final: bool
    learning_rates: dict[str, float] | None = None
    """The lowest learning rate and that of the head; `None` if all parts have the same."""
    trained: dict[str, Any] = field(default_factory=dict[str, Any])
    """What is recorded of the parameters that are trained."""
    features: dict[str, Any] | None = None
    """The record of the features of a frozen backbone."""

    def run(self, checkpoint: Path) -> tuple[TrialResult, TaskTrainer]:
        """Train, and write the best checkpoint."""
        begin = time.perf_counter()
        model = make_model(self.setup, self.parameters, self.arguments.seed)
        if (rates := self._settings.part_rates).are_set:
            self.learning_rates = rates.describe(model, self.arguments.learning_rate)
        self.trained = trained_record(model, self._settings)
        fingerprint = backbone_fingerprint(model, self.setup.model) if self._settings.freeze == "backbone" else None
        steps = self.best.steps or training_steps(self.arguments, len(self.setup.train))
        self.report.started(steps, self._details())
        trainer = make_trainer(
            self.setup, self.parameters, self.arguments, model, batch_size_limit=self.batch_size_limit
        )
        trainer.add_callback(self.best)
        self.best.read_logits = lambda: trainer.evaluated
        with self._features(trainer, fingerprint) as self.features:
            self.kept.train(trainer, self.best, lambda: self._timings(begin))
        timings = self._timings(begin)
        if self.best.weights is not None:
            begin = time.perf_counter()
            restore_weights(model, self.best.weights)
            save = save_whole if self.is_final else save_trained
            with nullcontext() if trainer.label_scale is None else trainer.label_scale.folded(model):
                save(model, self.setup.model, checkpoint)
            timings["save"] = time.perf_counter() - begin
        result = TrialResult(
            value=self.best.value,
            step=self.best.step,
            history=self.best.history,
            checkpoint=None if self.best.weights is None else checkpoint,
            stopped=self.best.stopped,
            seed=self.arguments.seed,
            details={**self._details(), **self._judgement()},
            timings=timings,
        )
        return result, trainer

    @property
    def _settings(self) -> TrialSettings:
        return trial_settings(self.parameters)

    def _features(self, trainer: TaskTrainer, fingerprint: str | None) -> AbstractContextManager[dict[str, Any] | None]:
        """Train on the features of a frozen backbone in the block, where they can be cached."""
        if fingerprint is None:
            return nullcontext()
        return cached_features(trainer, self.setup, fingerprint, lambda: self.report.progress(0))

    def _judgement(self) -> dict[str, Any]:
        """Return what the predictions at the best checkpoint are worth, for the record."""
        if self.best.logits is None or self.best.step is None:
            return {}
        found = judge(
            self.setup.task,
            self.best.logits,
            self.setup.validation.labels,
            best_metrics(self.best.step, self.best.history),
            self.report.objective.trainer_name,
            class_weights=trial_class_weights(self.setup, self.parameters),
        )
        steps = training_steps(self.arguments, len(self.setup.train))
        if self.best.step <= steps / 10:
            early = f"was best at step {self.best.step} of {steps}, in the first tenth of training"
            found = replace(found, findings=(*found.findings, early))
        return {"judgement": found.to_record()}

    def _details(self) -> dict[str, Any]:
        """Return what is recorded of the trial; an evaluation that runs out of memory changes the arguments."""
        return {
            "arguments": effective_arguments(self.arguments),
            "device": describe_device(self.arguments.device),
            "class_weights": trial_class_weights(self.setup, self.parameters),
            "dataset": self.setup.dataset.summary,
            "model": {"fingerprint": self.setup.model.fingerprint},
            **({"learning_rates": self.learning_rates} if self.learning_rates else {}),
            **self.trained,
            **({"model_config": changes} if (changes := self._settings.config_changes) else {}),
            **({"head": self.setup.head} if self.setup.head != "auto" else {}),
            **({"label_scaling": self.setup.label_scaling} if self.setup.label_scaling != "standardize" else {}),
            **({"label_scale": scale.to_record()} if (scale := self.setup.label_scale) else {}),
            **({"features": self.features} if self.features else {}),
            **({"reverse_complement": strands} if (strands := self._settings.reverse_complement) != "none" else {}),
        }

    def _timings(self, begin: float) -> dict[str, float]:
        """Return the seconds spent until now, by activity, with those before the state that it continued from."""
        now, states = time.perf_counter(), self.kept.seconds
        first_step, evaluate = self.best.first_step_at or now, self.best.evaluation_seconds
        spent = {"prepare": first_step - begin, "train": now - first_step - evaluate - states, "evaluate": evaluate}
        return self.kept.added_to(spent | ({"states": states} if states else {}))


def make_model(setup: TrainingSetup, parameters: Mapping[str, Any], seed: int) -> PreTrainedModel:
    """Return the model that a trial trains: a copy, changed as its parameters say.

    Raises:
        ValueError: The model cannot be changed so.
    """
    settings = trial_settings(parameters)
    model = setup.model.copy(seed, settings.config_changes)
    scale = setup.label_scale
    if scale is not None and f"{scale.layer}.weight" in setup.model.weights:
        scale.unfold(model)  # a stored head predicts in label units
    return change_model(model, setup.model, settings)


def make_trainer(
    setup: TrainingSetup,
    parameters: Mapping[str, Any],
    arguments: TrainingArguments,
    model: PreTrainedModel,
    *,
    train: EncodedSplit | None = None,
    validation: EncodedSplit | None = None,
    batch_size_limit: BatchSizeLimit | None = None,
    kind: type[TaskTrainer] = TaskTrainer,
) -> TaskTrainer:
    """Return the trainer of a trial.

    Args:
        setup: The task, dataset and model.
        parameters: The parameters of the trial.
        arguments: The training arguments that follow from them.
        model: The model to train.
        train: The rows to train on; by default the training split, on the strands that the parameters ask for.
        validation: The rows to evaluate; by default the validation split, on these strands.
        batch_size_limit: The batch sizes that are known to fit into memory; updated.
        kind: The class of the trainer.
    """
    if arguments.gradient_checkpointing and adapter_config(model) is not None:
        model.enable_input_require_grads()  # otherwise checkpointing of the reentrant kind gives adapters no gradient
    shown = with_strands(setup, parameters)
    return kind(
        model,
        arguments,
        setup.task,
        trial_class_weights(setup, parameters),
        _training_rows(shown.train if train is None else train, arguments),
        shown.validation if validation is None else validation,
        batch_size_limit,
        setup.batch_format,
        setup.label_scale,
        trial_settings(parameters).part_rates,
    )


def _training_rows(rows: EncodedSplit, arguments: TrainingArguments) -> EncodedSplit:
    """Return the rows of a split as training shows them; of both strands, one at random."""
    if not isinstance(rows, BothStrands):
        return rows
    seed = arguments.seed if arguments.data_seed is None else arguments.data_seed
    return RandomStrand.of(rows.forward, rows.reverse, seed=seed)
