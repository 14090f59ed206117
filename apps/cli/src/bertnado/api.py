"""BertNado from Python: the same code path as the commands.

Importing this module loads neither torch nor transformers; calling into it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertnado_metrics import Goal, Task
    from bertnado_sweep import Plan, Sweeper
    from bertnado_sweep.running.events import Observer
    from bertnado_train import HuggingFaceTrainer, SweepPlan

    from bertnado.all_rows import TrainOn


def run_sweep(
    config_path: Path | str | None,
    output_dir: Path | str,
    dataset: Path | str | None = None,
    project_name: str | None = None,
    task_type: str | Task | None = None,
    model_name: str | None = None,
    sweep_count: int | None = None,
    metric_name: str | None = None,
    metric_goal: Goal | None = None,
    *,
    observer: Observer | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Search for the best training settings; write `best_sweep_config.json`.

    Inside an agent of W&B it trains the one trial that the agent was given, unless an option asks for another sweep:
    `backend="local"`, `resume` or a different `sweep_id`.

    Args:
        config_path: The sweep file, JSON or YAML; None for a sweep that is recorded or at W&B.
        output_dir: The directory to write everything to; it must not contain another sweep, unless that is resumed:
            then everything that is not given is as recorded.
        dataset: See `bertnado_config.TrainingInputs`.
        project_name: See `bertnado_sweep.SweepOptions`.
        task_type: See `bertnado_config.TrainingInputs`.
        model_name: See `bertnado_config.TrainingInputs`.
        sweep_count: See `bertnado_sweep.SweepOptions`.
        metric_name: See `bertnado_sweep.SweepOptions`.
        metric_goal: See `bertnado_sweep.SweepOptions`.
        observer: Called with every event, for a display.
        options: All other fields of `TrainingInputs` and `SweepOptions`. None stands for the default.

    Returns:
        `sweep_id`, `best_run_id`, `metric_name`, `metric_goal`, `metric_for_best_model`, `metric_value`,
        `best_config`, `best_config_path`, the numbers of trials `finished` and `budget`, and `ended_by`; inside an
        agent, the first eight of the best trial so far, if any.

    Raises:
        InvalidInputError: Something is wrong; every problem is in it, and nothing was started.
        NoEligibleTrialError: No trial has a value.
        TooManyFailuresError: The first three trials failed for the same reason, or `max_failures` did.
        WorkersLeftError: This machine fails; check it, then `resume` continues.
        Interrupted: A signal interrupted it; what was finished is on disk, and `resume` continues it.
        ServiceError: W&B did not create the sweep, or no longer answers; what was finished is on disk.
    """
    from bertnado_sweep.backends.wandb.environment import is_assigned_trial
    from bertnado_sweep.records.best import best_so_far
    from bertnado_sweep.running.events import log_warnings
    from bertnado_sweep.sweep import taking_turns

    from bertnado.baselines import run_beside_baselines

    given: dict[str, Any] = {
        "dataset": dataset,
        "project_name": project_name,
        "task_type": task_type,
        "model_name": model_name,
        "sweep_count": sweep_count,
        "metric_name": metric_name,
        "metric_goal": metric_goal,
        **options,
    }
    with taking_turns(output_dir, observer or log_warnings, **options) as listen:
        sweeper, sweep_options = _prepare(config_path, output_dir, given)
        if is_assigned_trial(given):
            sweeper.run_assigned(listen, **{name: given.get(name) for name in ("keep_checkpoints", "save_state_every")})
            return best_so_far(sweeper.output_dir)
        plan = sweeper.plan(command=_agent_command(sweeper, given), **sweep_options)
        return run_beside_baselines(plan, listen).to_dict()


def _prepare(
    config_path: Path | str | None, output_dir: Path | str, given: Mapping[str, Any]
) -> tuple[Sweeper, Mapping[str, Any]]:
    """Make the sweeper of a sweep that begins or continues; return it with the remaining options.

    Raises:
        InvalidInputError: The requested backend, or what is recorded, cannot be used.
    """
    from bertnado_config import InvalidInputError, TrainingInputs
    from bertnado_sweep import Sweeper
    from bertnado_sweep.planning import require_backend
    from bertnado_sweep.records.files import named_directory
    from bertnado_sweep.resume import find_recorded, nothing_to_resume

    require_backend(given)
    storage, study = given.get("storage"), given.get("study")
    continues = given.get("resume") or given.get("join_or_begin") or (study and storage)
    recorded = find_recorded(output_dir, storage=storage, study=study) if continues else None
    if given.get("resume") and recorded is None:
        raise InvalidInputError([nothing_to_resume(named_directory(output_dir))])
    inputs = {name: value for name, value in given.items() if name in TrainingInputs.model_fields}
    options = {name: value for name, value in given.items() if name not in inputs}
    return Sweeper(config_path, output_dir, recorded=recorded, **inputs), options


