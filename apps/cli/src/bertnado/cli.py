"""The commands `bertnado`, `bertnado-sweep` and `bertnado-train`."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import signal
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from bertnado import api
from bertnado.flags import GeneratedCommand, flag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from bertnado_sweep import TrialOrder


_QUIET = {"TRANSFORMERS_VERBOSITY": "error", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "WANDB_SILENT": "true"}
"""Silences the messages of the libraries, unless these variables are set already."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a full disk or an exhausted quota."""

UNFINISHED = 3
"""Exit code of a sweep that the time limit, SIGUSR1, SIGUSR2 or W&B ended before its budget was met."""

_OUTPUT_DIR = "Directory to write everything to. One that already contains results is refused."
_CONFIG_PATH = "Sweep file, JSON or YAML, in W&B's format. Required unless --sweep-id names a sweep."
_SHARED_OUTPUT_DIR = "Directory to write everything to, which all jobs must see. Required."
_JOIN = (
    "Work on the sweep in that directory, which other machines may see as well, with its recorded options. Only the "
    "options of this machine may be added."
)


def _run_sweep_flags() -> list[click.Parameter]:
    from bertnado_config import TrainingInputs
    from bertnado_sweep import SweepOptions

    from bertnado.flags import flags_of

    return [
        click.Option(["--config-path"], type=click.Path(), help=_CONFIG_PATH),
        click.Option(["--output-dir"], type=click.Path(), help=f"{_OUTPUT_DIR} Required unless --join names it."),
        *flags_of(TrainingInputs, leave_out=["seed"]),
        *flags_of(SweepOptions),
    ]


def _full_train_flags() -> list[click.Parameter]:
    from bertnado_config import TrainingInputs
    from bertnado_sweep import SweepOptions

    from bertnado.flags import flags_of, make_flag

    return [
        click.Option(["--output-dir"], type=click.Path(), help=f"{_OUTPUT_DIR} Required."),
        *flags_of(TrainingInputs, leave_out=["seed"]),
        *(make_flag(SweepOptions, name) for name in _SHARED_OPTIONS),
    ]


def _baselines_flags() -> list[click.Parameter]:
    from bertnado_config import TrainingInputs

    from bertnado.flags import make_flag

    return [make_flag(TrainingInputs, name) for name in _DATASET_INPUTS]


_DATASET_INPUTS = (
    *("dataset", "model_name", "task_type", "trust_remote_code"),
    *("uppercase", "rna_to_dna", "max_length", "too_long"),
)
"""The training inputs that a dataset is read with."""

_SHARED_OPTIONS = ("project_name", "metric_name", "metric_goal", "save_state_every")
"""The options of a sweep that full-train has as well."""


_CONFIRM_SEEDS = "Number of fresh seeds of each, at least 2; with --folds, for each fold.  [default: 5; with --folds 1]"
_CONFIRM_FOLDS = (
    "Validate on each group of this column of the dataset once, such as the chromosome, with models that are trained "
    "on all other rows of the training and validation splits."
)


def _confirm_flags() -> list[click.Parameter]:
    from bertnado_sweep import SweepOptions

    from bertnado.flags import make_flag

    names = ("workers", "trials_per_gpu", "time_limit", "save_state_every", "retry_failed", "storage")
    inputs = {
        "dataset": "Dataset of the sweep, if it was moved since.",
        "model_name": "Model of the sweep, if it was moved since.",
    }
    return [
        *(click.Option([flag_of(name)], type=click.Path(), help=text) for name, text in inputs.items()),
        *(make_flag(SweepOptions, name) for name in names),
    ]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bertnado")
def main() -> None:
    """Find good training settings for DNA language models.

    A sweep tries settings on a prepared dataset and writes best_sweep_config.json, with which full-train trains
    the final model. Start with: bertnado quickstart
    """


