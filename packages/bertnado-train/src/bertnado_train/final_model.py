"""The final model: one trial with the best configuration, saved with its tokenizer and tested once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import TrialError, TrialResult, write_json
from bertnado_metrics import metric_name_for_trainer

from .dataset_splits import TEST
from .pretrained import load_tokenizer
from .training_setup import open_training_setup
from .trial import SilentReport, run_trial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertnado_config import Report, TrainingInputs
    from bertnado_metrics import Objective

    from .encoded_split import EncodedSplit
    from .task_trainer import TaskTrainer

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
        inputs: The model, the dataset and the task; may be a `HuggingFaceTrainer`.
        parameters: Training arguments, by any name that the installed or an older transformers has for them.
        objective: The metric that selects the best checkpoint.
        output_dir: The directory for `model` and `metrics.json`; made if it is missing.
        patience: Stop after this many consecutive evaluations without an improvement; `None` for never.
        report: Receives every step and evaluation.

    Raises:
        InvalidInputError: The model or the dataset cannot be used.
        ValueError: A parameter cannot be used.
        DivergedError: The loss became NaN or infinite.
        TrialError: No evaluation gave a number.
    """
    directory = Path(output_dir)
    directory.mkdir(parents=True, exist_ok=True)
    setup = open_training_setup(inputs)
    report = report or SilentReport(directory, objective)
    result, trainer = run_trial(setup, parameters, report, directory / MODEL, patience=patience)
    if result.value is None:
        raise TrialError(f"no evaluation gave a finite {objective.name}, so there is no best checkpoint to keep")
    load_tokenizer(inputs.model_name, trust_remote_code=inputs.trust_remote_code).save_pretrained(directory / MODEL)
    metrics: dict[str, Any] = {
        "objective": {"name": objective.name, "goal": objective.goal, "value": result.value},
        "best_step": result.step,
        "validation": _validation_metrics(result),
    }
    if TEST in setup.dataset.splits:
        metrics["test"] = _test_metrics(trainer, setup.dataset.splits[TEST], metrics["validation"])
    metrics |= {"seed": result.seed, "details": result.details, "timings": result.timings}
    write_json(directory / METRICS, metrics)
    return FinalModel(result, directory / MODEL, directory / METRICS, metrics)


def _validation_metrics(result: TrialResult) -> dict[str, float]:
    """Return the metrics at the best checkpoint by their names without prefix."""
    best = next(row for row in result.history if row["step"] == result.step)
    return {metric_name_for_trainer(name): value for name, value in best.items() if name not in ("step", "epoch")}


def _test_metrics(trainer: TaskTrainer, split: EncodedSplit, validation: Mapping[str, float]) -> dict[str, float]:
    """Evaluate the test split, and return the metrics that `validation` has."""
    predicted = trainer.predict(split, metric_key_prefix=TEST).metrics or {}
    by_name = {name.removeprefix(f"{TEST}_"): value for name, value in predicted.items()}
    return {name: value for name, value in by_name.items() if name in validation}
