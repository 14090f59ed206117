"""Trials that an agent of W&B hands out: each trains with exactly what W&B chose."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from bertnado_config import flatten_parameters, nest_parameters

from bertnado_sweep.records.best import KeepCheckpoints, settle, with_kept_checkpoint
from bertnado_sweep.records.files import make_trial_directory, now, require_own, write_trial
from bertnado_sweep.records.trial import Trial
from bertnado_sweep.records.trial_files import read_trials
from bertnado_sweep.running.events import Note, Observer, TrialEnded, TrialStarted, log_warnings
from bertnado_sweep.running.limits import TooManyFailuresError, check_failures, is_too_late
from bertnado_sweep.running.stop_request import StopRequest, interrupt_main, run_shielded
from bertnado_sweep.running.tracker import Tracker, init_or_offline, run_name, run_settings
from bertnado_sweep.running.trial_run import TrialReport, end_trial, run_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from bertnado_config import Session, SweepConfig, Trainer
    from bertnado_metrics import Objective
    from wandb import Run


@dataclass
class AgentTrials:
    """What all trials of one agent share, and how each of them is trained."""

    session: Session
    config: SweepConfig
    objective: Objective
    output_dir: Path
    """Absolute; it exists."""
    sweep_id: str
    group: str | None
    observer: Observer
    next_number: Callable[[], int]
    """Numbers trials in the order of their start."""
    keep_checkpoints: KeepCheckpoints = "best"
    is_cancelled: Callable[[], bool] = lambda: False
    """Asked when a trial was stopped: whether that was the end of the whole sweep."""
    began: str = ""
    """Since when trials count for the limits of the sweep, ISO 8601, UTC."""
    max_failures: int | None = None
    """How many trials may fail before the sweep ends; `None` for any number."""
    deadline: float | None = None
    """When the time is over, by the machine's monotonic clock."""
    is_last: bool = field(default=False, init=False)
    """Whether no trial may follow."""
    failure: TooManyFailuresError | None = field(default=None, init=False)
    """Why none may, where so many failed."""
    running: StopRequest | None = field(default=None, init=False)
    """How to stop the running trial; `None` between trials."""
    count: int = field(default=0, init=False)
    """How many trials there were so far."""

    def train_assigned(self) -> None:
        """Train the trial that the agent has just been given. An agent that saw exceptions would give up.

        Whatever keeps a trial from starting is noted; its run ends as failed.
        """
        try:
            self.train_one()
        except KeyboardInterrupt:
            interrupt_main()  # the agent waits there; an interrupt in this thread it would not see
        except Exception as error:  # noqa: BLE001 (nothing of one trial may end the agent)
            self.observer(Note(f"a trial could not be run: {type(error).__name__}: {' '.join(str(error).split())}"))
        if self.is_last:
            interrupt_main()

    def train_one(self) -> Trial:
        """Train the trial that `wandb.config` describes; a failed or interrupted one comes back as such.

        Raises:
            KeyboardInterrupt: Training raised it; the trial is recorded as interrupted.
            ValueError: W&B's choice lacks a parameter of the sweep.
            OSError: It cannot be recorded.
        """
        self.running = stop = StopRequest()
        self.count += 1
        try:
            trial = run_shielded(lambda: self._train(stop), stop)
        finally:
            self.running = None
        trials = [trial for trial in self._read_trials() if trial.started >= self.began]
        self.is_last = self.is_last or is_too_late(trials, self.deadline)
        try:
            check_failures(trials, self.max_failures)
        except TooManyFailuresError as error:
            self.failure, self.is_last = error, True
        return trial

    def _train(self, stop: StopRequest) -> Trial:
        with self._start_run() as run:
            given = cast("dict[str, Any]", run.config.as_dict())  # pyright: ignore[reportUnknownMemberType] (untyped)
            trial = Trial(
                number=self.next_number(),
                id=os.environ.get("WANDB_RUN_ID", run.id),
                state="running",
                parameters=nest_parameters(flatten_parameters(self.config, given)),
                directory=make_trial_directory(self.output_dir),
                started=now(),
                sweep_id=self.sweep_id,
            )
            write_trial(trial)
            self.observer(TrialStarted(trial.number, trial.id, trial.parameters, trial.directory))
            tracker = Tracker(run, {"sweep_id": self.sweep_id, "directory": trial.directory.name})
            report = TrialReport(trial, self.objective, tracker, self.observer, is_stopped=lambda: stop.is_made)
            return self._finish(self._run(report, stop), report)

    def _run(self, report: TrialReport, stop: StopRequest) -> Trial:
        try:
            ended = run_trial(self.session.run, report)
        except BaseException:
            self._finish(end_trial(report, "interrupted"), report)
            raise
        if ended.state == "stopped" and (stop.reason in ("interrupted", "out of time") or self.is_cancelled()):
            return replace(ended, state="interrupted", value=None)
        return ended

    def _finish(self, ended: Trial, report: TrialReport) -> Trial:
        """Record what became of a trial, here first and then at W&B."""
        ended = with_kept_checkpoint(ended, self.keep_checkpoints, self.output_dir)
        write_trial(ended)
        best = settle(self._read_trials, self.objective, self.output_dir, self.sweep_id, self.keep_checkpoints)
        report.finish_tracking(ended)
        self.observer(TrialEnded(ended, best))
        return ended

    def _read_trials(self) -> Sequence[Trial]:
        return read_trials(self.output_dir, self.sweep_id)

    @contextmanager
    def _start_run(self) -> Generator[Run]:
        """Begin the run that W&B has made for this trial; where W&B does not answer, its files stay here."""
        import wandb

        run_id = os.environ.get("WANDB_RUN_ID")
        arguments: dict[str, Any] = {
            "dir": os.environ.get("WANDB_DIR") or self.output_dir,
            "group": self.group,
            "job_type": "sweep",
            "name": run_name(self.config.name or self.group, run_id) if run_id else None,
            "settings": wandb.Settings(**run_settings()),
        }
        with init_or_offline(arguments, lambda text: self.observer(Note(text))) as run:
            yield run


