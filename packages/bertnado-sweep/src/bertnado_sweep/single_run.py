"""A single training run, tracked and observed like a trial."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bertnado_config import TrialError

from .backends.wandb.environment import WandbUnavailableError, project_of, require_wandb
from .plan import new_sweep_id
from .records.files import now
from .records.training_states import STATE_FILE, remove_state_of
from .records.trial import Trial
from .running.events import Event, Observer, RunStarted
from .running.stop_request import Interrupted, StopRequest, signal_handlers
from .running.tracker import Tracker
from .running.trial_run import TrialReport
from .running.wandb_client import what_disables_tracking

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path
    from types import FrameType

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
    save_state_every: float | None = None,
    observer: Observer | None = None,
) -> Generator[TrialReport]:
    """Yield the report of one run, job type `full_train`; its tracking ends with the block.

    It is tracked at W&B if W&B can be used, otherwise offline. With training states, it continues from the one in its
    directory; SIGINT and SIGTERM let the state be written before the run ends, and a second one ends it at once.

    Args:
        directory: The existing directory of the run.
        objective: The objective that the best checkpoint is chosen by.
        parameters: The parameters of the run.
        project: The W&B project; otherwise WANDB_PROJECT, otherwise `bertnado`.
        group: The W&B group: the task.
        notes: Information to show beforehand.
        save_state_every: The seconds of training between two training states; None for none.
        observer: Called with every event.

    Raises:
        Interrupted: A signal interrupted it.
    """
    listen = observer or _nobody
    run_id, state = new_sweep_id(), directory / STATE_FILE
    trial = Trial(
        number=0,
        id=run_id,
        state="running",
        parameters=parameters,
        directory=directory,
        started=now(),
        training_state=state,
        resumed_from=state if state.is_file() else None,
    )
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
    stop = StopRequest()
    report = _RunReport(trial, objective, tracker, listen, stop=stop)
    report.keep_states(save_state_every, lambda: stop.is_set)
    listen(RunStarted(run_id, objective, parameters, directory, (*notes, _where(tracker, why_offline))))
    try:
        with nullcontext() if save_state_every is None else _interruptible(report, stop):
            yield report
    except BaseException as error:
        tracker.finish({}, failed=True)
        if isinstance(error, TrialError):  # it would end in the same way again
            remove_state_of(directory)
        raise
    tracker.finish(_best_value(report))
    remove_state_of(directory)


@dataclass
class _RunReport(TrialReport):
    """The report of a single run, which has no `trial.json`."""

    stop: StopRequest = field(default_factory=StopRequest)

    @property
    def name(self) -> str:
        """The run in notes."""
        return "training"

    @property
    def is_training(self) -> bool:
        """True between the first and the last step."""
        return self.last_step is not None and self.last_step < (self.total_steps or 0)

    def progress(self, step: int, metrics: Mapping[str, float] | None = None) -> bool:
        """Track what training logged; raise `Interrupted` at the step after the one whose state was written."""
        if self.stop.is_set and self.training_states is not None and self.training_states.is_settled:
            raise Interrupted(self.stop.signum)
        return super().progress(step, metrics)

    def state_written(self, step: int) -> None:
        """Do nothing."""


@contextmanager
def _interruptible(report: _RunReport, stop: StopRequest) -> Generator[None]:
    """Let SIGINT and SIGTERM end training after its state is written; at other times, and if repeated, at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        if stop.is_set or not report.is_training:
            raise Interrupted(signum)
        stop.signum = signum
        stop.set("interrupted")

    with signal_handlers({signal.SIGINT: interrupt, signal.SIGTERM: interrupt}):
        yield


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
