"""BertNado from Python: the same code path as the commands.

Importing this module loads neither torch nor transformers; calling into it does.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

if TYPE_CHECKING:
    from bertnado_metrics import Goal
    from bertnado_sweep import Observer, Plan, Sweeper, SweepOptions
    from bertnado_train import HuggingFaceTrainer, Precision, SweepPlan

DEFAULT_MODEL = "PoetschLab/GROVER"
DEFAULT_TASK = "binary_classification"


def run_sweep(
    config_path: Path | str | None,
    output_dir: Path | str,
    dataset: Path | str | None = None,
    project_name: str | None = None,
    task_type: str | None = None,
    model_name: str | None = None,
    sweep_count: int | None = None,
    metric_name: str | None = None,
    metric_goal: Goal | None = None,
    *,
    seed: int | None = None,
    precision: Precision | None = None,
    trust_remote_code: bool | None = None,
    observer: Observer | None = None,
    **options: Unpack[SweepOptions],
) -> dict[str, Any]:
    """Search for the best training settings; write `best_sweep_config.json`.

    Inside an agent of W&B (`WANDB_SWEEP_ID` is set) it trains the one trial that the agent was given.

    Args:
        config_path: The sweep file, JSON or YAML; `None` where `sweep_id` names a sweep.
        output_dir: Where everything is written; must not hold another sweep, unless it is resumed: then all that is
            not given is as it is recorded.
        dataset: A `DatasetDict` on disk with `train` and `validation`.
        project_name: The W&B project that the trials are tracked in; by default the file's, otherwise WANDB_PROJECT,
            otherwise `bertnado`.
        task_type: One of `bertnado_metrics.TASKS`; `binary_classification` by default.
        model_name: A directory with a model, or its name on the Hugging Face hub; `PoetschLab/GROVER` by default.
        sweep_count: How many trials, at least 1. By default a grid runs whole; otherwise the file's `run_cap`
            counts, otherwise 10.
        metric_name: What trials are judged by; by default the file's metric, otherwise the task's.
        metric_goal: `maximize` or `minimize`; by default what the metric implies.
        seed: Seeds search and training; at least 0 and below 2**32, 42 by default.
        precision: What trials compute in, where the sweep file does not say it: `auto` (bf16 on a GPU that has it,
            otherwise fp32; the default), `fp32`, `bf16` or `fp16`.
        trust_remote_code: Whether code that comes with the model may run; by default it may not.
        observer: Told of everything that happens, for a display.
        options: How the sweep is run: `backend`, `workers` and others, see `bertnado_sweep.SweepOptions`.

    Returns:
        `sweep_id`, `best_run_id`, `metric_name`, `metric_goal`, `metric_for_best_model`, `metric_value`,
        `best_config` and `best_config_path`; of the best trial so far, if any, inside an agent.

    Raises:
        InvalidInputError: Everything that was found wrong before the first trial; nothing was started.
        NoEligibleTrialError: No trial came to a value.
        TooManyFailuresError: The first three trials failed for the same reason, or `max_failures` did.
        Interrupted: A signal broke it off; what was finished is on disk, and `resume` goes on with it.
        ServiceError: W&B did not make the sweep, or no longer answers; what was finished is on disk.
    """
    from bertnado_sweep import best_so_far, is_inside_agent, run_plan

    sweeper = _sweeper(
        options,
        config_path=config_path,
        output_dir=output_dir,
        model_name=model_name,
        dataset=dataset,
        task_type=task_type,
        project_name=project_name,
        metric_name=metric_name,
        metric_goal=metric_goal,
        seed=seed,
        precision=precision,
        trust_remote_code=trust_remote_code,
    )
    if is_inside_agent():
        sweeper.run_assigned(observer, keep_checkpoints=options.get("keep_checkpoints") or "best")
        return best_so_far(sweeper.output_dir)
    plan = sweeper.plan(sweep_count, command=_agent_command(sweeper, options), **options)
    return run_plan(plan, observer=observer).to_dict()


def _sweeper(options: SweepOptions, *, output_dir: Path | str, **settings: Any) -> Sweeper:
    """Make the sweeper of a sweep that begins, or goes on with what is recorded of it.

    Raises:
        InvalidInputError: The backend that was asked for, or what is recorded, cannot be used.
    """
    from bertnado_sweep import Sweeper, find_recorded, require_backend

    require_backend(options.get("backend", "auto"))
    storage, study = options.get("storage"), options.get("study")
    goes_on = options.get("resume") or (study and storage)
    recorded = find_recorded(output_dir, storage=storage, study=study) if goes_on else None
    return Sweeper(output_dir=output_dir, recorded=recorded, **settings)


def join_sweep(
    output_dir: Path | str,
    *,
    storage: str | None = None,
    study: str | None = None,
    dataset: Path | str | None = None,
    model_name: str | None = None,
    workers: int | None = None,
    trials_per_gpu: int = 1,
    time_limit: float | str | None = None,
    observer: Observer | None = None,
) -> dict[str, Any]:
    """Work on a sweep that was begun elsewhere, or before, with what is recorded of it.

    Args:
        output_dir: The sweep's, which the machines share; with `storage` one of this machine's own.
        storage: The database in which the machines share the sweep.
        study: The sweep's name there.
        dataset: Where this machine has the dataset, if not where the sweep was begun with it.
        model_name: The same of the model.
        workers: How many processes train at once, see `bertnado_sweep.SweepOptions`.
        trials_per_gpu: How many of them share one GPU at most.
        time_limit: Seconds, or a duration such as `3h30m`, after which this machine's part ends.
        observer: Told of everything that happens, for a display.

    Returns:
        What `run_sweep` returns.

    Raises:
        InvalidInputError: There is no such sweep, or something that it needs is not here.
        NoEligibleTrialError: No trial came to a value.
        TooManyFailuresError: Too many trials of this machine failed.
        Interrupted: A signal broke it off; what was finished is recorded.
        StorageError: The database no longer answers.
        ServiceError: W&B no longer answers.
    """
    from bertnado_sweep import Sweeper, require_recorded, run_plan

    recorded = require_recorded(output_dir, storage=storage, study=study)
    sweeper = Sweeper(None, output_dir, model_name, dataset, recorded=recorded)
    plan = sweeper.plan(
        storage=storage, study=study, join=True, workers=workers, trials_per_gpu=trials_per_gpu, time_limit=time_limit
    )
    return run_plan(plan, observer=observer).to_dict()


def _agent_command(sweeper: Sweeper, options: SweepOptions) -> list[str]:
    """How W&B's command-line agent starts a trial of this sweep, from where this process was started."""
    flags = {
        "--sweep-id": "${envvar:WANDB_SWEEP_ID}",
        "--output-dir": _from_here(sweeper.output_dir),
        "--dataset": _from_here(sweeper.dataset),
        "--model-name": _from_here(sweeper.model_name) if _is_there(sweeper.model_name) else sweeper.model_name,
        "--task-type": sweeper.task_type,
        "--seed": str(sweeper.seed),
        "--precision": sweeper.precision,
        "--keep-checkpoints": options.get("keep_checkpoints") or "best",
    }
    trust = ["--trust-remote-code"] if sweeper.trust_remote_code else []
    return ["bertnado", "run-sweep", *(word for flag in flags.items() for word in flag), *trust]


