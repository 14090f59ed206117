"""The local backend: an Optuna study in the output directory or a database, without an account or a server."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from optuna.exceptions import UpdateFinishedTrialError

from bertnado_sweep.backends.base import EarlyEnd
from bertnado_sweep.plan import Plan, new_sweep_id
from bertnado_sweep.records.best import choose_best
from bertnado_sweep.records.files import ERROR_FILE, LOGS, claim, now, read_place, write_sweep
from bertnado_sweep.records.presence import Presence, beginning
from bertnado_sweep.records.secrets import masked_url
from bertnado_sweep.records.training_states import KEPT, has_own_state, is_without_progress
from bertnado_sweep.running.blame import blame_for, is_left_behind
from bertnado_sweep.running.error_text import one_line
from bertnado_sweep.running.events import Note, Observer, TrialEnded
from bertnado_sweep.running.limits import (
    ProcessSpentError,
    StorageError,
    WorkersLeftError,
    check_failures,
    is_too_late,
)
from bertnado_sweep.running.stop_request import Interrupted, StopRequest, run_shielded, stop_on_signals
from bertnado_sweep.running.worker_history import WorkerHistory
from bertnado_sweep.running.worker_pool import WorkerExit, pickling_problem, run_workers
from bertnado_sweep.search.past_trials import is_point, points_among
from bertnado_sweep.search.propose import propose

from . import leases
from .assignments import AssignmentRunner
from .distributions import StudySpace
from .entries import Entries
from .ledger import Ledger
from .opening import begin_shared_study, continue_in_own_study, ensure_study, repair
from .output_directory import OutputDirectory
from .process_identity import process_name
from .recovery import tidy
from .storage import hurry, open_storage, share
from .studies import Studies, StudyRecord, recorded_studies
from .waiting import PAUSE, Waiting

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from bertnado_config import Session

    from bertnado_sweep.records.trial import Trial

    from .ledger import Assignment

_log = logging.getLogger(__name__)

_DIED = "its worker process died"


class LocalBackend:
    """A sweep in an Optuna study, run by any number of processes on any number of machines. See `Backend`.

    Which process runs which trial is decided through the `Ledger`.
    """

    def __init__(
        self, plan: Plan, sweep_id: str, past: Mapping[str, int] | None = None, pool: leases.Pool | None = None
    ) -> None:
        """Open a sweep whose study has been begun.

        Args:
            plan: The plan.
            sweep_id: The sweep's.
            past: The number of entries that each study had before this run of the sweep; the circuit breaker ignores
                them.
            pool: The worker pool that this process belongs to.
        """
        self.sweep_id = sweep_id
        self._plan = plan
        self._objective, self._budget, self._config = plan.objective, plan.budget, plan.config
        self._output_dir = plan.output_dir
        self._storage = open_storage(plan.output_dir, plan.options.storage)
        self._entries = Entries(self._storage, plan.options.study or sweep_id, plan.output_dir, past or {})
        place = read_place(plan.output_dir) if plan.options.storage else None
        self._directory = OutputDirectory(plan.output_dir, sweep_id, place, plan.keeps_states)
        space = StudySpace(plan.config)
        self._ledger = Ledger(
            self._storage,
            self._entries,
            self._directory,
            plan.objective,
            plan.options.keep_checkpoints,
            space,
            plan.kind,
            pool,
        )
        recorded = _recorded_studies(plan, sweep_id)
        self._studies = Studies(self._storage, self._entries, space, plan.objective, recorded)
        self._history = WorkerHistory(process_name(os.getpid()))
        self._runner = AssignmentRunner(plan, self._directory, self._ledger, self._history)
        self._presence = None if plan.options.storage else Presence(plan.output_dir)
        self._is_spent = False
        self._repairs: Sequence[str] = ()

    @classmethod
    def create(cls, plan: Plan) -> LocalBackend:
        """Claim the output directory and begin a new sweep there, or go on with the one that the plan resumes.

        Raises:
            OSError: The record cannot be written.
            InvalidInputError: Another sweep is recorded there, the record is damaged beyond repair, the database cannot
                be used, or another machine has just begun a sweep of that name.
            StorageError: The database no longer answers.
        """
        resumes, output_dir, goal = plan.recorded, plan.output_dir, plan.objective.goal
        sweep_id = resumes.sweep_id if resumes else new_sweep_id()
        record = {**plan.to_record(sweep_id), "studies": _recorded_studies(plan, sweep_id)}
        study = plan.options.study or sweep_id
        if plan.options.storage is not None:
            record["place"] = read_place(output_dir) or uuid4().hex
            claim(output_dir, record)
            if resumes is None:
                begin_shared_study(plan.options.storage, study, goal, output_dir, record)
            return cls._enter(plan, sweep_id, record)
        if resumes is None:
            claim(output_dir, record)
        with beginning(output_dir):
            repairs = repair(resumes, output_dir, plan.objective) if resumes else ()
            ensure_study(None, study, goal, output_dir)
            return cls._enter(plan, sweep_id, record, repairs)

    @classmethod
    def _enter(cls, plan: Plan, sweep_id: str, record: Mapping[str, Any], repairs: Sequence[str] = ()) -> LocalBackend:
        """Take part in a sweep whose study has been begun."""
        backend = cls(plan, sweep_id)
        backend._repairs = repairs
        try:
            backend._begin(record)
        except BaseException:
            backend._leave()
            raise
        return backend

    def _begin(self, record: Mapping[str, Any]) -> None:
        if self._presence is not None:
            self._presence.come()
        resumes = self._plan.recorded is not None
        if resumes:
            self._ledger.settle_abandoned()
            self._propose(self.trials())  # a method that fails with this file fails before the record is changed
        is_continued = continue_in_own_study(self._studies, self._ledger, record)
        if is_continued or not self._plan.is_joining:
            record = {**record, "studies": self._studies.to_record()}
            write_sweep(self._output_dir, record)
            for study in self._entries.studies:
                share(study, record)
        if resumes:
            self._retry_failed()
            self._ledger.export_best()
            self._entries.set_past()

    def _retry_failed(self) -> None:
        """Let the failed trials that were chosen be tried again."""
        failed = [trial for trial in points_among(self._config, self.trials()) if self._plan.options.retries(trial)]
        self._ledger.try_again(replace(trial, state="interrupted") for trial in failed)

    def work_in_pool(self, observer: Observer, deadline: float | None) -> None:
        """Run trials in this worker process of a pool, see `work_alone`."""
        if self._presence is not None:
            self._presence.come()
        try:
            stop = StopRequest()
            hurry(self._storage, lambda: stop.is_set)
            self.work_alone(observer, deadline, stop)
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._presence is not None:
            self._presence.leave()

    def close(self) -> None:
        """Leave the sweep; whoever leaves last tidies up."""
        try:
            if self._presence is not None:
                with suppress(OSError), beginning(self._output_dir):
                    if self._presence.is_alone():
                        tidy(self._output_dir, self.sweep_id)
        finally:
            self._leave()

    @property
    def notes(self) -> tuple[str, ...]:
        """How other machines can join, what was repaired, and how many trials were finished before."""
        plan, trials = self._plan, self.trials()
        where = (
            f"--storage {masked_url(plan.options.storage)} --study {plan.options.study or self.sweep_id}"
            if plan.options.storage
            else ""
        )
        joining = (f"other machines join with: {where} --output-dir THEIRS",) if where else ()
        if plan.recorded is None:
            return (*joining, *self._repairs, *plan.search_notes)
        done, again = sum(trial.is_counted for trial in trials), sum(map(self._is_repeated, trials))
        repeated = f"; interrupted, and tried again: {again}" if again else ""
        outside = len(trials) - len(points_among(self._config, trials))
        kept = f"; in the record, outside the present search space: {outside}" if outside else ""
        return (*joining, *self._repairs, f"resumed: {done} of {self._budget} trials were finished{repeated}{kept}")

    def conclude(self, trials: Sequence[Trial], best: Trial) -> tuple[str, ...]:
        """Return where the best checkpoint is if it is on another machine."""
        if best.checkpoint is None or self._directory.holds(best):
            return ()
        return (f"the best trial's checkpoint is on {best.host}: {best.checkpoint}",)

    def count_finished(self) -> int:
        """Return the number of all trials that completed, were stopped early or failed."""
        return sum(trial.is_counted for trial in self.trials())

    def trials(self) -> tuple[Trial, ...]:
        """Return all trials as the study has them, each in its latest attempt, by number."""
        return self._ledger.trials()

    def work(self, observer: Observer) -> EarlyEnd | None:
        """Run trials until the budget is met, the target is reached, the space is spent or the time is over."""
        deadline = None if self._plan.options.time_limit is None else time.monotonic() + self._plan.options.time_limit
        stop = StopRequest()
        hurry(self._storage, lambda: stop.is_set)
        if self._plan.workers > 1 or not self._is_done_alone(observer, deadline, stop):
            self._work_in_processes(observer, deadline, stop)
        return self._ended_by(stop)

    def _is_done_alone(self, observer: Observer, deadline: float | None, stop: StopRequest) -> bool:
        """Work in this process; return False if another one must go on.

        Raises:
            WorkersLeftError: The machine fails; or another process must go on, and the trainer cannot be sent to it.
        """
        try:
            self.work_alone(observer, deadline, stop)
        except ProcessSpentError as error:
            obstacle = pickling_problem(self._plan.trainer)
            if stop.is_set or stop.is_last or obstacle is None:
                return stop.is_set or stop.is_last
            why = f"this process cannot use its GPU after {error}, nor hand over to another process: {obstacle}"
            raise WorkersLeftError([why]) from None
        return True

    def _work_in_processes(self, observer: Observer, deadline: float | None, stop: StopRequest) -> None:
        handle_exit = partial(self._handle_worker_exit, observer)
        with leases.leading() as pool:
            work = partial(_work, self._plan, self.sweep_id, self._entries.past, deadline, pool)
            run_workers([work] * self._plan.workers, observer, handle_exit, self._output_dir / LOGS, stop)

    def _ended_by(self, stop: StopRequest) -> EarlyEnd | None:
        """Return what ended the sweep before its budget was met; None if nothing did, or its own rules."""
        if not self._studies.is_current():
            prospect = f"it goes on in study {self._studies.current!r}, and --join works on it"
            return EarlyEnd("another process, which changed the search space,", prospect)
        trials = self.trials()
        is_met = sum(trial.is_counted for trial in trials) >= self._budget
        if is_met or self._target_is_reached(trials) or self._is_over(trials):
            return None
        return EarlyEnd(stop.notice.name if stop.notice else "the time limit")

    def _is_over(self, trials: Sequence[Trial]) -> bool:
        """Return True if no trial must be ended or repeated, and the space is spent."""
        is_open = any(trial.state == "running" or self._is_repeated(trial) for trial in trials)
        return not is_open and self._propose(trials)[1] is None

    def work_alone(self, observer: Observer, deadline: float | None, stop: StopRequest) -> None:
        """Run trials in this process, one at a time, until the sweep has no more.

        Args:
            observer: Is called with every event.
            deadline: The end of the time limit, by the monotonic clock.
            stop: Is set by signals and at the deadline.

        Raises:
            Interrupted: A signal interrupted it.
            WorkersLeftError: The machine fails.
            ProcessSpentError: Another process must go on.
        """
        with stop_on_signals(stop), _out_of_time(stop, deadline):
            try:
                run_shielded(lambda: self._run_all(observer, stop, deadline), stop)
            except Interrupted:  # it did not stop in time
                with suppress(StorageError):
                    self._ledger.interrupt_own()
                raise
            except (StorageError, WorkersLeftError, ProcessSpentError):
                if stop.reason != "interrupted":
                    raise
        if stop.reason == "interrupted":
            raise Interrupted(stop.signum)

    def _run_all(self, observer: Observer, stop: StopRequest, deadline: float | None) -> None:
        session = self._open_trainer()
        waiting = Waiting(lambda text: observer(Note(text)))
        while (assignment := self._next(stop, deadline, waiting)) is not None:
            try:
                self._runner.run(session, assignment, observer, stop)
            finally:
                assignment.lease.end()

    def _open_trainer(self) -> Session:
        try:
            return self._plan.trainer.open()
        except Exception as error:
            if blame_for(error).culprit != "machine":
                raise
            raise WorkersLeftError([one_line(error)]) from error

    def _next(self, stop: StopRequest, deadline: float | None, waiting: Waiting) -> Assignment | None:
        """Wait for an attempt to run; return None once there are no more for this process."""
        while not stop.is_set and not stop.is_last:
            self._directory.require_own()
            self._ledger.settle_abandoned()
            trials = self.trials()
            check_failures(self._ledger.recent_trials(), self._plan.options.max_failures)
            if is_too_late(trials, deadline, self._plan.keeps_states) or not self._studies.is_current():
                return None
            if self._has_more(trials):
                waiting.is_over()
                assignment = self._ledger.claim(self._decide, lambda: stop.is_set, waiting)
                if assignment is not None:
                    return assignment
            elif not any(trial.state == "running" for trial in trials):
                return None
            else:  # another worker's trial, which may yet have to be tried again
                waiting.goes_on(self._ledger.others_at_work)
                time.sleep(PAUSE)
        return None

    def _has_more(self, trials: Sequence[Trial]) -> bool:
        return any(map(self._is_repeated, trials)) or self._has_room(trials)

    def _has_room(self, trials: Sequence[Trial]) -> bool:
        """Return True if new trials may be started."""
        begun = sum(not _is_interrupted(trial) for trial in trials)
        return not self._is_spent and begun < self._budget and not self._target_is_reached(trials)

    def _is_repeated(self, trial: Trial) -> bool:
        """Return True if a trial was interrupted and its parameters are still those of the search space."""
        return _is_interrupted(trial) and is_point(self._config, trial)

    def _target_is_reached(self, trials: Sequence[Trial]) -> bool:
        metric = self._config.metric
        if metric is None or metric.target is None:
            return False
        best = choose_best(trials, self._objective)
        return best is not None and not self._objective.is_better(metric.target, best.value)

    def _decide(self, trials: Sequence[Trial]) -> Trial | None:
        """Return another attempt of an interrupted trial, otherwise a new trial; None if there is neither.

        A worker that has completed none begins with trials that no machine has failed with: what it shows with them
        tells whether its machine works.
        """
        if not self._has_more(trials):
            return None
        again = sorted(filter(self._is_repeated, trials), key=lambda trial: is_left_behind(trial.error))
        if again and (self._history.has_completed or not is_left_behind(again[0].error)):
            return self._another_attempt(again[0])
        return self._new_trial(trials) or (self._another_attempt(again[0]) if again else None)

    def _another_attempt(self, trial: Trial) -> Trial:
        return self._directory.new_trial(trial.number, trial.parameters, trial)

    def _new_trial(self, trials: Sequence[Trial]) -> Trial | None:
        """Return a trial of a new point; None if none is left, or none may be started."""
        if not self._has_room(trials):
            return None
        number, parameters = self._propose(trials)
        if parameters is None:
            self._is_spent = True
            return None
        return self._directory.new_trial(number, parameters)

    def _propose(self, trials: Sequence[Trial]) -> tuple[int, dict[str, Any] | None]:
        """Return the number and the parameters of the next trial; None if every point has been tried."""
        number = max((trial.number for trial in trials), default=-1) + 1
        seed, method = self._plan.options.seed, self._plan.method
        return number, propose(self._config, self._objective.goal, trials, number, seed, method=method)

    def _handle_worker_exit(self, observer: Observer, exited: WorkerExit, is_over: bool) -> bool:
        """Settle what a worker process has left behind, and return True if it should be replaced.

        Its trial is tried again by the first free worker. If a second worker dies with it, the trial has failed. A
        worker that died before it had a trial is not replaced, because the next one would die in the same way.
        """
        self._ledger.withdraw_claims_of(exited.pid)
        held = self._ledger.held_by(exited.pid)
        for entry, trial in held:
            with suppress(OSError):  # the disk may be full
                lines = "\n".join([f"worker died: {exited.how}", *exited.last_lines])
                (trial.directory / ERROR_FILE).write_text(lines, encoding="utf-8", errors="backslashreplace")
            ended = replace(trial, state="interrupted", ended=now()) if is_over else self._lost(trial, exited)
            with suppress(UpdateFinishedTrialError):  # another process has taken it over
                observer(TrialEnded(ended, self._ledger.record(ended, entry)))
        if not held and not is_over and not exited.is_clean:
            observer(Note(f"a worker died before it had a trial: {exited.how}"))
        return bool(held)

    def _lost(self, trial: Trial, exited: WorkerExit) -> Trial:
        """Return a trial whose worker died: interrupted the first time, failed the second.

        A worker that has written a training state made progress, and does not count.
        """
        attempts = self._ledger.attempts(trial.number)
        kept = KEPT if has_own_state(trial) else ""
        is_second = not kept and any(is_without_progress(attempt, _DIED) for attempt in attempts)
        last = f"; its last words: {exited.last_lines[-1]}" if exited.last_lines else ""
        error = f"{_DIED}{' twice' * is_second}: {exited.how}{last}{kept}"
        return replace(trial, state="failed" if is_second else "interrupted", ended=now(), error=error)


def _work(
    plan: Plan, sweep_id: str, past: Mapping[str, int], deadline: float | None, pool: leases.Pool, observer: Observer
) -> None:
    """Work on a sweep that the leader of a worker pool has begun."""
    LocalBackend(plan, sweep_id, past, pool).work_in_pool(observer, deadline)


def _recorded_studies(plan: Plan, sweep_id: str) -> Sequence[StudyRecord]:
    study = plan.options.study or sweep_id
    if plan.recorded is not None:
        return recorded_studies(plan.recorded.record, study)
    return [{"name": study, "parameters": StudySpace(plan.config).section}]


def _is_interrupted(trial: Trial) -> bool:
    return trial.state == "interrupted"


@contextmanager
def _out_of_time(stop: StopRequest, deadline: float | None) -> Generator[None]:
    """Stop the running trial when the time is over."""
    if deadline is None:
        yield
        return
    timer = threading.Timer(max(deadline - time.monotonic(), 0.0), stop.set, ["out of time"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
