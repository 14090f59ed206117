"""The final model: one trial with the best configuration, saved with its tokenizer and tested once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import TrialError, TrialResult, write_json

from .best_checkpoint import best_metrics
from .dataset_splits import TEST
from .huggingface_trainer import HuggingFaceTrainer
from .read_back import check_saved_model, check_saved_tokenizer
from .saved_tokenizer import save_tokenizer
from .training_setup import open_training_setup
from .trial import SilentReport, run_trial

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
    """The content of `metrics.json`: `validation` at the best checkpoint, `test` if there is such a split, ..."""
    notes: Sequence[str] = ()
    """What a user of the saved model must know, also in `metrics.json`."""


def train_model(
    inputs: TrainingInputs,
    parameters: Mapping[str, Any],
    objective: Objective,
    output_dir: Path | str,
    *,
    patience: int | None = None,
    report: Report | None = None,
) -> FinalModel:
    """Train with `parameters`, save the best checkpoint in `OUTPUT/model`, and evaluate `test` once.

    Args:
        inputs: The model, the dataset and the task. A `HuggingFaceTrainer` does not read them again.
        parameters: Training arguments, by any name that the installed or an older transformers has for them.
        objective: The metric that selects the best checkpoint.
        output_dir: The directory for `model` and `metrics.json`; made if it is missing.
        patience: Stop after this many consecutive evaluations without an improvement; `None` for never.
        report: Receives every step and evaluation.

    Raises:
        InvalidInputError: The model or the dataset cannot be used.
        ValueError: A parameter cannot be used.
        DivergedError: The loss became NaN or infinite.
        TrialError: No evaluation gave a number, or the saved model does not give the logits of the trained one.
    """
    directory = Path(output_dir)
    directory.mkdir(parents=True, exist_ok=True)
    setup = inputs.setup if isinstance(inputs, HuggingFaceTrainer) else open_training_setup(inputs)
    report = report or SilentReport(directory, objective)
    result, trainer = run_trial(setup, parameters, report, directory / MODEL, patience=patience)
    if result.value is None:
        raise TrialError(f"no evaluation gave a finite {objective.name}, so there is no best checkpoint to keep")
    metrics: dict[str, Any] = {
        "objective": {"name": objective.name, "goal": objective.goal, "value": result.value},
        "best_step": result.step,
        "validation": best_metrics(result.step, result.history),
    }
    if TEST in setup.dataset.splits:
        metrics["test"] = _test_metrics(trainer, setup.dataset.splits[TEST], metrics["validation"])
    metrics |= {"seed": result.seed, "details": result.details, "timings": result.timings}
    write_json(directory / METRICS, metrics)
    notes = [*save_tokenizer(setup, directory / MODEL), *_read_back(setup, trainer, directory / MODEL, inputs)]
    if notes:
        write_json(directory / METRICS, metrics | {"notes": notes})
    return FinalModel(result, directory / MODEL, directory / METRICS, metrics, notes)


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


def _test_metrics(trainer: TaskTrainer, split: EncodedSplit, validation: Mapping[str, float]) -> dict[str, float]:
    """Evaluate the test split, and return the metrics that `validation` has."""
    predicted = trainer.predict(split, metric_key_prefix=TEST).metrics or {}
    by_name = {name.removeprefix(f"{TEST}_"): value for name, value in predicted.items()}
    return {name: value for name, value in by_name.items() if name in validation}