def run_agent_trial(
    trainer: Trainer,
    config: SweepConfig,
    *,
    output_dir: Path,
    objective: Objective,
    group: str | None = None,
    keep_checkpoints: KeepCheckpoints = "best",
    observer: Observer | None = None,
) -> Trial:
    """Train the one trial that an agent of W&B has started this process, or called this function, for.

    SIGTERM, by which W&B's command-line agent stops a trial, ends it at its next step with its best value. A
    failed trial ends its run with exit code 1 and comes back as failed: an agent that sees exceptions, or exit codes,
    gives up after three.

    Args:
        trainer: What trains the trial.
        config: The sweep.
        output_dir: Where the trial's directory is made.
        objective: What is optimised.
        group: The W&B group of the run: the task.
        keep_checkpoints: Whose checkpoints stay on disk, of the trials that are recorded in `output_dir`.
        observer: Hears of everything that happens.

    Raises:
        InvalidInputError: Another sweep is recorded in `output_dir`.
        ValueError: `wandb.config` lacks a parameter of the sweep.
    """
    output, sweep_id = output_dir.absolute(), os.environ["WANDB_SWEEP_ID"]
    output.mkdir(parents=True, exist_ok=True)
    require_own(output, sweep_id)
    trials = AgentTrials(
        session=trainer.open(),
        config=config,
        objective=objective,
        output_dir=output,
        sweep_id=sweep_id,
        group=group,
        observer=observer or log_warnings,
        next_number=lambda: sum(1 for _ in output.glob("sweep_*/")),
        keep_checkpoints=keep_checkpoints,
    )
    with _sigterm_stops(trials):
        return trials.train_one()


@contextmanager
def _sigterm_stops(trials: AgentTrials) -> Generator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        if trials.running is not None:
            trials.running.make("stopped")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
