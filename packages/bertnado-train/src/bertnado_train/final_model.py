"""The final model: one trial with the best configuration, saved with its tokenizer and tested once.

It selects its checkpoint by the validation split, or is trained on that split as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import TrialError, TrialResult, write_json
from bertnado_metrics import metric_name_for_trainer

from .best_checkpoint import best_metrics
from .dataset_splits import TEST, TRAIN, VALIDATION
from .final_evaluation import describe_model, evaluate_test, final_thresholds
from .huggingface_trainer import HuggingFaceTrainer
from .parameters.namespaces import override_parameters
from .prediction_record import write_record
from .read_back import check_saved_model, check_saved_tokenizer
from .saved_tokenizer import save_tokenizer
from .schedule import training_steps
from .training_setup import open_training_setup
from .trial import SilentReport, run_trial
from .trial_strands import with_strands

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_config import Report, TrainingInputs
    from bertnado_metrics import Objective

    from .encoded_split import EncodedSplit
    from .task_trainer import TaskTrainer
    from .training_setup import TrainingSetup

MODEL = "model"
METRICS = "metrics.json"


@dataclass(frozen=True)
class FinalModel:
    """A trained final model and its metrics."""

    result: TrialResult
    model_path: Path
    """The directory of the model and its tokenizer, for `from_pretrained`."""
    metrics_path: Path
    metrics: Mapping[str, Any]
    """The content of `metrics.json`: `validation` at the best checkpoint, `test` if there is such a split, ...

    A model that was trained on `validation` has no such metrics.
    """
    notes: Sequence[str] = ()
    """What a user of the saved model must know, also in `metrics.json`."""


def train_model(
    inputs: TrainingInputs,
    parameters: Mapping[str, Any],
    objective: Objective,
    output_dir: Path | str,
    *,
    patience: int | None = None,
    group_column: str | None = None,
    report: Report | None = None,
) -> FinalModel:
    """Train with `parameters`, save the best checkpoint in `OUTPUT/model`, and evaluate `test` once.

    Args:
        inputs: The model, the dataset and the task. A `HuggingFaceTrainer` does not read them again.
        parameters: Training arguments, by any name that the installed or an older transformers has for them.
        objective: The metric that selects the best checkpoint.
        output_dir: The directory for `model` and `metrics.json`; made if it is missing.
        patience: Stop after this many consecutive evaluations without an improvement; `None` for never.
        group_column: The column of the dataset whose groups are resampled for the intervals of the test metrics; by
            default rows are.
        report: Receives every step and evaluation.

    Raises:
        InvalidInputError: The model or the dataset cannot be used.
        ValueError: A parameter cannot be used.
        DivergedError: The loss became NaN or infinite.
        TrialError: No evaluation gave a number, or the saved model does not give the logits of the trained one.
    """
    setup, directory = prepare_output(inputs, output_dir)
    report = report or SilentReport(directory, objective)
    result, trainer = run_trial(setup, parameters, report, directory / MODEL, patience=patience, is_final=True)
    if result.value is None:
        raise TrialError(f"no evaluation gave a finite {objective.name}, so there is no best checkpoint to keep")
    record = validation_record(result, objective)
    shown = with_strands(setup, parameters)
    return finish_model(inputs, shown, trainer, result, record, group_column=group_column)


def train_on_all_rows(
    inputs: TrainingInputs,
    parameters: Mapping[str, Any],
    objective: Objective,
    output_dir: Path | str,
    *,
    steps: int,
    group_column: str | None = None,
    report: Report | None = None,
) -> FinalModel:
    """Train on the splits `train` and `validation` together, save the last weights, and evaluate `test` once.

    Nothing is selected and nothing is evaluated on `validation`, so the model has no validation metrics.

    The number of steps is that of the best checkpoint of a trial on `train` alone, and the schedule is that of the
    whole trial: training ends within it, so that each step has the learning rate that it had there. The steps are not
    increased with the number of rows. They are what validation selected, and further ones would have learning rates at
    which nothing was tried; a row is seen a little less often instead.

    Args:
        inputs: The model, the dataset and the task. A `HuggingFaceTrainer` does not read them again.
        parameters: Training arguments, by any name that the installed or an older transformers has for them.
        objective: The metric that the trial was judged by.
        output_dir: The directory for `model` and `metrics.json`; made if it is missing.
        steps: The number of optimiser steps.
        group_column: As for `train_model`.
        report: Receives every step.

    Raises:
        InvalidInputError: The model or the dataset cannot be used.
        ValueError: A parameter cannot be used, or the trial has fewer steps.
        DivergedError: The weights became NaN or infinite.
        TrialError: The saved model does not give the logits of the trained one.
    """
    setup, directory = prepare_output(inputs, output_dir)
    report = report or SilentReport(directory, objective)
    arguments = setup.training_arguments(parameters, objective, directory)
    total = training_steps(arguments, len(setup.train))
    if not 1 <= steps <= total:
        raise ValueError(f"steps must be at least 1 and at most the {total} steps of the trial, got {steps}")
    fixed = override_parameters(parameters, {"max_steps": total, "eval_strategy": "no"})
    result, trainer = run_trial(_with_all_rows(setup), fixed, report, directory / MODEL, steps=steps, is_final=True)
    result = replace(result, details={**result.details, "dataset": setup.dataset.summary})
    trained = {"objective": _described(objective), "steps": steps, "trained_on": [TRAIN, VALIDATION]}
    shown = with_strands(setup, parameters)
    return finish_model(inputs, shown, trainer, result, trained, group_column=group_column)


def prepare_output(inputs: TrainingInputs, output_dir: Path | str) -> tuple[TrainingSetup, Path]:
    """Return what is read of the inputs, and the output directory, which is made if it is missing.

    Raises:
        InvalidInputError: The model or the dataset cannot be used.
    """
    directory = Path(output_dir)
    directory.mkdir(parents=True, exist_ok=True)
    return inputs.setup if isinstance(inputs, HuggingFaceTrainer) else open_training_setup(inputs), directory


def _with_all_rows(setup: TrainingSetup) -> TrainingSetup:
    """Return the setup with the validation rows among the training rows."""
    dataset = setup.dataset
    reverse = dataset.reverse_complements.rearranged(_all_rows)
    return replace(setup, dataset=replace(dataset, splits=_all_rows(dataset.splits), reverse_complements=reverse))


def _all_rows(splits: Mapping[str, EncodedSplit]) -> dict[str, EncodedSplit]:
    return {**splits, TRAIN: splits[TRAIN].joined(splits[VALIDATION])}


def finish_model(
    inputs: TrainingInputs,
    setup: TrainingSetup,
    trainer: TaskTrainer,
    result: TrialResult,
    record: Mapping[str, Any],
    notes: Sequence[str] = (),
    *,
    group_column: str | None = None,
) -> FinalModel:
    """Evaluate `test`, write `metrics.json` and what predictions need, and read the saved model back.

    Args:
        inputs: The model, the dataset and the task.
        setup: What was read of them, with the strands that are evaluated.
        trainer: The trainer, whose model is the saved one.
        result: The result of the training; its checkpoint is the saved model.
        record: The first entries of `metrics.json`.
        notes: What is already known that a user of the model must know.
        group_column: As for `train_model`.

    Raises:
        TrialError: The saved model does not give the logits of the one in memory.
    """
    assert result.checkpoint is not None  # noqa: S101  (it was saved)
    model_path, metrics_path = result.checkpoint, result.checkpoint.with_name(METRICS)
    objective = metric_name_for_trainer(record["objective"]["name"]) if VALIDATION in record else None
    thresholds = final_thresholds(setup, trainer, objective)
    described = describe_model(setup, trainer, thresholds)
    metrics = {**record, **({"threshold": thresholds.to_record()} if thresholds.chosen else {})}
    if TEST in setup.dataset.splits:
        metrics |= evaluate_test(setup, trainer, described, metrics_path.parent, group_column)
    metrics |= {"seed": result.seed, "details": result.details, "timings": result.timings}
    write_json(metrics_path, metrics)
    write_record(described, model_path)
    notes = [*notes, *save_tokenizer(setup, model_path), *_read_back(setup, trainer, model_path, inputs)]
    if notes:
        write_json(metrics_path, metrics | {"notes": notes})
    return FinalModel(result, model_path, metrics_path, metrics, notes)


def _read_back(setup: TrainingSetup, trainer: TaskTrainer, model_path: Path, inputs: TrainingInputs) -> list[str]:
    """Return what is not the same when the saved model and tokenizer are read again.

    Raises:
        TrialError: The saved model gives other logits than the one that was trained.
    """
    model: Any = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False, keep_torch_compile=False)
    trust = inputs.trust_remote_code or model.is_custom_code()  # a pooled head is code that comes with the saved model
    found = [
        check_saved_model(
            model,
            model_path,
            setup.validation,
            setup.batch_format,
            trust_remote_code=trust,
            label_scale=trainer.label_scale,
        )
    ]
    if setup.tokenizer is not None:
        path = setup.dataset.path
        found.append(check_saved_tokenizer(setup.tokenizer, model_path, path, trust_remote_code=trust))
    if trust and not inputs.trust_remote_code:
        found.append("the saved model has a pooled head, which is code: read it with trust_remote_code=True")
    return [note for note in found if note]


def _described(objective: Objective) -> dict[str, str]:
    return {"name": objective.name, "goal": objective.goal}


def validation_record(result: TrialResult, objective: Objective) -> dict[str, Any]:
    """Return what `metrics.json` has of the best checkpoint; its metrics by their names without prefix."""
    return {
        "objective": {**_described(objective), "value": result.value},
        "best_step": result.step,
        VALIDATION: best_metrics(result.step, result.history),
    }
