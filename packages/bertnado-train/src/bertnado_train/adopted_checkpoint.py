"""The kept checkpoint of a trial as the final model."""

from __future__ import annotations

import math
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bertnado_config import TrialError

from .best_checkpoint import reported_metrics
from .final_model import MODEL, FinalModel, finish_model, prepare_output, validation_record
from .model_files import holds_trained_part
from .read_back import load_model
from .trained_checkpoint import restore_trained, save_whole
from .trial import make_model, make_trainer
from .trial_strands import with_strands

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bertnado_config import TrainingInputs, TrialResult
    from bertnado_metrics import Objective

_ROUNDING = 1e-3
"""The difference between the values of a trial and of its checkpoint, also as a share, that is not worth a note."""


def adopt_checkpoint(
    inputs: TrainingInputs,
    parameters: Mapping[str, Any],
    objective: Objective,
    output_dir: Path | str,
    trained: TrialResult,
    *,
    group_column: str | None = None,
) -> FinalModel:
    """Make the checkpoint of a trial the final model, and evaluate `validation` and `test` with it.

    The checkpoint of a whole model is copied. What was trained of a model is put into the model that it belongs to.

    Args:
        inputs: The model, the dataset and the task of the trial. A `HuggingFaceTrainer` does not read them again.
        parameters: The parameters of the trial.
        objective: The metric that selected the checkpoint.
        output_dir: The directory for `model` and `metrics.json`; made if it is missing.
        trained: The result of the trial; it has a checkpoint.
        group_column: As for `train_model`.

    Raises:
        InvalidInputError: The model, the dataset or the checkpoint cannot be used.
        ValueError: A parameter cannot be used.
        TrialError: The checkpoint gives no finite value, or not the same logits with plain transformers.
    """
    setup, directory = prepare_output(inputs, output_dir)
    setup = with_strands(replace(setup, label_scale=None), parameters)  # a checkpoint predicts in label units
    assert trained.checkpoint is not None  # noqa: S101  (see `trained`)
    arguments = setup.training_arguments(parameters, objective, directory)
    if holds_trained_part(trained.checkpoint):
        model = make_model(setup, parameters, arguments.seed if trained.seed is None else trained.seed)
        restore_trained(model, setup.model, trained.checkpoint)
        save_whole(model, setup.model, directory / MODEL)
    else:
        _copy(trained.checkpoint, directory / MODEL)
        trust = inputs.trust_remote_code or inputs.head != "auto"  # a pooled head is code that a trial wrote
        model = load_model(directory / MODEL, trust_remote_code=trust)
    trainer = make_trainer(setup, parameters, arguments, model)
    begin = time.perf_counter()
    metrics = reported_metrics(trainer.evaluate())
    value = metrics[objective.name]
    if not math.isfinite(value):
        raise TrialError(f"{objective.name} of {trained.checkpoint} must be finite, got {value}; train without it")
    row = {"step": trained.step, **metrics}
    timings = {"evaluate": time.perf_counter() - begin}
    result = replace(trained, value=value, history=(row,), checkpoint=directory / MODEL, timings=timings)
    origin = {"adopted_from": str(trained.checkpoint), "value_in_trial": trained.value}
    adopted = {**validation_record(result, objective), **origin}
    notes = _differences(objective, value, trained.value)
    return finish_model(inputs, setup, trainer, result, adopted, notes, group_column=group_column)


def _differences(objective: Objective, value: float, in_trial: float | None) -> list[str]:
    """Return a note if the value is not that of the trial, but for rounding in fp32."""
    if in_trial is None or math.isclose(value, in_trial, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
        return []
    reason = "bf16 and fp16, adapters that are merged, and other devices round differently"
    return [f"{objective.name} of the final model is {value:.4f}, and was {in_trial:.4f} in the trial: {reason}"]


def _copy(checkpoint: Path, model_path: Path) -> None:
    """Copy the files of a checkpoint, completely or not at all; their modes are those of new files.

    Raises:
        OSError: They cannot be copied.
    """
    try:
        model_path.mkdir()
        for file in checkpoint.iterdir():
            if file.is_file():
                shutil.copyfile(file, model_path / file.name)
    except BaseException:
        shutil.rmtree(model_path, ignore_errors=True)
        raise