@main.command("run-sweep", cls=GeneratedCommand, generate=_run_sweep_flags)
@click.option("--join", type=click.Path(), metavar="OUTPUT_DIR", help=_JOIN)
@click.pass_context
def run_sweep(context: click.Context, join: str | None, **flags: Any) -> None:
    """Search for the best training settings.

    Writes best_sweep_config.json into the output directory, beside a directory for each trial.

    Exit codes: 0 the sweep is done; 1 no trial has a value, or too many failed; 2 a mistake, and nothing was started;
    3 the time limit, SIGUSR1, SIGUSR2 or W&B ended it early; 128 + n signal n interrupted it.

    \b
    Examples:
      bertnado run-sweep --config-path configs/sweep_config.json --output-dir output/sweep \\
        --model-name PoetschLab/GROVER --dataset output/dataset --sweep-count 5
      bertnado run-sweep --join output/sweep
    """
    if join is not None:
        given = _recorded_flags(context, "--join", _joining_options() - {"study"})
        run = partial(api.join_sweep, join, **given)
    elif flags["study"] is not None and flags["config_path"] is None:
        own = {*_joining_options(), "output_dir", "dataset", "model_name"}
        _require(flags, "output_dir")
        run = partial(api.join_sweep, **_recorded_flags(context, "--study without --config-path", own))
    else:
        _require_sweep(flags)
        run = partial(api.run_sweep, **flags)
    with exit_on_error(again="" if join or flags["resume"] or flags["join_or_begin"] else "--resume"):
        from bertnado.display import Display

        with Display() as display:
            display.say("checking the sweep file, the dataset and the model ...")
            found = run(observer=display)
        click.echo(json.dumps(found, indent=2))
    if found.get("ended_by") is not None:
        sys.exit(UNFINISHED)


def _joining_options() -> set[str]:
    """Return the options that a machine may give when it joins a recorded sweep."""
    from bertnado_sweep import SweepOptions

    return {name for name in SweepOptions.model_fields if SweepOptions.details(name).for_joining}


def _require(flags: dict[str, Any], *names: str) -> None:
    missing = [f"'{flag_of(name)}'" for name in names if flags[name] is None]
    if missing:
        raise click.UsageError(f"Missing option{'s' * (len(missing) > 1)} {', '.join(missing)}.")


def _require_sweep(flags: dict[str, Any]) -> None:
    """Check that a sweep has what it needs; one that continues has it in its record."""
    if flags["retry_failed"] and not flags["resume"]:
        raise click.UsageError("--retry-failed requires --resume, with the --output-dir of a sweep")
    _require(flags, "output_dir", *(() if flags["resume"] else ("dataset",)))


