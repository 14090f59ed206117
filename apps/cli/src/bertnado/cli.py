"""The commands `bertnado`, `bertnado-sweep` and `bertnado-train`."""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
from bertnado_metrics import TASKS
from click.core import ParameterSource

from bertnado import api

_QUIET = {"TRANSFORMERS_VERBOSITY": "error", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "WANDB_SILENT": "true"}
"""What keeps the libraries' own messages out of a display, unless a person has set it."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
"""How a system says that there is no room, or no more for this user."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Join several option decorators into one, in the order that `--help` shows."""

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_run_options = _options(
    click.option(
        "--output-dir",
        type=click.Path(),
        help="Where everything is written. A directory that holds results already is refused.  [required]",
    ),
    click.option(
        "--dataset",
        type=click.Path(),
        help="A Hugging Face DatasetDict on disk with train, validation and perhaps test; columns labels and "
        "input_ids, attention_mask, or labels and sequence.  [required]",
    ),
    click.option(
        "--model-name",
        help=f"A model on the Hugging Face hub, or a directory that holds one.  [default: {api.DEFAULT_MODEL}]",
    ),
    click.option(
        "--task-type",
        type=click.Choice(sorted(TASKS)),
        help=f"What the labels are.  [default: {api.DEFAULT_TASK}]",
    ),
    click.option(
        "--project-name",
        help="The W&B project to track in.  [default: the sweep file's, otherwise WANDB_PROJECT, otherwise bertnado]",
    ),
    click.option(
        "--metric-name",
        help="What trials and checkpoints are judged by, for example eval/roc_auc.  "
        "[default: the sweep file's, otherwise the task's]",
    ),
    click.option(
        "--metric-goal",
        type=click.Choice(["maximize", "minimize"]),
        help="Whether more or less of it is better.  [default: what the metric implies]",
    ),
    click.option(
        "--precision",
        type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
        help="What training computes in, where the file does not say it. auto is bf16, with TF32 for the rest, on a "
        "GPU that has it, and fp32 elsewhere.  [default: auto]",
    ),
    click.option(
        "--trust-remote-code",
        is_flag=True,
        default=None,
        help="Let code that comes with the model run. DNABERT-2 and Nucleotide Transformer v2 need it.",
    ),
)

_sweep_options = _options(
    click.option(
        "--config-path",
        type=click.Path(),
        help="The sweep file, JSON or YAML, as W&B reads it. Required unless --sweep-id names a sweep.",
    ),
    _run_options,
    click.option(
        "--sweep-count",
        type=int,
        help="How many trials.  [default: a grid runs whole; otherwise the file's run_cap, otherwise 10]",
    ),
    click.option(
        "--backend",
        type=click.Choice(["auto", "wandb", "local"]),
        default="auto",
        show_default=True,
        help="Who proposes trials: W&B, or this machine alone (no account, no internet). auto is wandb where a key "
        "is configured, WANDB_MODE allows it and the server answers, otherwise local.",
    ),
    click.option(
        "--sweep-id",
        help="Join a sweep that is at W&B already: [ENTITY/PROJECT/]ID. Its file is the one that W&B has.",
    ),
    click.option("--entity", help="The W&B user or team.  [default: the sweep file's, otherwise yours]"),
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        help="How many processes train at once, each with a GPU, or a share of one; together they run --sweep-count "
        "trials.  [default: as many as the visible GPUs take, 1 without a GPU]",
    ),
    click.option(
        "--trials-per-gpu",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="How many trials share one GPU, each with its part of the memory. A small model leaves much of one idle.",
    ),
    click.option(
        "--keep-checkpoints",
        type=click.Choice(["best", "all", "none"]),
        help="Whose weights stay on disk. Those that cannot be the best any more are removed as the sweep goes on.  "
        "[default: best]",
    ),
    click.option(
        "--resume",
        is_flag=True,
        help="Go on with the sweep in --output-dir: what was finished counts, what was interrupted is tried again. "
        "Flags that are not given are as they are recorded.",
    ),
    click.option(
        "--allow-config-change",
        is_flag=True,
        help="Let a resumed sweep go on with another sweep file, seed, model or dataset.",
    ),
    click.option(
        "--storage",
        metavar="URL",
        envvar="BERTNADO_STORAGE",
        show_envvar=True,
        help="Record the sweep in a database that machines share, postgresql://USER:PASSWORD@HOST/DATABASE, and not in "
        "--output-dir, which is then each machine's own.",
    ),
    click.option(
        "--study",
        metavar="NAME",
        help="The sweep's name in --storage. A sweep of that name is joined, with all flags as they are recorded "
        "there; otherwise it begins.  [default: the sweep's id]",
    ),
    click.option(
        "--time-limit",
        metavar="DURATION",
        help="End the sweep after 3h30m, 90m, 2d, ...: no trial is started that would not end in time, running ones "
        "are interrupted.",
    ),
    click.option(
        "--max-failures",
        type=click.IntRange(min=1),
        help="End the sweep when so many trials have failed.  [default: when the first three fail for the same reason]",
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        help="Seeds search and training.  [default: 42]",
    ),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bertnado")
