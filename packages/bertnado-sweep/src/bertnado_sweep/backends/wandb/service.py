"""Requests to W&B's server: create a sweep, find one, read its runs."""

from __future__ import annotations

import contextlib
import io
import math
import os
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from bertnado_config import CheckedSweepConfig, SweepConfig, check_sweep_config, flatten_parameters, nest_parameters

from bertnado_sweep.records.service_sweep import ServiceSweep
from bertnado_sweep.records.trial import Trial, TrialState
from bertnado_sweep.running.environment_variables import environment_variables
from bertnado_sweep.running.tracker import DETAILS_KEY
from bertnado_sweep.running.training_log import MOST_ROWS, TRAINING_LOSS
from bertnado_sweep.running.wandb_client import wandb_client

from .environment import ANSWER_SECONDS, project_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from pathlib import Path

    from bertnado_metrics import Objective

_STATES: Mapping[str, TrialState] = {
    "finished": "completed",
    "failed": "failed",
    "crashed": "interrupted",
    "killed": "interrupted",
    "preempted": "interrupted",
    "preempting": "running",
    "running": "running",
    "pending": "running",
}


class ServiceError(RuntimeError):
    """W&B's server refused a request, or did not answer; the message names the request."""


def create_sweep(document: Mapping[str, Any], *, entity: str | None, project: str | None) -> ServiceSweep:
    """Create one sweep.

    Raises:
        ServiceError: The server refused it, or did not answer.
    """
    wandb = wandb_client()
    with _long_timeout(), contextlib.redirect_stdout(io.StringIO()):
        try:
            sweep_id = wandb.sweep(dict(document), entity=entity, project=project)
        except Exception as error:
            raise ServiceError(f"W&B did not create the sweep: {_reason(error)}") from error
    # the client has stored the answer of the server there
    return ServiceSweep(os.environ["WANDB_ENTITY"], os.environ["WANDB_PROJECT"], sweep_id)


@contextlib.contextmanager
def _long_timeout() -> Generator[None]:
    """Raise the client's timeout: after it the client repeats the request, and creates a second sweep."""
    wandb = wandb_client()
    limits: Any = wandb.Api
    usual = getattr(limits, "_HTTP_TIMEOUT", None)
    limits._HTTP_TIMEOUT = ANSWER_SECONDS
    try:
        yield
    finally:
        limits._HTTP_TIMEOUT = usual


def find_sweep(path: str, *, entity: str | None, project: str | None) -> tuple[ServiceSweep, dict[str, Any]]:
    """Return a sweep by `[ENTITY/PROJECT/]ID`, and its sweep file.

    Raises:
        ServiceError: There is none, or the server did not answer.
    """
    wandb = wandb_client()
    *above, sweep_id = path.split("/")
    entity = above[-2] if len(above) > 1 else entity
    project = above[-1] if above else project
    try:
        api = wandb.Api()
        entity = entity or os.environ.get("WANDB_ENTITY") or api.default_entity
        project = project_of(project)
        found = api.sweep(f"{entity}/{project}/{sweep_id}")
    except Exception as error:
        where = f"{entity or '(your entity)'}/{project or '(no project)'}"
        raise ServiceError(
            f"sweep {sweep_id} was not found in {where} ({_reason(error)}); "
            "write ENTITY/PROJECT/ID, the end of the sweep's address"
        ) from error
    return ServiceSweep(str(entity), str(project), sweep_id), cast("dict[str, Any]", found.config)


def sweep_state(sweep: ServiceSweep) -> str | None:
    """Return RUNNING, PAUSED, CANCELED or FINISHED; None if the server does not tell."""
    wandb = wandb_client()
    try:
        return str(wandb.Api(timeout=10).sweep(str(sweep)).state)
    except Exception:  # noqa: BLE001 (whatever the client raises, the answer is that nobody knows)
        return None


