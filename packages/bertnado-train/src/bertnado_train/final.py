"""The final model: one trial with the best configuration, saved whole and tested once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import TrialError, TrialResult, write_json

from .loop import EVALUATION
from .model import load_tokenizer
from .prepared import TEST
from .trial import SilentReport, open_setting, run_trial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertnado_config import Report, TrainingInputs
    from bertnado_metrics import Objective

MODEL = "model"
METRICS = "metrics.json"


@dataclass(frozen=True)
class FinalModel:
    """What training the final model came to."""

    result: TrialResult
    model_path: Path
    """The model and its tokenizer, as `from_pretrained` reads them."""
    metrics_path: Path
    metrics: Mapping[str, Any]
    """What `metrics.json` holds: `validation` at the best checkpoint, `test` where there is one, ..."""


def train_model(
    inputs: TrainingInputs,
    parameters: Mapping[str, Any],
    objective: Objective,
    output_dir: Path | str,
    *,
    patience: int | None = None,
    report: Report | None = None,
) -> FinalModel:
    """Train with `parameters`, keep the best checkpoint as `OUTPUT/model`, evaluate `test` once.

    Args:
        inputs: What is trained; a `HuggingFaceTrainer` will do.
        parameters: Training arguments by any name that the installed transformers, or an older one, has.
        objective: What the best checkpoint is chosen by.
        output_dir: Made if it is missing; receives `model` and `metrics.json`.
        patience: Stop after so many evaluations in a row without an improvement; `None` never does.
        report: Told of every step and evaluation.

    Raises:
        ValueError: The model, the dataset or a parameter cannot be used.
        DivergedError: The loss became NaN or infinite.
        TrialError: No evaluation gave a number.
    """
    directory = Path(output_dir)
    directory.mkdir(parents=True, exist_ok=True)
    setting = open_setting(inputs)
    report = report or SilentReport(directory, objective)
    result, trainer = run_trial(setting, parameters, report, directory / MODEL, patience=patience)
    if result.value is None:
        raise TrialError(f"no evaluation gave a finite {objective.name}, so there is no best checkpoint to keep")
    load_tokenizer(inputs.model_name, trust_remote_code=inputs.trust_remote_code).save_pretrained(directory / MODEL)
    metrics: dict[str, Any] = {
        "objective": {"name": objective.name, "goal": objective.goal, "value": result.value},
        "best_step": result.step,
        "validation": _numbers(next(row for row in result.history if row["step"] == result.step), EVALUATION),
    }
    test = setting.dataset.splits.get(TEST)
    if test is not None:
        predicted = trainer.predict(test, metric_key_prefix=TEST).metrics or {}
        metrics["test"] = {
            name.removeprefix(f"{TEST}_"): value
            for name, value in predicted.items()
            if name.removeprefix(f"{TEST}_") in metrics["validation"]
        }
    metrics |= {"seed": result.seed, "details": result.details, "timings": result.timings}
    write_json(directory / METRICS, metrics)
    return FinalModel(result, directory / MODEL, directory / METRICS, metrics)


def _numbers(row: Mapping[str, Any], prefix: str) -> dict[str, float]:
    return {name.removeprefix(f"{prefix}/"): value for name, value in row.items() if name.startswith(f"{prefix}/")}