def main() -> None:
    """Find good training settings for DNA language models.

    A sweep tries out settings on a prepared dataset and writes best_sweep_config.json, with which full-train
    trains the final model. Begin with: bertnado quickstart
    """


@main.command("run-sweep")
@_sweep_options
@click.option(
    "--join",
    type=click.Path(),
    metavar="OUTPUT_DIR",
    help="Work on the sweep in that directory, which other machines see as well, with all flags as they are recorded "
    "there. Only --workers, --trials-per-gpu, --time-limit and --storage may be added.",
)
@click.pass_context
def run_sweep(context: click.Context, join: str | None, **flags: Any) -> None:
    r"""Search for the best training settings.

    Writes best_sweep_config.json into the output directory, beside a directory for each trial.

    \b
    Examples:
      bertnado run-sweep --config-path configs/sweep_config.json --output-dir output/sweep \\
        --model-name PoetschLab/GROVER --dataset output/dataset --sweep-count 5
      bertnado run-sweep --join output/sweep
    """
    if join is not None:
        given = _recorded_flags(context, "--join", {"workers", "trials_per_gpu", "time_limit", "storage"})
        run = partial(api.join_sweep, join, **given)
    elif flags["study"] is not None and flags["config_path"] is None:
        own = {"storage", "study", "output_dir", "dataset", "model_name", "workers", "trials_per_gpu", "time_limit"}
        _require(flags, "output_dir")
        run = partial(api.join_sweep, **_recorded_flags(context, "--study without --config-path", own))
    else:
        _require_sweep(flags)
        run = partial(api.run_sweep, **flags)
    with _kind_errors(again="" if join or flags["resume"] else "--resume"):
        from bertnado.display import Display

        with Display() as display:
            found = run(observer=display)
        click.echo(json.dumps(found, indent=2))


def _require(flags: dict[str, Any], *names: str) -> None:
    for name in names:
        if flags[name] is None:
            raise click.UsageError(f"Missing option '--{name.replace('_', '-')}'.")


def _require_sweep(flags: dict[str, Any]) -> None:
    """See to it that a sweep has what it needs; one that goes on has it in its record."""
    _require(flags, "output_dir", *(() if flags["resume"] else ("dataset",)))


