"""Trials of a W&B agent: each trains with exactly the parameters that W&B chose."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from bertnado_config import flatten_parameters, nest_parameters

from bertnado_sweep.plan import state_bytes_of
from bertnado_sweep.records.best import KeepCheckpoints, export_and_clean_up, with_kept_checkpoint
from bertnado_sweep.records.files import make_trial_directory, now, require_own, write_trial
from bertnado_sweep.records.presence import beginning, present
from bertnado_sweep.records.training_states import STATE_FILE, SpentStates, as_recorded, find_state
from bertnado_sweep.records.trial import JOB_VARIABLE, Trial
from bertnado_sweep.records.trial_files import read_trial_files, read_trials
from bertnado_sweep.running.events import Note, Observer, TrialEnded, TrialStarted, log_warnings
from bertnado_sweep.running.limits import (
    ProcessSpentError,
    TooManyFailuresError,
    WorkersLeftError,
    check_failures,
    is_too_late,
)
from bertnado_sweep.running.stop_request import StopRequest, interrupt_main, run_shielded
from bertnado_sweep.running.tracker import DETAILS_KEY, Tracker, init_or_offline, run_name, run_settings
from bertnado_sweep.running.trial_run import TrialReport, end_trial, run_trial
from bertnado_sweep.running.worker_history import Verdict, WorkerHistory

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from bertnado_config import Session, SweepConfig, Trainer
    from bertnado_metrics import Objective
    from wandb import Run

    from bertnado_sweep.running.blame import Blame


_TO_BE_RESUMED = ("interrupted", "out of time")
"""The reasons to stop a trial after which it is tried again."""


@dataclass
class AgentTrials:
    """The trials of one agent, and what they share."""

    session: Session
    config: SweepConfig
    objective: Objective
    output_dir: Path
    """Absolute; it exists."""
    sweep_id: str
    group: str | None
    observer: Observer
    first_number: int = 0
    """The number of the first trial in an output directory that has none."""
    count_begun: Callable[[], None] = lambda: None
    """Called when a trial begins."""
    keep_checkpoints: KeepCheckpoints = "best"
    states_every: float | None = None
    """The seconds of training between two training states; None if none are written."""
    is_cancelled: Callable[[], bool] = lambda: False
    """Called when a trial was stopped; returns True if the whole sweep was."""
    began: str = ""
    """Trials that started earlier do not count for the limits; ISO 8601, UTC."""
    max_failures: int | None = None
    """The number of failures that ends the sweep; None for no limit."""
    deadline: float | None = None
    """The end, by the machine's monotonic clock; None for no limit."""
    is_last: bool = field(default=False, init=False)
    """True if no further trial may start."""
    failure: TooManyFailuresError | WorkersLeftError | ProcessSpentError | None = field(default=None, init=False)
    """The error to raise, if too many trials failed, or the machine or this process cannot go on."""
    history: WorkerHistory = field(default_factory=lambda: WorkerHistory(str(os.getpid())), init=False)
    """The trials of this process so far."""
    running: StopRequest | None = field(default=None, init=False)
    """The stop request of the running trial; None between trials."""
    count: int = field(default=0, init=False)
    """The number of trials so far."""

    def __post_init__(self) -> None:
        self._spent_states = SpentStates(self.output_dir)

    def train_assigned(self) -> None:
        """Train the trial that the agent was just given.

        Nothing is raised, because an agent gives up after a few exceptions. If a trial cannot start, a note says so and
        its run ends as failed.
        """
        try:
            self.train_one()
        except KeyboardInterrupt:
            interrupt_main()  # the agent waits in the main thread, and would not see an interrupt in this one
        except Exception as error:  # noqa: BLE001 (nothing of one trial may end the agent)
            self.observer(Note(f"a trial could not be run: {type(error).__name__}: {' '.join(str(error).split())}"))
        if self.is_last:
            interrupt_main()

    def train_one(self) -> Trial:
        """Train the trial that `wandb.config` describes; return it, possibly failed or interrupted.

        Raises:
            KeyboardInterrupt: It was interrupted; the trial is recorded as such.
            ValueError: `wandb.config` lacks a parameter of the sweep.
            OSError: It cannot be recorded.
        """
        self.running = stop = StopRequest()
        self.count += 1
        try:
            trial = run_shielded(lambda: self._train(stop), stop)
        finally:
            self.running = None
        trials = [trial for trial in self._read_trials() if trial.started >= self.began]
        self.is_last = self.is_last or is_too_late(trials, self.deadline, self.states_every is not None)
        try:
            check_failures(trials, self.max_failures)
        except TooManyFailuresError as error:
            self.failure, self.is_last = error, True
        return trial

    def _train(self, stop: StopRequest) -> Trial:
        with self._start_run() as run:
            given = cast("dict[str, Any]", run.config.as_dict())  # pyright: ignore[reportUnknownMemberType] (untyped)
            run_id = os.environ.get("WANDB_RUN_ID", run.id)
            earlier = next((trial for trial in self._read_trials() if trial.id == run_id), None)
            self.count_begun()
            parameters = nest_parameters(flatten_parameters(self.config, given))
            with beginning(self.output_dir):  # no other agent takes the same number
                trial = self._begin(run_id, parameters, earlier)
                write_trial(trial)
            self.observer(TrialStarted(trial.number, trial.id, trial.parameters, trial.directory))
            if DETAILS_KEY in given and trial.training_state and not trial.resumed_from:
                why = f"W&B has handed it out again, and {self.output_dir} does not hold a training state of it"
                self.observer(Note(f"trial {trial.number + 1} begins anew: {why}"))
            tracker = Tracker(run, {"sweep_id": self.sweep_id, "directory": trial.directory.name})
            report = TrialReport(trial, self.objective, tracker, self.observer, is_stopped=lambda: stop.is_set)
            report.keep_states(self.states_every, lambda: stop.reason in _TO_BE_RESUMED)
            return self._finish(self._run(report, stop), report)

    def _begin(self, run_id: str, parameters: Mapping[str, Any], earlier: Trial | None) -> Trial:
        """Return the trial of a run, or another attempt of it, with a new directory."""
        directory = make_trial_directory(self.output_dir)
        return Trial(
            number=earlier.number if earlier else self._next_number(),
            attempt=earlier.attempt + 1 if earlier else 1,
            id=run_id,
            state="running",
            parameters=parameters,
            directory=directory,
            started=now(),
            host=socket.gethostname(),
            job=os.environ.get(JOB_VARIABLE),
            training_state=None if self.states_every is None else directory / STATE_FILE,
            resumed_from=None if self.states_every is None or earlier is None else find_state(earlier),
            attempts=earlier.attempts if earlier else (),
            sweep_id=self.sweep_id,
        ).with_steps(0, None)

    def _next_number(self) -> int:
        return max((trial.number + 1 for trial in self._read_trials()), default=self.first_number)

    def _run(self, report: TrialReport, stop: StopRequest) -> Trial:
        try:
            ended = run_trial(self.session.run, report)
        except BaseException:
            self._finish(end_trial(report, "interrupted"), report)
            raise
        if ended.state == "stopped" and (stop.reason in _TO_BE_RESUMED or self.is_cancelled()):
            return replace(ended, state="interrupted", value=None)
        self.history.has_completed |= ended.is_eligible
        return self._judge(ended, report.blame) if ended.state == "failed" else ended

    def _judge(self, failed: Trial, blame: Blame) -> Trial:
        """Return a failed trial as it is to be recorded; end the agent if its machine or its process cannot go on."""
        verdict = Verdict(failed, needs_new_process=blame.ends_process)
        if blame.culprit == "machine":
            attempts = read_trial_files(self.output_dir, self.sweep_id, strict=False).trials
            verdict = self.history.judge_machine_failure(failed, sorted(attempts, key=lambda trial: trial.attempt))
        if verdict.leaves is not None:
            self.failure, self.is_last = WorkersLeftError([verdict.leaves]), True
        elif verdict.needs_new_process:
            self.failure, self.is_last = ProcessSpentError(failed.error), True
        return verdict.trial

    def _finish(self, ended: Trial, report: TrialReport) -> Trial:
        """Record an ended trial, on disk first and then at W&B."""
        ended = as_recorded(with_kept_checkpoint(ended, self.keep_checkpoints, self.output_dir))
        write_trial(ended)
        best = export_and_clean_up(
            self._read_trials, self.objective, self.output_dir, self.sweep_id, self.keep_checkpoints
        )
        self._spent_states.update([ended])
        is_stopped = self.running is not None and self.running.reason == "stopped"
        if ended.state == "interrupted" and not is_stopped and not self.is_cancelled():
            report.tracker.mark_preempting()
        report.finish_tracking(ended)
        self.observer(TrialEnded(ended, best))
        return ended

    def _read_trials(self) -> Sequence[Trial]:
        return read_trials(self.output_dir, self.sweep_id)

    @contextmanager
    def _start_run(self) -> Generator[Run]:
        """Start the run that W&B has created for this trial; if W&B does not answer, it is offline."""
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
    states_every: float | None = None,
    observer: Observer | None = None,
) -> Trial:
    """Train the one trial of an agent of W&B.

    On SIGTERM, with which W&B's command-line agent stops a trial, it ends at its next step with its best value. A
    failed trial ends its run with exit code 1 and is returned as failed: an agent gives up after three exceptions or
    exit codes.

    Args:
        trainer: The trainer.
        config: The sweep.
        output_dir: The directory in which the trial gets one.
        objective: The objective.
        group: The W&B group of the run: the task.
        keep_checkpoints: Checkpoints to keep on disk, among the trials recorded in `output_dir`.
        states_every: The seconds of training between two training states; None for none.
        observer: Called with every event.

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
        keep_checkpoints=keep_checkpoints,
        states_every=None if state_bytes_of(trainer) is None else states_every,
    )
    with _stop_on_sigterm(trials), present(output):
        return trials.train_one()


def settle_killed(output_dir: Path, sweep_id: str) -> None:
    """Record the trials of killed processes as interrupted.

    Args:
        output_dir: The sweep's; no process trains there.
        sweep_id: The sweep's.
    """
    for trial in read_trials(output_dir, sweep_id):
        if not trial.is_over:
            write_trial(replace(trial, state="interrupted", ended=now(), error="its process was killed"))


@contextmanager
def _stop_on_sigterm(trials: AgentTrials) -> Generator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        if trials.running is not None:
            trials.running.set("stopped")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