def _from_here(path: Path | str) -> str:
    return os.path.relpath(path) if str(path).strip() else str(path)


def _is_there(name: str) -> bool:
    try:
        return Path(name).exists() and bool(name.strip())
    except (OSError, ValueError):  # what no file can be named
        return False


@dataclass(frozen=True)
class CheckedSweep:
    """A sweep that passed every check, and what it will do."""

    plan: Plan
    """The sweep: objective, space, trials."""
    trials: SweepPlan
    """Its trials: steps, evaluations, arguments, dataset."""


def check_sweep(
    config_path: Path | str | None,
    output_dir: Path | str,
    dataset: Path | str | None = None,
    project_name: str | None = None,
    task_type: str | None = None,
    model_name: str | None = None,
    sweep_count: int | None = None,
    metric_name: str | None = None,
    metric_goal: Goal | None = None,
    *,
    seed: int | None = None,
    precision: Precision | None = None,
    trust_remote_code: bool | None = None,
    **options: Unpack[SweepOptions],
) -> CheckedSweep:
    """Check everything that `run_sweep` checks, start nothing, and say what would be done.

    Raises:
        InvalidInputError: Everything that was found wrong.
    """
    sweeper = _sweeper(
        options,
        config_path=config_path,
        output_dir=output_dir,
        model_name=model_name,
        dataset=dataset,
        task_type=task_type,
        project_name=project_name,
        metric_name=metric_name,
        metric_goal=metric_goal,
        seed=seed,
        precision=precision,
        trust_remote_code=trust_remote_code,
    )
    plan = sweeper.plan(sweep_count, command=_agent_command(sweeper, options), **options)
    trainer = cast("HuggingFaceTrainer", sweeper.trainer)
    trials, _ = trainer.plan(plan.config, plan.objective)
    assert trials is not None  # noqa: S101  (the same checks passed a moment ago)
    return CheckedSweep(plan, trials)


