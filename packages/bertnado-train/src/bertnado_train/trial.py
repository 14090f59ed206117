"""One trial: train with one set of parameters, keep the best checkpoint, say what came of it."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import Precision, TrainingInputs, TrialResult
from bertnado_metrics import Objective, Task, get_task
from safetensors import SafetensorError

from .arguments import effective_arguments, make_training_arguments, training_steps
from .loop import BestCheckpoint, TaskTrainer
from .memory import Fit, is_out_of_memory, release_memory
from .model import StoredModel, load_config, load_tokenizer, read_model, without_bars
from .parameters.namespaces import trial_settings
from .prepared import TRAIN, VALIDATION, PreparedDataset, open_dataset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_config import Report
    from transformers import PreTrainedModel, TrainingArguments

    from .parameters.namespace import ModelChange

CHECKPOINT = "checkpoint"
"""The directory of the best checkpoint, in the trial's directory."""


class SilentReport:
    """A report that nobody reads: for a trial that is trained on its own."""

    def __init__(self, directory: Path, objective: Objective) -> None:
        self.directory = directory
        self.objective = objective

    def started(self, total_steps: int, details: Mapping[str, Any]) -> None:
        """Say nothing."""

    def progress(self, step: int, metrics: Mapping[str, float] | None = None) -> bool:
        """Never stop the trial."""
        return False

    def __call__(self, step: int, value: float, metrics: Mapping[str, float] | None = None) -> bool:
        """Never stop the trial."""
        return False


@dataclass(frozen=True)
class Setting:
    """What all trials of a sweep share, read once."""

    task: Task
    dataset: PreparedDataset
    model: StoredModel
    seed: int = 42
    """The seed of a trial whose parameters hold none."""
    precision: Precision = "auto"
    """What trials compute in, where their parameters do not say it."""

    def training_arguments(
        self, parameters: Mapping[str, Any], objective: Objective, output_dir: Path | str
    ) -> TrainingArguments:
        """Make the arguments of one trial, see `make_training_arguments`."""
        return make_training_arguments(
            parameters,
            output_dir=output_dir,
            objective=objective,
            rows=len(self.dataset.splits[TRAIN]),
            longest=int(self.dataset.splits[VALIDATION].lengths.max()),
            seed=self.seed,
            precision=self.precision,
        )


def find_task(task_type: str | Task) -> Task:
    """Return a task that is given as an object or by its name.

    Raises:
        ValueError: No task has that name; the message lists those that exist.
    """
    return task_type if isinstance(task_type, Task) else get_task(task_type)


def open_setting(inputs: TrainingInputs) -> Setting:
    """Read the dataset and the model that all trials share.

    Raises:
        DatasetError: The dataset cannot be used.
        ValueError: The model cannot be loaded.
    """
    task = find_task(inputs.task_type)
    trust = inputs.trust_remote_code
    config = load_config(inputs.model_name, trust_remote_code=trust)
    prepared = open_dataset(
        inputs.dataset,
        task,
        lambda: load_tokenizer(inputs.model_name, trust_remote_code=trust),
        getattr(config, "pad_token_id", None),
    )
    model = read_model(inputs.model_name, task, prepared.logits, label2id=prepared.label2id, trust_remote_code=trust)
    return Setting(task, prepared, model, inputs.seed, inputs.precision)


