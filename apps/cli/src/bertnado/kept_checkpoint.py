"""The checkpoint that a sweep kept, taken over as the final model."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import (
    ArgumentProblem,
    InvalidInputError,
    Problem,
    TrainingInputs,
    TrialResult,
    path_exists,
    read_best_config,
)
from bertnado_metrics import Objective, resolve_objective
from bertnado_sweep.resume import read_recorded
from bertnado_sweep.running.events import Note
from bertnado_train import HuggingFaceTrainer, adopt_checkpoint, group_column_problem

from bertnado.best_details import BestDetails, UnusableDetailsError, read_best_details, recorded_options
from bertnado.final import describe_final, final_output_problems, note_look

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bertnado_metrics import Goal, Task
    from bertnado_sweep.running.events import Observer

_WITHOUT = "or train anew without {from_sweep}"
_FREE_INPUTS = ("dataset", "trust_remote_code", "allow_new_weights")
"""Inputs that may differ from the recorded ones: the rows of a dataset are compared, not its place."""


@dataclass(frozen=True)
class KeptCheckpoint:
    """A kept checkpoint that has been checked but not taken over."""

    trainer: HuggingFaceTrainer
    details: BestDetails
    objective: Objective
    checkpoint: Path
    output_dir: Path
    warnings: tuple[Problem, ...]
    best_config_path: Path
    """The file beside which looks at the test split are recorded."""
    group_column: str | None = None


def find_kept_checkpoint(
    given: Mapping[str, Any],
    *,
    output_dir: Path,
    best_config_path: Path,
    metric_name: str | None,
    metric_goal: Goal | None,
    training_options: Iterable[str],
    group_column: str | None = None,
) -> KeptCheckpoint:
    """Check everything that can be checked before a checkpoint is taken over; see `bertnado.api.train_model`.

    Args:
        given: Fields of `TrainingInputs` that were given; the others are as recorded.
        output_dir: The directory for `model` and `metrics.json`.
        best_config_path: The `best_sweep_config.json` of the sweep.
        metric_name: The metric that was given; it must be the sweep's.
        metric_goal: The same for its goal.
        training_options: The names of options that were given and only training has a use for.
        group_column: The column whose groups are resampled for the intervals of the test metrics; None for rows.

    Raises:
        InvalidInputError: Something is wrong; every problem is in it.
    """
    problems: list[Problem] = [
        ArgumentProblem("from_sweep", f"{{from_sweep}} trains nothing; remove {{{name}}}, {_WITHOUT}")
        for name in training_options
    ]
    details = _read_details(best_config_path, problems)
    recorded = _recorded_inputs(details, best_config_path.parent)
    inputs = TrainingInputs.completed(given, {**recorded_options(details.details), **(recorded or {})})
    problems += [] if recorded is None else _other_inputs(inputs, recorded)
    problems += final_output_problems(output_dir)
    problems += _other_objective(inputs.task_type, details, metric_name, metric_goal)
    checkpoint, more = _find_checkpoint(details, best_config_path.parent)
    problems += more
    trainer = HuggingFaceTrainer(**dict(inputs))
    if not problems:
        problems += trainer.check_inputs(details.resolve_objective())
    errors = [problem for problem in problems if problem.severity == "error"]
    if not errors and group_column is not None:
        errors += filter(None, [group_column_problem(Path(inputs.dataset), group_column)])
    if not errors:
        errors = _other_rows(trainer, details)
    if errors or checkpoint is None:
        raise InvalidInputError(errors)
    objective = details.resolve_objective()
    return KeptCheckpoint(
        trainer, details, objective, checkpoint, output_dir, tuple(problems), best_config_path, group_column
    )


def take_over(kept: KeptCheckpoint, observer: Observer | None) -> dict[str, Any]:
    """Make the checkpoint the final model; see `bertnado.api.train_model`.

    Raises:
        TrialError: The checkpoint gives no finite value, or not the same logits with plain transformers.
    """
    details = kept.details
    notes = [f"Warning: {warning}" for warning in kept.warnings]
    seed = "" if details.kept_run is None else f", confirmed, with seed {details.seed}"
    notes.append(
        f"the final model is the checkpoint of trial {details.number + 1} of sweep {details.sweep_id}{seed}, "
        f"step {details.step}; nothing is trained"
    )
    if observer is not None:
        for note in notes:
            observer(Note(note))
    trained = TrialResult(details.value, details.step, (), kept.checkpoint, seed=details.seed, details=details.details)
    given = (kept.trainer, details.parameters, kept.objective, kept.output_dir, trained)
    final = adopt_checkpoint(*given, group_column=kept.group_column)
    looked = note_look(final, kept.best_config_path, details.parameters)
    if observer is not None and looked is not None:
        observer(Note(looked))
    return describe_final(final, kept.objective)


def _read_details(best_config_path: Path, problems: list[Problem]) -> BestDetails:
    try:
        return read_best_details(read_best_config(best_config_path), best_config_path).of_kept_run()
    except UnusableDetailsError as error:
        message = f"{{from_sweep}} needs the record of the best trial, but {error}; restore it, {_WITHOUT}"
        raise InvalidInputError([*problems, ArgumentProblem("from_sweep", message)]) from None


def _recorded_inputs(details: BestDetails, output_dir: Path) -> dict[str, Any] | None:
    """Return the inputs of the sweep; None if its `sweep.json` is not beside its best configuration."""
    recorded = read_recorded(output_dir.absolute())
    if recorded is None or recorded.sweep_id != details.sweep_id:
        return None
    return recorded.record["application"]


def _other_inputs(inputs: TrainingInputs, recorded: Mapping[str, Any]) -> list[Problem]:
    """Report the inputs that are not those of the sweep."""
    now = inputs.to_record()
    problems: list[Problem] = []
    for name, field in TrainingInputs.model_fields.items():
        if name in _FREE_INPUTS or name == "seed":
            continue
        value, before = now.get(name, field.default), recorded.get(name, field.default)
        if value != before and not (name == "model_name" and _was_moved(before)):
            told = f"without {{{name}}}" if before in (None, False) else f"with {{{name}}} {before}"
            message = f"the sweep has trained {told}, got {value}; remove it, {_WITHOUT}"
            problems.append(ArgumentProblem(name, message))
    return problems


def _was_moved(model_name: str) -> bool:
    """Return True if the recorded model was a directory that is no longer there."""
    return Path(model_name).is_absolute() and not path_exists(model_name)


def _other_objective(
    task: str | Task, details: BestDetails, metric_name: str | None, metric_goal: Goal | None
) -> list[Problem]:
    """Report a metric that is not the one that selected the checkpoint."""
    selected = details.resolve_objective()
    try:
        asked = resolve_objective(task, metric_name or selected.name, metric_goal)
    except ValueError as error:
        return [ArgumentProblem("metric_name", str(error))]
    if asked == selected or (metric_goal is None and asked.name == selected.name):
        return []
    name = "metric_name" if metric_name else "metric_goal"
    message = (
        f"the checkpoint was selected by {selected.name} ({selected.goal}), got {asked.name} ({asked.goal}); "
        f"remove {{{name}}}, {_WITHOUT}"
    )
    return [ArgumentProblem(name, message)]


def _find_checkpoint(details: BestDetails, output_dir: Path) -> tuple[Path | None, list[Problem]]:
    """Return the directory of the checkpoint, None if it is not here, and why."""
    if details.checkpoint is None and details.step is None:
        message = f"the record was exported from W&B, which has no checkpoints; pass that of the sweep, {_WITHOUT}"
        return None, [ArgumentProblem("from_sweep", message)]
    if details.checkpoint is None and details.confirmation is not None:
        message = "no checkpoint of the confirmed trial is left; train anew without {from_sweep}"
        return None, [ArgumentProblem("from_sweep", message)]
    if details.checkpoint is None:
        message = f"the sweep kept no checkpoint; run it with {{keep_checkpoints}} best, {_WITHOUT}"
        return None, [ArgumentProblem("from_sweep", message)]
    recorded = Path(details.checkpoint)
    beside = output_dir / details.directory / recorded.name  # of an output directory that was moved or copied
    found = next((path for path in (beside, recorded) if (path / "config.json").is_file()), None)
    if found is not None:
        return found, []
    if details.host not in (None, socket.gethostname()):
        cure = f"run this command there, copy the directory to {beside}, {_WITHOUT}"
        message = f"the checkpoint {recorded} is on the machine {details.host}; {cure}"
    else:
        message = f"the checkpoint {recorded} was removed; restore it, {_WITHOUT}"
    return None, [ArgumentProblem("from_sweep", message)]


def _other_rows(trainer: HuggingFaceTrainer, details: BestDetails) -> list[Problem]:
    """Report a dataset that does not give the rows of the sweep."""
    if trainer.setup.dataset.fingerprint == details.fingerprint:
        return []
    rule = "{dataset} must give the model the rows of the sweep"
    message = f"{rule}, got others from {trainer.dataset}; pass the dataset of the sweep, {_WITHOUT}"
    return [ArgumentProblem("dataset", message)]