def train_model(
    output_dir: Path | str,
    dataset: Path | str,
    best_config_path: Path | str,
    model_name: str = DEFAULT_MODEL,
    task_type: str = DEFAULT_TASK,
    project_name: str | None = None,
    metric_name: str | None = None,
    metric_goal: Goal | None = None,
    *,
    seed: int | None = None,
    precision: Precision = "auto",
    early_stopping_patience: int | None = None,
    trust_remote_code: bool = False,
    observer: Observer | None = None,
    **training_arguments: Any,
) -> dict[str, Any]:
    """Train the final model with the best settings; write `OUTPUT/model` and `OUTPUT/metrics.json`.

    What `best_sweep_config.json` leaves out (seed, precision, interval of evaluation) is taken from
    `best_sweep_details.json` beside it, where that is there.

    Args:
        output_dir: Where everything is written; must not hold a trained model yet.
        dataset: A `DatasetDict` on disk with `train`, `validation` and perhaps `test`.
        best_config_path: `best_sweep_config.json` of a sweep, or a file of your own like it.
        model_name: A directory with a model, or its name on the Hugging Face hub.
        task_type: One of `bertnado_metrics.TASKS`.
        project_name: The W&B project that the run is tracked in; by default WANDB_PROJECT, otherwise `bertnado`.
        metric_name: What the best checkpoint is chosen by; by default the file's metric, otherwise the task's.
        metric_goal: `maximize` or `minimize`; by default the file's, otherwise what the metric implies.
        seed: By default the sweep's, otherwise 42.
        precision: What training computes in, where neither the file nor the sweep's record says it, see `run_sweep`.
        early_stopping_patience: Stop after so many evaluations in a row without an improvement; at least 1.
        trust_remote_code: Whether code that comes with the model may run.
        observer: Told of everything that happens, for a display.
        training_arguments: Further `TrainingArguments`; each overrides what the file says.

    Returns:
        `model_path`, `metrics_path`, `metric_name`, `metric_goal`, `metric_value` and, where there is a test split,
        `test_metrics`.

    Raises:
        InvalidInputError: Everything that was found wrong before training; nothing was started.
        TrialError: Training came to nothing, for the reason that it says.
    """
    from bertnado.final import prepare_final, train_final

    run = prepare_final(
        output_dir=Path(output_dir),
        dataset=dataset,
        best_config_path=Path(best_config_path),
        model_name=model_name,
        task_type=task_type,
        project_name=project_name,
        metric_name=metric_name,
        metric_goal=metric_goal,
        seed=seed,
        precision=precision,
        patience=early_stopping_patience,
        trust_remote_code=trust_remote_code,
        overrides=training_arguments,
    )
    return train_final(run, observer)