def train_trial(
    model_name: str,
    dataset: Path | str,
    task_type: str | Task,
    parameters: Mapping[str, Any],
    objective: Objective,
    output_dir: Path | str,
    *,
    seed: int = 42,
    precision: Precision = "auto",
    report: Report | None = None,
    trust_remote_code: bool = False,
) -> TrialResult:
    """Train one trial and keep its best checkpoint.

    Args:
        model_name: A directory with a model, or its name on the hub.
        dataset: A `DatasetDict` on disk with `train` and `validation`.
        task_type: The name of one of `bertnado_metrics.TASKS`, or a `Task`.
        parameters: Training arguments by any name that the installed transformers, or an older one, has.
        objective: What the best checkpoint is chosen by.
        output_dir: The trial's directory; the best checkpoint becomes its `checkpoint`.
        seed: The seed, at least 0 and below 2**32, unless `parameters` holds one.
        precision: What it computes in, see `Precision`, unless `parameters` say it.
        report: Told of every step and evaluation; its answer to an evaluation may stop the trial.
        trust_remote_code: Whether code that comes with the model may run.

    Raises:
        ValueError: The model, the dataset or a parameter cannot be used.
        DivergedError: The loss became NaN or infinite.
        OutOfMemoryError: Not even one row at a time fits.
    """
    directory = Path(output_dir)
    directory.mkdir(parents=True, exist_ok=True)
    inputs = TrainingInputs(
        model_name=model_name,
        dataset=dataset,
        task_type=task_type,
        seed=seed,
        precision=precision,
        trust_remote_code=trust_remote_code,
    )
    setting = open_setting(inputs)
    report = report or SilentReport(directory, objective)
    result, _ = run_trial(setting, parameters, report, directory / CHECKPOINT)
    return result


def run_trial(
    setting: Setting,
    parameters: Mapping[str, Any],
    report: Report,
    checkpoint: Path,
    *,
    patience: int | None = None,
    fit: Fit | None = None,
) -> tuple[TrialResult, TaskTrainer]:
    """Train one trial in an open setting; the trainer that comes back holds the best weights.

    Where training runs out of memory, the trial begins anew with the next smaller batch that divides the effective one.

    Args:
        setting: What all trials share.
        parameters: The trial's training arguments.
        report: Told of every step and evaluation.
        checkpoint: Where the best checkpoint goes; left alone when no evaluation gave a number.
        patience: Stop after so many evaluations in a row without an improvement; `None` never does.
        fit: What is known to fit into memory; what is learnt is added.

    Raises:
        OutOfMemoryError: Not even one row at a time fits.
    """
    fit = fit or Fit()
    changes = trial_settings(parameters).model_changes
    while True:
        arguments = setting.training_arguments(parameters, report.objective, report.directory)
        fit.apply(arguments, len(setting.dataset.splits[TRAIN]))
        try:
            return _train(setting, arguments, changes, report, checkpoint, patience, fit)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        fit.shrink_training(arguments)
        release_memory()  # out here, where the error no longer holds on to the model


def _save(model: PreTrainedModel, checkpoint: Path) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    try:
        with without_bars():
            model.save_pretrained(checkpoint)
    except BaseException as error:
        shutil.rmtree(checkpoint, ignore_errors=True)  # on a full disk the record of the trial needs the room
        if isinstance(error, SafetensorError):
            raise OSError(f"{checkpoint} cannot be written: {error}") from error
        raise


def _train(
    setting: Setting,
    arguments: TrainingArguments,
    changes: Sequence[ModelChange],
    report: Report,
    checkpoint: Path,
    patience: int | None,
    fit: Fit,
) -> tuple[TrialResult, TaskTrainer]:
    begin = time.perf_counter()
    train, validation = setting.dataset.splits[TRAIN], setting.dataset.splits[VALIDATION]
    model = setting.model.copy(arguments.seed)
    for change in changes:
        model = change(model)
    details = {"arguments": effective_arguments(arguments), "dataset": setting.dataset.summary}
    report.started(training_steps(arguments, len(train)), details)
    best = BestCheckpoint(report, patience)
    trainer = TaskTrainer(model, arguments, setting.task, setting.dataset.class_weights, train, validation, fit)
    trainer.add_callback(best)
    trainer.train()
    end = time.perf_counter()
    first_step = best.first_step_at or end
    timings = {
        "prepare": first_step - begin,
        "train": end - first_step - best.evaluation_seconds,
        "evaluate": best.evaluation_seconds,
    }
    if best.weights is not None:
        begin = time.perf_counter()
        model.load_state_dict(best.weights)
        _save(model, checkpoint)
        timings["save"] = time.perf_counter() - begin
    result = TrialResult(
        value=best.value,
        step=best.step,
        history=best.history,
        checkpoint=checkpoint if best.weights is not None else None,
        stopped=best.stopped,
        seed=arguments.seed,
        details=details | {"arguments": effective_arguments(arguments)},
        timings=timings,
    )
    return result, trainer
