"""Attempts of trials that this process has to run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from optuna.exceptions import UpdateFinishedTrialError

from bertnado_sweep.records.files import write_trial
from bertnado_sweep.running.events import Note, TrialEnded, TrialStarted
from bertnado_sweep.running.limits import ProcessSpentError, StorageError, WorkersLeftError
from bertnado_sweep.running.tracker import Tracker, run_name
from bertnado_sweep.running.trial_run import TrialReport, end_trial, run_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bertnado_config import Session

    from bertnado_sweep.plan import Plan
    from bertnado_sweep.records.trial import Trial
    from bertnado_sweep.running.events import Observer
    from bertnado_sweep.running.stop_request import StopRequest
    from bertnado_sweep.running.worker_history import WorkerHistory

    from .ledger import Assignment, Ledger
    from .output_directory import OutputDirectory

_TAKEN_OVER = "taken over by another process, which had not heard of this one for too long"


class AssignmentRunner:
    """Runs the attempts that the ledger assigns to this process."""

    def __init__(self, plan: Plan, directory: OutputDirectory, ledger: Ledger, history: WorkerHistory) -> None:
        """Prepare to run attempts.

        Args:
            plan: How trials are tracked and stopped early.
            directory: The output directory.
            ledger: The ledger of the sweep.
            history: The trials of this process so far.
        """
        self._history = history
        self._objective, self._config, self._early = plan.objective, plan.config, plan.config.early_terminate
        self._project, self._group, self._kind = plan.project, plan.application.group, plan.kind
        self._directory = directory
        self._ledger = ledger
        self._states_every = plan.options.states_every

    def run(self, session: Session, assignment: Assignment, observer: Observer, stop: StopRequest) -> None:
        """Train an attempt and record how it ended.

        Args:
            session: The open trainer.
            assignment: The attempt.
            observer: Is called with every event.
            stop: Set to stop the attempt early.

        Raises:
            StorageError: The database no longer answers; `trial.json` records the attempt as interrupted.
            WorkersLeftError: The machine fails, see `WorkerHistory`; the attempt is recorded as interrupted.
            ProcessSpentError: Another process must go on; the attempt is recorded.
            BaseException: An error outside the training; the attempt is recorded as interrupted.
        """
        trial, lease = assignment.trial, assignment.lease
        report = TrialReport(
            trial,
            self._objective,
            Tracker(None),
            observer,
            self._judge(assignment),
            is_stopped=lambda: stop.is_set or lease.is_lost,
        )
        report.keep_states(self._states_every, lambda: stop.is_set and not lease.is_lost)
        try:
            what = self._kind.describe(trial)
            observer(TrialStarted(trial.number, trial.id, trial.parameters, trial.directory, what))
            self._say_what_is_out_of_sight(trial, observer)
            report.tracker = self._tracker(trial)
            ended = run_trial(session.run, report)
            if ended.state == "stopped" and (stop.is_set or lease.is_lost):
                ended = replace(ended, state="interrupted", value=None)
            verdict = self._history.judge(ended, report.blame, self._ledger.attempts_by_process)
            self._let_others_try(verdict.others, observer)  # while this trial runs, so that they wait for it
        except StorageError:
            self._directory.require_own()
            write_trial(end_trial(report, "interrupted"))  # the storage is told when it answers again
            raise
        except BaseException:
            self._finish(end_trial(report, "interrupted"), assignment, report)
            raise
        ended, best = self._finish(verdict.trial, assignment, report)
        observer(TrialEnded(ended, best, self._ledger.count_finished()))
        if verdict.leaves is not None:
            raise WorkersLeftError([verdict.leaves])
        if verdict.needs_new_process:
            raise ProcessSpentError(verdict.trial.error)

    def _say_what_is_out_of_sight(self, trial: Trial, observer: Observer) -> None:
        """Say that an attempt begins anew if the one before was on a machine whose directory is not this one's."""
        before = trial.attempts[-2] if len(trial.attempts) > 1 else None
        if trial.training_state and not trial.resumed_from and before and before["place"] != trial.place:
            why = f"its last attempt was on {before['host']}, and a training state of it cannot be seen here"
            observer(Note(f"trial {trial.number + 1} begins anew: {why}"))

    def _let_others_try(self, trials: Sequence[Trial], observer: Observer) -> None:
        """Interrupt earlier trials of this process after all."""
        if trials:
            best = self._ledger.export_best()
            for trial in trials:
                observer(TrialEnded(trial, best))
            self._ledger.try_again(trials)

    def _judge(self, assignment: Assignment) -> Callable[[Sequence[float]], bool]:
        """Return a function that records each evaluation and returns True if the trial must stop."""

        def judge(values: Sequence[float]) -> bool:
            self._ledger.report(assignment, len(values), values[-1])
            if assignment.lease.is_lost:
                return True
            if self._early is None:
                return False
            others = self._ledger.evaluations(leave_out=assignment.trial.number)
            return self._early.should_stop(self._objective.goal, values, others)

        return judge

    def _tracker(self, trial: Trial) -> Tracker:
        return Tracker.start(
            online=self._kind.is_online,
            directory=self._directory.path,
            project=self._project,
            entity=self._config.entity,
            group=self._group,
            job_type=self._kind.job_type,
            run_id=trial.id,
            name=run_name(self._config.name, trial.id),
            config=self._kind.tracked_parameters(trial),
            details={"sweep_id": self._directory.sweep_id, "trial": trial.number, "directory": trial.directory.name},
        )

    def _finish(self, ended: Trial, assignment: Assignment, report: TrialReport) -> tuple[Trial, Trial | None]:
        """Record the end of a trial and export it if it is the best; return both trials."""
        try:
            best = self._ledger.record(ended, assignment.entry)
        except UpdateFinishedTrialError:
            ended = replace(ended, state="interrupted", value=None, error=_TAKEN_OVER)
            write_trial(ended)
            best = self._ledger.export_best()
        report.finish_tracking(ended)
        return ended, best
