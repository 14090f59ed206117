"""A single training run, tracked and observed like a trial."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .backends.wandb.environment import WandbUnavailableError, project_of, require_wandb
from .plan import new_sweep_id
from .records.files import now
from .records.trial import Trial
from .running.events import Event, Observer, RunStarted
from .running.tracker import Tracker
from .running.trial_run import TrialReport
from .running.wandb_client import what_disables_tracking

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from bertnado_metrics import Objective


@contextmanager
def single_run(
    *,
    directory: Path,
    objective: Objective,
    parameters: Mapping[str, Any],
    project: str | None = None,
    group: str | None = None,
    notes: tuple[str, ...] = (),
    observer: Observer | None = None,
) -> Generator[TrialReport]:
    """Yield the report of one run, job type `full_train`; its tracking ends with the block.

    It is tracked at W&B if W&B can be used, otherwise offline.

    Args:
        directory: The existing directory of the run.
        objective: The objective that the best checkpoint is chosen by.
        parameters: The parameters of the run.
        project: The W&B project; otherwise WANDB_PROJECT, otherwise `bertnado`.
        group: The W&B group: the task.
        notes: Information to show beforehand.
        observer: Called with every event.
    """
    listen = observer or _nobody
    run_id = new_sweep_id()
    trial = Trial(number=0, id=run_id, state="running", parameters=parameters, directory=directory, started=now())
    why_offline = _why_offline()
    tracker = Tracker.start(
        online=why_offline is None,
        directory=directory,
        project=project_of(project),
        group=group,
        job_type="full_train",
        run_id=run_id,
        name=f"full_train-{run_id}",
        config=parameters,
    )
    report = TrialReport(trial, objective, tracker, listen)
    listen(RunStarted(run_id, objective, parameters, directory, (*notes, _where(tracker, why_offline))))
    try:
        yield report
    except BaseException:
        tracker.finish({}, failed=True)
        raise
    tracker.finish(_best_value(report))


def _why_offline() -> str | None:
    """Return why W&B cannot be used, and how to change that; None if it can."""
    try:
        require_wandb()
    except WandbUnavailableError as error:
        return f"{error.reason} (to use W&B, {error.cure})"
    return None


def _where(tracker: Tracker, why_offline: str | None) -> str:
    """Return where a run is tracked."""
    disabled = what_disables_tracking()
    if disabled is not None:
        return f"not tracked, because {disabled}"
    return f"tracked at W&B: {tracker.url}" if tracker.url else f"tracked offline, because {why_offline}"


def _best_value(report: TrialReport) -> dict[str, float]:
    """Return the objective at the best evaluation, by its name; empty if there is none."""
    name = report.objective.name
    values: list[float] = [row[name] for row in report.history]
    index = report.objective.best_index(values)
    return {} if index is None else {name: values[index]}


def _nobody(event: Event) -> None:
    """Ignore every event."""