def _recorded_flags(context: click.Context, why: str, allowed: set[str]) -> dict[str, Any]:
    """Return the flags that were given, if all but a few are those of the recorded sweep."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source is ParameterSource.COMMANDLINE and name != "join"}
    others = sorted(map(flag_of, given - allowed))
    if others:
        raise click.UsageError(
            f"{why} takes all other options from the record of the sweep; remove {', '.join(others)}"
        )
    taken = given | ({"storage"} if context.params["storage"] else set[str]())
    return {name: context.params[name] for name in taken}


_Function = TypeVar("_Function", bound="Callable[..., Any]")


def _format_option(meaning: str, *forms: str) -> Callable[[_Function], _Function]:
    """Return the option `--format` of a command that prints text for people, or JSON for programs."""
    choices = click.Choice(forms or ("text", "json"))
    return click.option("--format", "form", type=choices, default="text", help=f"{meaning}  [default: text]")


@main.command(cls=GeneratedCommand, generate=_run_sweep_flags)
@_format_option("Format of the plan.")
def check(form: str, **flags: Any) -> None:
    """Check a sweep and show its plan, without starting anything.

    Takes the flags of run-sweep. With --dry-run a few training steps, an evaluation and a checkpoint are measured, and
    the plan shows how long trials and the sweep will take, and what fits into memory.

    \b
    Example:
      bertnado check --dry-run --config-path configs/sweep_config.json --output-dir output/sweep \\
        --dataset output/dataset --time-limit 4h
    """
    _require_sweep(flags)
    with exit_on_error():
        from bertnado.display import Display

        with Display() as display:
            display.say("checking the sweep file, the dataset and the model ...")
            checked = api.check_sweep(**flags)

        from bertnado.plan_text import describe_plan, plan_json

        click.echo(plan_json(checked) if form == "json" else describe_plan(checked))


@main.command(cls=GeneratedCommand, generate=_baselines_flags, short_help="Write a first sweep file.")
@click.option("--metric-name", help="Metric to optimize, for example `eval/roc_auc`.  [default: the task's]")
@click.option("--sweep-count", type=int, default=20, help="Number of trials of the sweep.  [default: 20]")
@click.option("--to", type=click.Path(), metavar="FILE", default="sweep.yaml", help="New file.  [default: sweep.yaml]")
def init(**flags: Any) -> None:
    """Write a first sweep file for a model, a dataset and a number of trials.

    The space lies around the published settings of the model's family, otherwise around those of BERT. Comments say
    where each number is from. Nothing is trained; the commands that check and run the sweep are shown.

    \b
    Example:
      bertnado init --model-name PoetschLab/GROVER --dataset output/dataset --sweep-count 20 --to sweep.yaml
    """
    _require(flags, "dataset")
    with exit_on_error():
        click.echo(json.dumps(api.init_sweep(**flags), indent=2))


def _submit_flags() -> list[click.Parameter]:
    from bertnado_config import TrainingInputs
    from bertnado_sweep import SweepOptions
    from bertnado_sweep.cluster.options import JobOptions

    from bertnado.flags import flags_of

    return [
        click.Option(["--config-path"], type=click.Path(), help=_CONFIG_PATH),
        click.Option(["--output-dir"], type=click.Path(), help=_SHARED_OUTPUT_DIR),
        *flags_of(JobOptions),
        *flags_of(TrainingInputs, leave_out=["seed"]),
        *flags_of(SweepOptions, leave_out=api.NOT_OF_JOBS),
    ]


@main.command(cls=GeneratedCommand, generate=_submit_flags, short_help="Search with jobs of a cluster.")
@click.option("--wait", is_flag=True, help="Show the trials until all jobs have ended. Ctrl-C ends only the display.")
def submit(wait: bool, **flags: Any) -> None:
    """Search for the best training settings with jobs of a SLURM cluster.

    Checks everything, records the sweep and submits jobs that share its trials. Before its time limit a job lets its
    trials write their state, and it is queued again until the sweep is done. Repeat the command to add jobs. Watch them
    with sweep-status, end them with cancel. Without SLURM, the jobs are background processes of this machine.

    Exit codes: 0 submitted, or with --wait as those of run-sweep; 2 a mistake, and nothing was submitted.

    \b
    Examples:
      bertnado submit --config-path configs/sweep_config.json --output-dir output/sweep \\
        --dataset output/dataset --sweep-count 40 --jobs 8 --partition gpu --time 4:00:00
      bertnado submit --output-dir output/sweep --jobs 4 --partition gpu --time 4:00:00
    """
    _require(flags, "output_dir")
    with exit_on_error():
        from bertnado.display import Display

        with Display() as display:
            display.say("checking the sweep file, the dataset and the model ...")
            found = api.submit_sweep(**flags, observer=display)
            click.echo(json.dumps(found, indent=2))
            where = shlex.join(["--output-dir", str(flags["output_dir"])])
            display.say(f"watch the jobs: bertnado sweep-status {where}")
            try:
                result = api.follow_sweep(str(flags["output_dir"]), display, flags["storage"]) if wait else None
            except KeyboardInterrupt:
                display.say(f"the jobs go on; end them with: bertnado cancel {where}")
                sys.exit(128 + signal.SIGINT)
        if result is not None:
            click.echo(json.dumps(result, indent=2))
    if result is not None and result["ended_by"] is not None:
        sys.exit(UNFINISHED)


@main.command(short_help="End the jobs of a sweep.")
@click.option("--output-dir", required=True, type=click.Path(), help="Output directory of the sweep.")
@click.option("--storage", metavar="URL", envvar="BERTNADO_STORAGE", help="Database of the sweep, with its password.")
def cancel(output_dir: str, storage: str | None) -> None:
    """End the jobs that were submitted for a sweep, and export the best trial.

    Waiting jobs leave the queue. Running trials are interrupted and write their training state; submit continues them.
    """
    with exit_on_error():
        click.echo(json.dumps(api.cancel_sweep(output_dir, storage=storage), indent=2))


@main.command(cls=GeneratedCommand, generate=_confirm_flags, short_help="Train the best trials anew with fresh seeds.")
@click.option("--output-dir", required=True, type=click.Path(), help="Output directory of the sweep.")
@click.option("--top", type=int, default=3, help="Number of best trials to train anew.  [default: 3]")
@click.option("--seeds", type=int, help=_CONFIRM_SEEDS)
@click.option("--folds", metavar="COLUMN", help=_CONFIRM_FOLDS)
def confirm(output_dir: str, **flags: Any) -> None:
    """Train the best trials of a sweep anew with fresh seeds, and export the one with the best mean.

    The value of the best of many trials is too good, because it was selected. Writes confirmation.json, and
    best_sweep_config.json with the confirmed trial. A trial that is clearly behind after two seeds, or two folds, gets
    no more. If it is interrupted or killed, the same command continues.

    Exit codes: as those of run-sweep.

    \b
    Example:
      bertnado confirm --output-dir output/sweep --top 3 --seeds 5
      bertnado confirm --output-dir output/sweep --top 3 --folds chromosome
    """
    with exit_on_error(again=""):
        from bertnado.display import Display

        with Display() as display:
            display.say("checking the finalists, the dataset and the model ...")
            given = {name: value for name, value in flags.items() if value is not None}
            found = api.confirm(output_dir, **given, observer=display)
        click.echo(json.dumps(found, indent=2))
    if found["ended_by"] is not None:
        sys.exit(UNFINISHED)


@main.command("sweep-status", short_help="Show the trials of a sweep.")
@click.option("--output-dir", type=click.Path(), help="Output directory of a sweep.")
@click.option("--sweep-id", metavar="[ENTITY/PROJECT/]ID", help="Sweep at W&B.")
@click.option("--entity", help="W&B user or team, if --sweep-id does not contain it.")
@click.option("--project-name", help="W&B project, if --sweep-id does not contain it.")
@click.option("--storage", metavar="URL", envvar="BERTNADO_STORAGE", help="Database of the sweep, with its password.")
@click.option(
    "--export",
    is_flag=True,
    help="Write best_sweep_config.json to --output-dir, from what is recorded.",
)
@click.option(
    "--sort",
    "order",
    type=click.Choice(["number", "value"]),
    default="number",
    help="Order of the trials: as they started, or the best first.  [default: number]",
)
@_format_option("Format of the output; csv and json have every field.", "text", "csv", "json")
def sweep_status(
    output_dir: str | None,
    sweep_id: str | None,
    entity: str | None,
    project_name: str | None,
    storage: str | None,
    export: bool,
    order: TrialOrder,
    form: str,
) -> None:
    """Show the trials of a sweep and the best one, while it runs or afterwards.

    For each trial: its number, state, value, duration and directory, the parameters that vary, and the error. For each
    job that was submitted: its state, node and GPU, its trials, the time left, and the last line of its log.

    \b
    Examples:
      bertnado sweep-status --output-dir output/sweep --sort value
      bertnado sweep-status --output-dir output/sweep --format csv > trials.csv
      bertnado sweep-status --sweep-id laboratory/dna/a1b2c3d4 --output-dir output/sweep --export
    """
    if output_dir is None and (sweep_id is None or export):
        raise click.UsageError("--export requires --output-dir" if export else "--output-dir or --sweep-id is required")
    with exit_on_error():
        from bertnado_sweep import recorded_status, service_status
        from bertnado_sweep.cluster.watching import job_statuses

        from bertnado import status_text
        from bertnado.jobs_text import describe_jobs

        if sweep_id is not None:
            status = service_status(sweep_id, entity=entity, project=project_name)
        else:
            status = recorded_status(str(output_dir), storage=storage)
        jobs = job_statuses(status.output_dir, status.trials) if status.output_dir else ()
        if form == "text":
            width = max(80, shutil.get_terminal_size().columns)
            click.echo(status_text.describe_status(status, order, width))
            if jobs:
                click.echo(describe_jobs(jobs, width))
        elif form == "csv":
            click.echo(status_text.status_table(status, order))
        else:
            click.echo(status_text.status_json(status, order, jobs))
        for warning in status.warnings:
            click.echo(f"Warning: {warning}", err=True)
        if export:
            confirmed, is_kept = status.confirmed_in(str(output_dir)), status.has_better_export(str(output_dir))
            what = "kept (from a better trial, whose record is lost)" if is_kept else "written"
            what = what if confirmed is None else f"written (trial {confirmed.winner}, the confirmed one)"
            click.echo(f"{what}: {status.export(str(output_dir))}", err=form != "text")


@main.command(short_help="Write a report of a sweep: one HTML file.")
@click.option("--output-dir", type=click.Path(), help="Output directory of a sweep.")
@click.option("--sweep-id", metavar="[ENTITY/PROJECT/]ID", help="Sweep at W&B.")
@click.option("--entity", help="W&B user or team, if --sweep-id does not contain it.")
@click.option("--project-name", help="W&B project, if --sweep-id does not contain it.")
@click.option("--storage", metavar="URL", envvar="BERTNADO_STORAGE", help="Database of the sweep, with its password.")
@click.option(
    "--model",
    type=click.Path(),
    metavar="DIR",
    help="Output directory of full-train, whose test split is shown.  [default: the one that looked at it last]",
)
@click.option("--to", type=click.Path(), metavar="FILE", help="File to write.  [default: report.html in --output-dir]")
def report(**flags: str | None) -> None:
    """Write a report of a sweep, while it runs or afterwards.

    It is one HTML file that needs neither a network nor anything else: history, learning curves, importance of
    parameters, all trials, confirmation and baselines if they were computed, the final model on the test split, and a
    methods paragraph. Beside it, trials.csv has a row for each trial, for pandas, R or a spreadsheet.

    \b
    Examples:
      bertnado report --output-dir output/sweep
      bertnado report --sweep-id laboratory/dna/a1b2c3d4 --to report.html
    """
    if flags["output_dir"] is None and flags["sweep_id"] is None:
        raise click.UsageError("--output-dir or --sweep-id is required")
    with exit_on_error():
        written = api.report(**flags)
        for warning in written.pop("warnings"):
            click.echo(f"Warning: {warning}", err=True)
        click.echo(json.dumps(written, indent=2))


@main.command(short_help="Upload offline runs to W&B.")
@click.option("--output-dir", required=True, type=click.Path(), help="Output directory of a sweep or of full-train.")
@click.option("--storage", metavar="URL", envvar="BERTNADO_STORAGE", help="Database of the sweep, with its password.")
def sync(output_dir: str, storage: str | None) -> None:
    """Upload the runs that were tracked offline to W&B, one after the other.

    Runs that are uploaded already are skipped. The exit code is 1 if a run could not be uploaded.
    """
    with exit_on_error():
        from bertnado_sweep import sync_runs

        from bertnado.sync_text import describe_synced

        is_complete = True
        for run in sync_runs(output_dir, storage=storage):
            click.echo(describe_synced(run))
            is_complete &= run.outcome != "failed"
    if not is_complete:
        _end("some runs could not be uploaded; run the command again to try them again", 1)


@main.command("full-train", cls=GeneratedCommand, generate=_full_train_flags)
@click.option(
    "--best-config-path",
    required=True,
    type=click.Path(),
    help="best_sweep_config.json of a sweep, or a file in the same format.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Seed of training.  [default: the sweep's, if it is recorded beside the file, otherwise 42]",
)
@click.option(
    "--early-stopping-patience",
    type=click.IntRange(min=1),
    help="Stop training after this many evaluations in a row without an improvement.  [default: never]",
)
@click.option(
    "--from-sweep",
    is_flag=True,
    help="Train nothing: take over the checkpoint that the sweep kept, and evaluate validation and test with it. "
    "--dataset, --model-name and the other inputs are those of the sweep; nothing is tracked.",
)
@click.option(
    "--train-on",
    metavar="[train|train+validation]",
    default="train",
    help="Splits to train on. train+validation trains for as many optimizer steps as the sweep's best checkpoint had, "
    "each with the learning rate that it had there; nothing is selected or evaluated on validation.  [default: train]",
)
@click.option(
    "--group-column",
    metavar="NAME",
    help="Column of the dataset, such as the chromosome, whose groups are resampled for the 95 % intervals of the test "
    "metrics.  [default: rows are resampled]",
)
def full_train(**flags: Any) -> None:
    """Train the final model with the best settings.

    Writes the model and its tokenizer to OUTPUT_DIR/model and its metrics to OUTPUT_DIR/metrics.json. If it is
    interrupted or killed, the same command continues from its training state.

    \b
    Examples:
      bertnado full-train --best-config-path output/sweep/best_sweep_config.json \\
        --output-dir output/train --dataset output/dataset
      bertnado full-train --best-config-path output/sweep/best_sweep_config.json \\
        --output-dir output/train --from-sweep
    """
    _require(flags, "output_dir", *(() if flags["from_sweep"] else ("dataset",)))
    with exit_on_error(again=None if flags["from_sweep"] else ""):
        from bertnado.display import Display

        with Display() as display:
            display.say("checking the dataset and the model ...")
            given: dict[str, Any] = {name: value for name, value in flags.items() if value is not None}
            trained = api.train_model(dataset=given.pop("dataset", None), **given, observer=display)
        click.echo(json.dumps(trained, indent=2))


def _predict_flags() -> list[click.Parameter]:
    from bertnado_config import PredictionOptions

    from bertnado.flags import flags_of

    return flags_of(PredictionOptions)


@main.command(cls=GeneratedCommand, generate=_predict_flags, short_help="Predict sequences with a saved model.")
@click.option("--output", type=click.Path(), help="Table to write; - is the standard output stream. Required.")
def predict(**flags: Any) -> None:
    """Predict sequences with a saved model.

    Writes a tab-separated table, compressed if its name ends in .gz: for each input, in its order, the id, the
    probability of each class or the value, and the label.

    \b
    Examples:
      bertnado predict --model output/train/model --input sequences.fa.gz --output predictions.tsv
      bertnado predict --model output/train/model --input output/dataset --split test --output test.tsv.gz
    """
    _require(flags, "model", "input", "output")
    with exit_on_error():
        from bertnado.prediction_progress import PredictionProgress

        output = flags.pop("output")
        with PredictionProgress() as progress:
            progress.say("loading the model ...")
            from bertnado.predicting import STANDARD_OUTPUT, write_predictions

            found = write_predictions(flags, output, progress=progress)
        for note in found.pop("notes"):
            progress.say(f"Warning: {note.worded(flag_of)}")
        click.echo(json.dumps(found, indent=2), err=output == STANDARD_OUTPUT)


@main.command(cls=GeneratedCommand, generate=_baselines_flags, short_help="Compute simple models for comparison.")
@click.option("--output-dir", type=click.Path(), help="Directory to write baselines.json to.  [default: none]")
@click.option("--test", "with_test", is_flag=True, help="Evaluate the test split as well.")
@_format_option("Format of the output.")
def baselines(form: str, **flags: Any) -> None:
    """Compute simple models of a dataset, which a large one must beat to be worth it.

    They learn from the training rows alone and have the metrics of trials: a constant, length and base composition,
    counts of k-mers and of tokens, and the letter at each position of sequences of one length, with logistic or ridge
    regression. They take seconds to a minute, once: the results are cached.

    \b
    Example:
      bertnado baselines --dataset output/dataset --model-name PoetschLab/GROVER
    """
    _require(flags, "dataset")
    with exit_on_error():
        found = api.baselines(**flags)
        if form == "json":
            click.echo(json.dumps(found, indent=2))
            return

        from bertnado_sweep.records.baselines import RecordedBaselines

        from bertnado.baseline_text import describe_table

        click.echo(describe_table(RecordedBaselines.model_validate(found)))


@main.command(short_help="Try everything on simulated DNA.")
@click.argument("directory", required=False, type=click.Path())
def quickstart(directory: str | None) -> None:
    """Try everything on simulated DNA with a small model, in about a minute.

    Writes a dataset, a model and a sweep of 5 trials to DIRECTORY (default: quickstart, quickstart_2, ...). It always
    uses the local backend and needs neither an account nor internet.
    """
    with exit_on_error():
        click.echo("Loading the libraries ...", err=True)
        from bertnado.quickstart import run_quickstart

        run_quickstart(directory)


@contextmanager
def exit_on_error(*, again: str | None = None) -> Generator[None]:
    """End with one message: exit code 2 for a mistake, 1 for a sweep that failed, 128 + n for signal n.

    Args:
        again: The flag that continues what was interrupted when it is added to the command, empty if the command
            itself does; None if nothing can be continued.
    """
    from bertnado_config import InvalidInputError, MachineError, TrialError

    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        yield
    except InvalidInputError as error:
        _end(error.worded(flag_of), 2)
    except (RuntimeError, OSError) as error:
        from bertnado_sweep import (
            NoEligibleTrialError,
            ServiceError,
            StorageError,
            TooManyFailuresError,
            WorkersLeftError,
        )
        from bertnado_sweep.cluster.following import JobsFailedError
        from bertnado_sweep.cluster.queue import SchedulerError

        of_sweep = NoEligibleTrialError | TooManyFailuresError | WorkersLeftError | ServiceError | StorageError
        known = TrialError | MachineError | of_sweep | SchedulerError | JobsFailedError | OSError
        if not isinstance(error, known):
            raise
        is_early = isinstance(error, NoEligibleTrialError) and error.ended_by is not None
        _end(_explain(error, again), UNFINISHED if is_early else 1)
    except KeyboardInterrupt as interrupt:
        way = "" if again is None else f"; continue with\n{_command_to_continue(again)}"
        _end(f"interrupted; what was finished is on disk{way}", 128 + getattr(interrupt, "signum", signal.SIGINT))


def _command_to_continue(again: str) -> str:
    """Return the command that continues an interrupted sweep; passwords are masked."""
    from bertnado_sweep.records.secrets import masked_words

    words = [Path(sys.argv[0]).name, *sys.argv[1:], *filter(None, [again])]
    shown = masked_words(words)
    hint = "" if shown == words else "\nwith the password instead of ***, or with the whole URL in BERTNADO_STORAGE"
    return f"  {shlex.join(shown)}{hint}"


def _explain(error: Exception, again: str | None) -> str:
    """Return what ended a sweep, with the cure if the disk is full."""
    if not isinstance(error, OSError) or error.errno not in _FULL:
        return str(error)
    way = "" if again is None else f", then continue with\n{_command_to_continue(again)}"
    return f"{error.filename or 'a file'} cannot be written: {error.strerror}; free some space there{way}"


def _end(message: str, code: int) -> None:
    click.echo(f"Error: {message}", err=True)
    sys.exit(code)