def _recorded_flags(context: click.Context, why: str, allowed: set[str]) -> dict[str, Any]:
    """The flags that were given, where all but a few are those of the recorded sweep."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source is ParameterSource.COMMANDLINE and name != "join"}
    others = sorted(f"--{name.replace('_', '-')}" for name in given - allowed)
    if others:
        raise click.UsageError(f"{why} takes everything from the record of the sweep; leave {', '.join(others)} out")
    taken = given | ({"storage"} if context.params["storage"] else set[str]())
    return {name: context.params[name] for name in taken}


@main.command()
@_sweep_options
def check(**flags: Any) -> None:
    """Check a sweep and show its plan, without starting anything.

    Takes the flags of run-sweep.
    """
    _require_sweep(flags)
    with _kind_errors():
        from bertnado.plan_text import describe_plan

        click.echo(describe_plan(api.check_sweep(**flags)))


@main.command("sweep-status")
@click.option("--output-dir", type=click.Path(), help="The output directory of a sweep; nothing else is asked.")
@click.option("--sweep-id", help="A sweep at W&B: [ENTITY/PROJECT/]ID.")
@click.option("--entity", help="The W&B user or team, where the id does not say it.")
@click.option("--project-name", help="The W&B project, where the id does not say it.")
@click.option(
    "--storage", metavar="URL", envvar="BERTNADO_STORAGE", help="The database of the sweep, with its password."
)
@click.option(
    "--export",
    is_flag=True,
    help="Write best_sweep_config.json again, into --output-dir, from what is recorded.",
)
def sweep_status(
    output_dir: str | None,
    sweep_id: str | None,
    entity: str | None,
    project_name: str | None,
    storage: str | None,
    export: bool,
) -> None:
    r"""Show a sweep's trials and the best of them, while it runs or afterwards.

    \b
    Examples:
      bertnado sweep-status --output-dir output/sweep
      bertnado sweep-status --sweep-id laboratory/dna/a1b2c3d4 --output-dir output/sweep --export
    """
    if output_dir is None and (sweep_id is None or export):
        raise click.UsageError("give --output-dir, or --sweep-id" if not export else "--export needs --output-dir")
    with _kind_errors():
        from bertnado_sweep import recorded_status, service_status

        from bertnado.status_text import describe_status

        if sweep_id is not None:
            status = service_status(sweep_id, entity=entity, project=project_name)
        else:
            status = recorded_status(str(output_dir), storage=storage)
        click.echo(describe_status(status))
        for warning in status.warnings:
            click.echo(f"Warning: {warning}", err=True)
        if export:
            is_kept = status.has_better_export(str(output_dir))
            what = "kept, it is of a better trial, whose record is lost" if is_kept else "written"
            click.echo(f"{what}: {status.export(str(output_dir))}")


@main.command("full-train")
@_run_options
@click.option(
    "--best-config-path",
    required=True,
    type=click.Path(),
    help="best_sweep_config.json of a sweep, or a file of your own like it.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Seeds the training.  [default: the sweep's, where it is recorded beside the file, otherwise 42]",
)
@click.option(
    "--early-stopping-patience",
    type=click.IntRange(min=1),
    help="Stop after so many evaluations in a row without an improvement.  [default: never]",
)
def full_train(**flags: Any) -> None:
    r"""Train the final model with the best settings.

    Writes the model and its tokenizer to OUTPUT_DIR/model and the numbers to OUTPUT_DIR/metrics.json.

    \b
    Example:
      bertnado full-train --best-config-path output/sweep/best_sweep_config.json \\
        --output-dir output/train --dataset output/dataset
    """
    _require(flags, "output_dir", "dataset")
    with _kind_errors():
        from bertnado.display import Display

        with Display() as display:
            given = {name: value for name, value in flags.items() if value is not None}
            trained = api.train_model(**given, observer=display)
        click.echo(json.dumps(trained, indent=2))


@main.command()
@click.argument("directory", required=False, type=click.Path())
def quickstart(directory: str | None) -> None:
    """Try everything on simulated DNA with a small model, in about two minutes.

    Writes a dataset, a model and a sweep of 5 trials to DIRECTORY (default: a fresh quickstart, quickstart_2, ...),
    always with the local backend, without account or internet.
    """
    with _kind_errors():
        from bertnado.quickstart import run_quickstart

        run_quickstart(directory)


@contextmanager
def _kind_errors(*, again: str | None = None) -> Generator[None]:
    """End with one message: exit code 2 for a mistake, 1 for a sweep that failed, 128 + n for signal n.

    Args:
        again: What goes on with an interrupted sweep when it is added to the command; `None` where nothing does.
    """
    from bertnado_config import InvalidInputError, TrialError

    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        yield
    except InvalidInputError as error:
        _end(str(error), 2)
    except (RuntimeError, OSError) as error:
        from bertnado_sweep import NoEligibleTrialError, ServiceError, StorageError, TooManyFailuresError

        known = TrialError | NoEligibleTrialError | TooManyFailuresError | ServiceError | StorageError | OSError
        if not isinstance(error, known):
            raise
        _end(_explain(error, again), 1)
    except KeyboardInterrupt as interrupt:
        way = "" if again is None else f"; go on with\n{_way_on(again)}"
        _end(f"interrupted; what was finished is on disk{way}", 128 + getattr(interrupt, "signum", signal.SIGINT))


def _way_on(again: str) -> str:
    """Write the command that goes on with an interrupted sweep; a password has to be filled in again."""
    from bertnado_sweep import masked_words

    words = [Path(sys.argv[0]).name, *sys.argv[1:], *filter(None, [again])]
    shown = masked_words(words)
    hint = "" if shown == words else "\nwith the password in the place of ***, or the whole URL in BERTNADO_STORAGE"
    return f"  {shlex.join(shown)}{hint}"


def _explain(error: Exception, again: str | None) -> str:
    """Say what ended a sweep, and the cure where the disk did."""
    if not isinstance(error, OSError) or error.errno not in _FULL:
        return str(error)
    way = "" if again is None else f", then go on with\n{_way_on(again)}"
    return f"{error.filename or 'a file'} cannot be written: {error.strerror}; free some space there{way}"


def _end(message: str, code: int) -> None:
    click.echo(f"Error: {message}", err=True)
    sys.exit(code)