def read_service_trials(
    sweep: ServiceSweep, config: SweepConfig, objective: Objective, output_dir: Path, *, curves: bool = False
) -> list[Trial]:
    """Return every run of a sweep as a trial, by creation; parameters are empty if the run lacks one.

    Args:
        sweep: The sweep.
        config: Its sweep file.
        objective: Its objective.
        output_dir: The directory that the trials are said to lie in.
        curves: Read the objective and the training loss over the steps as well, which takes two requests for each run.

    Raises:
        ServiceError: The server did not answer.
    """
    wandb = wandb_client()
    try:
        with _scratch_directory():
            api = wandb.Api()
            runs = api.runs(
                f"{sweep.entity}/{sweep.project}", filters={"$and": [{"sweep": sweep.id}]}, per_page=100, lazy=False
            )
            trials = [_as_trial(number, run, config, objective, output_dir) for number, run in enumerate(runs)]
            if not curves:
                return trials
            return [_with_curves(trial, run, objective) for trial, run in zip(trials, runs, strict=True)]
    except Exception as error:
        raise ServiceError(f"the runs of {sweep} could not be read: {_reason(error)}") from error


def merge_trials(
    sweep: ServiceSweep, config: SweepConfig, objective: Objective, output_dir: Path, recorded: Iterable[Trial]
) -> tuple[Trial, ...]:
    """Return all runs of a sweep by creation; the record of a run on this machine takes precedence over W&B's.

    Without an answer of the server, only the recorded ones are returned.
    """
    mine = {trial.id: trial for trial in recorded}
    try:
        runs = read_service_trials(sweep, config, objective, output_dir)
    except ServiceError:
        return tuple(mine.values())
    merged = [replace(mine.pop(run.id), number=run.number) if run.id in mine else run for run in runs]
    return (*merged, *mine.values())


@contextlib.contextmanager
def _scratch_directory() -> Generator[None]:
    """Give the client a temporary directory: it creates one for each run that it reads."""
    with tempfile.TemporaryDirectory() as scratch, environment_variables({"WANDB_DIR": scratch}):
        yield


def _as_trial(number: int, run: Any, config: SweepConfig, objective: Objective, output_dir: Path) -> Trial:
    settings: dict[str, Any] = dict(run.config)
    details: dict[str, Any] = settings.get(DETAILS_KEY) or {}
    try:
        parameters = nest_parameters(flatten_parameters(config, settings))
    except ValueError:
        parameters = {}
    value = run.summary.get(objective.name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    state = _STATES.get(run.state, "interrupted")
    trial = Trial(
        number=number,
        id=str(run.id),
        state=state,
        parameters=parameters,
        directory=output_dir / str(run.id),
        started=str(run.created_at),
        value=float(cast("float", value)) if is_number else None,
        details={key: details[key] for key in ("arguments", "dataset") if key in details},
    )
    if state == "completed" and (not is_number or not parameters):
        missing = f"a value of {objective.name}" if parameters else "the parameters of the sweep"
        return replace(trial, state="failed", error=f"the run finished without {missing}")
    if state == "completed" and details.get("state") == "stopped":
        return replace(trial, state="stopped")
    return trial


def _with_curves(trial: Trial, run: Any, objective: Objective) -> Trial:
    history, log = (_curve(run, name) for name in (objective.name, TRAINING_LOSS))
    return replace(trial, history=history, training_log=log)


def _curve(run: Any, name: str) -> tuple[dict[str, Any], ...]:
    """Return a metric at evenly sampled steps."""
    rows: list[dict[str, Any]] = run.history(samples=MOST_ROWS, keys=[name], pandas=False)
    return tuple({"step": row["_step"], name: row[name]} for row in rows)


def wandb_best_run_id(sweep: ServiceSweep) -> str | None:
    """Return the id of the run that W&B itself calls the best; None if it names none or does not answer."""
    wandb = wandb_client()
    try:
        with _scratch_directory():
            best = wandb.Api().sweep(str(sweep)).best_run()
    except Exception:  # noqa: BLE001 (it is asked out of curiosity)
        return None
    return None if best is None else str(best.id)


def check_service_config(document: Mapping[str, Any], sweep: ServiceSweep) -> CheckedSweepConfig:
    """Check the sweep file that W&B has of a sweep."""
    return replace(check_sweep_config(document), source=f"the sweep file of {sweep}")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__