def join_sweep(
    output_dir: Path | str,
    *,
    dataset: Path | str | None = None,
    model_name: str | None = None,
    observer: Observer | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Work on a sweep that was started elsewhere, or before, with its recorded options.

    Args:
        output_dir: The directory of the sweep, which the machines share; with `storage` one of this machine's own.
        dataset: The dataset on this machine, if it is not where the sweep was started with it.
        model_name: The same for the model.
        observer: Called with every event, for a display.
        options: Options of this machine: `storage`, `study`, `workers`, `trials_per_gpu`, `time_limit` and `dry_run`,
            see `bertnado_sweep.SweepOptions`.

    Returns:
        The same as `run_sweep`.

    Raises:
        InvalidInputError: There is no such sweep, or something that it needs is missing here.
        NoEligibleTrialError: No trial has a value.
        TooManyFailuresError: Too many trials of this machine failed.
        WorkersLeftError: This machine fails.
        Interrupted: A signal interrupted it; what was finished is recorded.
        StorageError: The database no longer answers.
        ServiceError: W&B no longer answers.
    """
    from bertnado_sweep import Sweeper
    from bertnado_sweep.resume import require_recorded

    from bertnado.baselines import run_beside_baselines

    recorded = require_recorded(output_dir, storage=options.get("storage"), study=options.get("study"))
    sweeper = Sweeper(None, output_dir, model_name, dataset, recorded=recorded)
    return run_beside_baselines(sweeper.plan(join=True, **options), observer).to_dict()


NOT_OF_JOBS = ("time_limit", "resume", "join_or_begin", "dry_run")
"""The options of a sweep that jobs decide themselves: they end at their time limit and continue what is recorded."""


def submit_sweep(
    config_path: Path | str | None = None,
    output_dir: Path | str = "",
    dataset: Path | str | None = None,
    *,
    observer: Observer | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Search for the best training settings with jobs of a scheduler, which share the trials of one sweep.

    Everything is checked first, and the sweep is recorded. A sweep that is recorded there already gets more jobs.

    Args:
        config_path: The sweep file; None for a sweep that is recorded.
        output_dir: The directory to write everything to, which all jobs must see.
        dataset: The dataset; None for a sweep that is recorded.
        observer: Called with the warnings about the sweep.
        options: The fields of `bertnado_sweep.cluster.options.JobOptions`, and those of `TrainingInputs` and
            `SweepOptions` but `NOT_OF_JOBS`. None stands for the default.

    Returns:
        `sweep_id`, `scheduler`, the ids of the `jobs`, and the directory of their `logs`.

    Raises:
        InvalidInputError: Something is wrong, or the scheduler refuses the jobs; every problem is in it.
        ServiceError: W&B did not create the sweep.
        OSError: The record cannot be written.
    """
    from bertnado_sweep.records.files import named_directory
    from bertnado_sweep.resume import read_recorded
    from bertnado_sweep.running.events import log_warnings

    from bertnado.submitting import read_job_options, submit_plan

    jobs = read_job_options(options)
    given = {name: value for name, value in options.items() if name not in type(jobs).model_fields}
    is_recorded = read_recorded(named_directory(output_dir)) is not None
    given |= {"dataset": dataset, "resume": is_recorded or None}
    sweeper, sweep_options = _prepare(config_path, output_dir, given)
    plan = sweeper.plan(command=_agent_command(sweeper, given), **{**sweep_options, "dry_run": False})
    return submit_plan(plan, jobs, given, observer or log_warnings)


def follow_sweep(output_dir: Path | str, observer: Observer, storage: str | None = None) -> dict[str, Any]:
    """Follow the jobs of a sweep until all of them have ended.

    Args:
        output_dir: The output directory of the sweep.
        observer: Called when a trial begins or ends, and with a note when a job changes its state.
        storage: The database of the sweep.

    Returns:
        The same as `run_sweep`.

    Raises:
        JobsFailedError: All jobs failed; the message names each reason once.
        NoEligibleTrialError: No trial has a value.
    """
    from bertnado_sweep.cluster.following import follow_jobs, result_of
    from bertnado_sweep.records.files import named_directory

    output = named_directory(output_dir)
    return result_of(follow_jobs(output, observer, storage=storage), output)


def cancel_sweep(output_dir: Path | str, *, storage: str | None = None) -> dict[str, Any]:
    """End the jobs that were submitted for a sweep, and export the best trial.

    Args:
        output_dir: The output directory of the sweep.
        storage: The database of the sweep.

    Returns:
        The ids of the `cancelled` jobs, and of those that have `not_ended` within a minute, the number of `finished`
        trials, `best_config_path`, None if no trial has a value, and the directory of the `logs`.

    Raises:
        InvalidInputError: No sweep is recorded there.
        SchedulerError: SLURM does not answer, or the jobs run on another machine.
    """
    from bertnado_sweep.cluster.cancelling import cancel_sweep

    return cancel_sweep(output_dir, storage=storage)


def confirm(
    output_dir: Path | str,
    *,
    top: int = 3,
    seeds: int | None = None,
    folds: str | None = None,
    dataset: Path | str | None = None,
    model_name: str | None = None,
    observer: Observer | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Train the best trials of a sweep anew with fresh seeds, and export the one with the best mean.

    It writes `confirmation.json`, and `best_sweep_config.json` with the confirmed trial. A confirmation that was
    interrupted or killed continues when the call is repeated; one with more finalists or seeds adds to it.

    Args:
        output_dir: The output directory of the sweep.
        top: The number of best trials, at least 1.
        seeds: The number of fresh seeds of each, at least 2 and by default 5; with `folds`, for each fold, by default
            1. A trial that is clearly behind after two seeds, or two folds, gets no more.
        folds: A column of the dataset, such as the chromosome. Each of its groups is validated on once, with a model
            that is trained on all other rows of the training and validation splits.
        dataset: The dataset on this machine, if it is not where the sweep was run with it.
        model_name: The same for the model.
        observer: Called with every event, for a display; the runs are trials to it.
        options: `workers`, `trials_per_gpu`, `time_limit`, `save_state_every`, `retry_failed` and `storage`, see
            `bertnado_sweep.SweepOptions`.

    Returns:
        What `run_sweep` returns of the best trial, which is the confirmed one, with `confirmed_mean`,
        `confirmed_standard_error` and `confirmed_seeds`; `winner`, the number of that trial as it is shown;
        `finalists`, each with its mean and its probability of being the best; `confirmation_path`, where all is
        recorded; the numbers of runs `finished` and `budget`, and `ended_by`.

    Raises:
        InvalidInputError: Something is wrong; every problem is in it, and nothing was started.
        NotConfirmedError: No finalist has two values, or with `folds` one in each.
        TooManyFailuresError: Too many runs failed.
        WorkersLeftError: This machine fails.
        Interrupted: A signal interrupted it; the same call continues it.
    """
    from bertnado.confirming import confirm_recorded

    inputs: dict[str, Any] = {"dataset": dataset, "model_name": model_name}
    return confirm_recorded(output_dir, top=top, seeds=seeds, folds=folds, observer=observer, **inputs, **options)


def _agent_command(sweeper: Sweeper, given: Mapping[str, Any]) -> list[str]:
    """Return how W&B's command-line agent starts a trial of this sweep, from any directory of this machine."""
    from bertnado_config import path_exists

    from bertnado.flags import given_words

    inputs = sweeper.inputs
    flags = {
        "--sweep-id": "${envvar:WANDB_SWEEP_ID}",
        "--output-dir": _absolute(sweeper.output_dir),
        "--dataset": _absolute(inputs.dataset),
        "--model-name": _absolute(inputs.model_name) if path_exists(inputs.model_name) else inputs.model_name,
        "--task-type": inputs.task_name,
        "--seed": str(inputs.seed),
        "--precision": inputs.precision,
        "--keep-checkpoints": given.get("keep_checkpoints") or "best",
    }
    if given.get("save_state_every") is not None:
        flags["--save-state-every"] = str(given["save_state_every"])
    return ["bertnado", "run-sweep", *(word for flag in flags.items() for word in flag), *given_words(inputs, flags)]


def _absolute(path: Path | str) -> str:
    return str(Path(path).absolute()) if str(path).strip() else str(path)


@dataclass(frozen=True)
class CheckedSweep:
    """A sweep that passed every check, and its plan."""

    plan: Plan
    """The sweep: objective, space, number of trials."""
    trials: SweepPlan
    """Its trials: steps, evaluations, arguments, dataset."""


def check_sweep(
    config_path: Path | str | None, output_dir: Path | str, dataset: Path | str | None = None, **given: Any
) -> CheckedSweep:
    """Check everything that `run_sweep` checks, start nothing, and return what would be done.

    Args:
        config_path: The sweep file, as for `run_sweep`.
        output_dir: The directory that everything would be written to.
        dataset: The dataset, as for `run_sweep`.
        given: The other arguments of `run_sweep`, by name. Trials are measured only with `dry_run=True`.

    Raises:
        InvalidInputError: Something is wrong; every problem is in it.
    """
    sweeper, options = _prepare(config_path, output_dir, {"dataset": dataset, **given})
    plan = sweeper.plan(command=_agent_command(sweeper, given), **{**options, "dry_run": bool(given.get("dry_run"))})
    trainer = cast("HuggingFaceTrainer", sweeper.trainer)
    trials, _ = trainer.plan(plan.config, plan.objective)
    assert trials is not None  # noqa: S101  (the same checks passed a moment ago)
    return CheckedSweep(plan, trials)


def init_sweep(
    dataset: Path | str,
    model_name: str | None = None,
    task_type: str | Task | None = None,
    *,
    to: Path | str = "sweep.yaml",
    sweep_count: int = 20,
    metric_name: str | None = None,
    **inputs: Any,
) -> dict[str, Any]:
    """Write a first sweep file for a model, a dataset and a number of trials, with a comment on each line.

    The space lies around the published settings of the model's family, otherwise around those of BERT. Batches, epochs,
    evaluations and early termination are chosen for the rows and the trials. Nothing is trained.

    Args:
        dataset: See `bertnado_config.TrainingInputs`.
        model_name: See `bertnado_config.TrainingInputs`.
        task_type: See `bertnado_config.TrainingInputs`.
        to: The file to write, YAML; it must not exist.
        sweep_count: The number of trials, at least 1.
        metric_name: The metric to optimize; by default the task's.
        inputs: All other fields of `TrainingInputs`. None stands for the default.

    Returns:
        `path`, the file; `family`, the model's, None if it is of no known one; `trials`; and `check` and `run`, the
        commands that check and run the sweep.

    Raises:
        InvalidInputError: Something is wrong, and nothing was written; every problem is in it.
        OSError: The file cannot be written.
    """
    from bertnado_config import TrainingInputs

    from bertnado.sweep_draft import write_draft

    given = {"dataset": dataset, "model_name": model_name, "task_type": task_type, **inputs}
    completed = TrainingInputs.completed(given, {})
    return write_draft(completed, to, sweep_count=sweep_count, metric_name=metric_name)


def train_model(
    output_dir: Path | str,
    dataset: Path | str | None,
    best_config_path: Path | str,
    model_name: str | None = None,
    task_type: str | Task | None = None,
    project_name: str | None = None,
    metric_name: str | None = None,
    metric_goal: Goal | None = None,
    *,
    seed: int | None = None,
    early_stopping_patience: int | None = None,
    from_sweep: bool = False,
    train_on: TrainOn = "train",
    save_state_every: float | str | None = None,
    group_column: str | None = None,
    observer: Observer | None = None,
    **further: Any,
) -> dict[str, Any]:
    """Train the final model with the best settings; write `OUTPUT/model` and `OUTPUT/metrics.json`.

    Thresholds are chosen on validation. The test split is evaluated once, with intervals, and its predictions are
    written to `OUTPUT/predictions.tsv`; that it was looked at is recorded in `test_looks.json` beside the best
    configuration.

    Seed, precision and evaluation interval, which `best_sweep_config.json` does not contain, are taken from
    `best_sweep_details.json` beside it, if it exists.

    Args:
        output_dir: The directory to write everything to; it must not contain a trained model.
        dataset: See `bertnado_config.TrainingInputs`; with `from_sweep`, None for the recorded one.
        best_config_path: `best_sweep_config.json` of a sweep, or a file in the same format. The config of a whole
            run, as W&B has it, is reduced to what changed its result.
        model_name: See `bertnado_config.TrainingInputs`.
        task_type: See `bertnado_config.TrainingInputs`.
        project_name: The W&B project; by default that of WANDB_PROJECT, otherwise `bertnado`.
        metric_name: The metric that the best checkpoint is chosen by; by default the file's, otherwise the task's.
        metric_goal: `maximize` or `minimize`; by default the file's, otherwise that of the metric.
        seed: The seed of training; by default the sweep's, otherwise 42.
        early_stopping_patience: Stop after this many evaluations in a row without an improvement; at least 1.
        from_sweep: Train nothing: take the checkpoint that the sweep kept over as the final model, and evaluate
            `validation` and `test` with it. What is not given is as the sweep recorded it; nothing is tracked.
        train_on: The splits to train on. `train+validation` trains for as many optimiser steps as the best checkpoint
            of the sweep had, each with the learning rate that it had there. Nothing is selected or evaluated on
            validation, so there is no validation value.
        save_state_every: The time of training between two training states, such as `10m` (the default), or `never`. A
            run that was interrupted or killed continues from its state when the call is repeated.
        group_column: The column of the dataset, such as the chromosome, whose groups are resampled for the intervals of
            the test metrics; by default rows are.
        observer: Called with every event, for a display.
        further: All other fields of `TrainingInputs`, of which None stands for the default, and parameters, training
            arguments or others such as `pos_weight`, which override the file.

    Returns:
        `model_path`, `metrics_path`, `metric_name`, `metric_goal`, `metric_value` unless validation was trained on,
        `test_metrics` if there is a test split, and `notes` if a user of the saved model must know something.

    Raises:
        InvalidInputError: Something is wrong; every problem is in it, and nothing was started.
        TrialError: Training failed; the message is the reason.
        Interrupted: A signal interrupted it; the same call continues from its training state.
    """
    from bertnado_config import TrainingInputs

    from bertnado.all_rows import check_train_on
    from bertnado.baselines import train_beside_baselines
    from bertnado.final import prepare_final, train_final

    check_train_on(train_on, from_sweep=from_sweep)
    inputs = {name: value for name, value in further.items() if name in TrainingInputs.model_fields}
    given = {"model_name": model_name, "dataset": dataset, "task_type": task_type, **inputs}
    overrides = {name: value for name, value in further.items() if name not in inputs}
    if from_sweep:
        from bertnado.kept_checkpoint import find_kept_checkpoint, take_over

        options: dict[str, object] = {
            "project_name": project_name,
            "seed": seed,
            "early_stopping_patience": early_stopping_patience,
            "save_state_every": save_state_every,
        }
        kept = find_kept_checkpoint(
            given,
            output_dir=Path(output_dir),
            best_config_path=Path(best_config_path),
            metric_name=metric_name,
            metric_goal=metric_goal,
            training_options=[*(name for name, value in options.items() if value is not None), *overrides],
            group_column=group_column,
        )
        return train_beside_baselines(
            kept.trainer, kept.objective, kept.output_dir, lambda: take_over(kept, observer), observer
        )
    run = prepare_final(
        TrainingInputs.completed(given, {}),
        output_dir=Path(output_dir),
        best_config_path=Path(best_config_path),
        project_name=project_name,
        metric_name=metric_name,
        metric_goal=metric_goal,
        seed=seed,
        patience=early_stopping_patience,
        overrides=overrides,
        save_state_every=save_state_every,
        train_on=train_on,
        group_column=group_column,
    )
    return train_beside_baselines(
        run.trainer, run.objective, run.output_dir, lambda: train_final(run, observer), observer
    )


def baselines(
    dataset: Path | str,
    model_name: str | None = None,
    task_type: str | Task | None = None,
    *,
    output_dir: Path | str | None = None,
    with_test: bool = False,
    **inputs: Any,
) -> dict[str, Any]:
    """Compute simple models of a dataset, for comparison with trials: they learn from train alone.

    The baselines are a constant, length and base composition, counts of k-mers and of tokens, and the letter at each
    position of sequences of one length, with logistic or ridge regression. They are cached.

    Args:
        dataset: See `bertnado_config.TrainingInputs`.
        model_name: See `bertnado_config.TrainingInputs`; its tokenizer makes the tokens.
        task_type: See `bertnado_config.TrainingInputs`.
        output_dir: The directory to write `baselines.json` to; by default nothing is written.
        with_test: Evaluate the test split as well.
        inputs: All other fields of `TrainingInputs`. None stands for the default.

    Returns:
        The content of `baselines.json`: `baselines`, a list with the `metrics` of each by split, `left_out`, the
        reasons why others could not be computed, `rows`, `task`, `objective` and `dataset_fingerprint`.

    Raises:
        InvalidInputError: The dataset or the tokenizer cannot be used.
    """
    from bertnado_config import TrainingInputs

    from bertnado.baselines import find_baselines

    given = {"dataset": dataset, "model_name": model_name, "task_type": task_type, **inputs}
    output = None if output_dir is None else Path(output_dir)
    return find_baselines(TrainingInputs.completed(given, {}), with_test=with_test, output_dir=output).to_json()


def report(
    output_dir: Path | str | None = None,
    *,
    sweep_id: str | None = None,
    entity: str | None = None,
    project_name: str | None = None,
    storage: str | None = None,
    model: Path | str | None = None,
    to: Path | str | None = None,
) -> dict[str, Any]:
    """Write a report of a sweep as one HTML file, and the table of its trials, `trials.csv`, beside it.

    Args:
        output_dir: The output directory of the sweep; beside `sweep_id`, the directory to write to.
        sweep_id: A sweep at W&B, `[ENTITY/PROJECT/]ID`, instead of the one that is recorded in `output_dir`.
        entity: The W&B user or team, if `sweep_id` does not contain it.
        project_name: The W&B project, if `sweep_id` does not contain it.
        storage: The database of the sweep, with the password that the output directory does not contain.
        model: The output directory of `train_model` whose test split is shown; by default that of the last look at the
            test split, which is recorded beside the best configuration.
        to: The file to write; by default `report.html` in `output_dir`.

    Returns:
        `report_path`, `trials_path`, and `warnings` about damaged records.

    Raises:
        InvalidInputError: There is no such sweep, it has no trial yet, there is no final model in `model`, or the
            report cannot be written.
    """
    from bertnado_config import ArgumentProblem, InvalidInputError
    from bertnado_sweep import recorded_status, service_status
    from bertnado_sweep.report import REPORT_FILE, write_report

    if sweep_id is not None:
        if to is None and output_dir is None:
            raise InvalidInputError([ArgumentProblem("to", "{sweep_id} requires {to} or {output_dir}, to write to")])
        status = service_status(sweep_id, entity=entity, project=project_name, curves=True)
        to = Path(output_dir) / REPORT_FILE if to is None and output_dir is not None else to
    elif output_dir is not None:
        status = recorded_status(output_dir, storage=storage)
    else:
        raise InvalidInputError([ArgumentProblem("output_dir", "{output_dir} or {sweep_id} is required")])
    written = write_report(status, to, model=model)
    paths = {"report_path": str(written.report_path), "trials_path": str(written.trials_path)}
    return {**paths, "warnings": list(written.warnings)}


def load_model(directory: Path | str, *, trust_remote_code: bool = False) -> Any:
    """Load a model that `train_model` saved, in fp32 and ready for predictions.

    It gives the right model where plain `from_pretrained` does not, for code that transformers 5 cannot read right.

    Args:
        directory: The directory of the saved model, `OUTPUT/model`.
        trust_remote_code: Allow Python code that comes with the model to run.

    Returns:
        A `transformers.PreTrainedModel`.

    Raises:
        InvalidInputError: It cannot be loaded; the message says what to do.
    """
    from bertnado_train import load_model

    return load_model(directory, trust_remote_code=trust_remote_code)


def predict(
    model: Path | str,
    input: Path | str,  # noqa: A002 (the name of the option)
    output: Path | str,
    *,
    progress: Callable[[int, int | None], None] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Predict sequences with a saved model, with tokens and batches as in its training, in bounded memory.

    Args:
        model: See `bertnado_config.PredictionOptions`.
        input: See `bertnado_config.PredictionOptions`.
        output: The file for the table, tab-separated and in the order of the input: `id`, the probability of each class
            or the value, and `label`. It is compressed if its name ends in `.gz`; `-` is the standard output stream.
        progress: Called with the number of rows so far, and that of all rows if it is known.
        options: All other fields of `PredictionOptions`. None stands for the default.

    Returns:
        `output`, `rows`, `task`, `classes`, `threshold` if the task has one, `reverse_complement`, and `notes`: what
        was found in the sequences, and what was done about it.

    Raises:
        InvalidInputError: Something is wrong, and nothing was written; every problem is in it.
        TrialError: The model fails.
        OSError: The output cannot be written; an existing file is left as it was.
    """
    from bertnado.predicting import write_predictions

    found = write_predictions({**options, "model": model, "input": input}, output, progress=progress)
    return {**found, "notes": [str(note) for note in found["notes"]]}
