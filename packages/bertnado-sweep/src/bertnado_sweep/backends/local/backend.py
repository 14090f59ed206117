"""The local backend: no account. Its record is an Optuna study, in a journal in the output directory or a database."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bertnado_config import InvalidInputError, Problem
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial

from bertnado_sweep.plan import Plan, new_sweep_id
from bertnado_sweep.records.best import choose_best, export_and_clean_up, with_kept_checkpoint
from bertnado_sweep.records.files import (
    ERROR_FILE,
    LOGS,
    TRIAL_FILE,
    claim,
    is_trial_directory,
    make_trial_directory,
    now,
    read_place,
    read_sweep_id,
    read_trial,
    unclaim,
    write_sweep,
    write_trial,
)
from bertnado_sweep.records.presence import Presence, beginning
from bertnado_sweep.records.secrets import masked_url
from bertnado_sweep.records.trial import Trial, latest_attempts
from bertnado_sweep.running.events import Note, Observer, TrialEnded, TrialStarted
from bertnado_sweep.running.limits import StorageError, check_failures, is_too_late
from bertnado_sweep.running.stop_request import Interrupted, StopRequest, run_shielded, stop_on_signals
from bertnado_sweep.running.tracker import Tracker, run_name
from bertnado_sweep.running.trial_run import TrialReport, end_trial, run_trial
from bertnado_sweep.running.worker_pool import WorkerExit, run_workers
from bertnado_sweep.search.propose import propose

from .leases import Claim, Lease, Leases, Pool, is_in, is_owned_by, leading, owner_of
from .recovery import journal_problem, recover, tidy
from .storage import TRIAL_RECORD, hurry, new_study, open_storage, share, state_of
from .waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from bertnado_config import Session
    from bertnado_metrics import Objective
    from optuna.storages import BaseStorage

    from bertnado_sweep.records.recorded_sweep import RecordedSweep

_DIED = "its worker process died"
_LEFT = "its process was over, or not heard of any more, before it came to its end"
_TAKEN_OVER = "taken over by another machine, since this one was not heard of for too long"

MOST_DEATHS = 5
"""So many processes that are lost with a trial, without a word, make it a failed one."""

_PAUSE = 0.005
"""Seconds between two looks at whether the earlier entries are decided."""
_PATIENT_PAUSE = 0.2
"""Seconds between two looks at what other workers still train."""


@dataclass(frozen=True)
class _Ticket:
    """An attempt that is this process's to run."""

    trial: Trial
    entry: int
    lease: Lease


class LocalBackend:
    """One sweep in an Optuna study, worked on by any number of processes of any number of machines. See `Backend`.

    An entry of the study is an attempt of a trial: its record is a user attribute; the n-th evaluation is its n-th
    intermediate value. A trial that was stopped early is complete to Optuna: its value means the same.

    An entry is undecided until it has a record or is withdrawn. Entries are decided in the order of their numbers, so
    that each sees all that came before it, whichever process made them: no budget is exceeded, nothing is tried twice.
    An entry that its worker has abandoned is settled by whoever sees it first.
    """

    def __init__(self, plan: Plan, sweep_id: str, past: int = 0, pool: Pool | None = None) -> None:
        self._plan = plan
        self._early = plan.config.early_terminate
        self._storage = open_storage(plan.output_dir, plan.options.storage)
        name = plan.options.study or sweep_id
        self._study = _study(self._storage, name, plan.objective) if pool is None else _find(self._storage, name)
        self._presence = None if plan.options.storage else Presence(plan.output_dir)
        self._place = read_place(plan.output_dir) if plan.options.storage else None
        self._leases = Leases()
        self._pool = pool
        """Whose leader settles what this process leaves; `None` where there is no pool."""
        self._past = past
        """How many entries there were before this sweep was begun or went on; its circuit breaker leaves them out."""
        self._is_spent = False
        self._repairs: list[str] = []
        self.sweep_id = sweep_id

    @classmethod
    def create(cls, plan: Plan) -> LocalBackend:
        """Claim the output directory and begin a new sweep there, or go on with the one that the plan resumes.

        Raises:
            OSError: The record cannot be written.
            InvalidInputError: Another sweep is recorded there, the record is damaged beyond repair, the database cannot
                be used, or another machine has just begun a sweep of that name.
            StorageError: The database no longer answers.
        """
        sweep_id = plan.recorded.sweep_id if plan.recorded else new_sweep_id()
        record = plan.to_record(sweep_id)
        if plan.options.storage is not None:
            record["place"] = read_place(plan.output_dir) or uuid4().hex
        if plan.recorded is None or plan.options.storage is not None:
            claim(plan.output_dir, record)
        if plan.options.storage is not None:
            if plan.recorded is None:
                _begin_study(plan, sweep_id, record)
            return cls._go_on(plan, sweep_id, record)
        with beginning(plan.output_dir):
            repairs = _repair(plan, plan.recorded) if plan.recorded else []
            backend = cls._go_on(plan, sweep_id, record)
            backend._repairs = repairs
            return backend

    @classmethod
    def _go_on(cls, plan: Plan, sweep_id: str, record: Mapping[str, Any]) -> LocalBackend:
        """Come to a sweep that is recorded."""
        backend = cls(plan, sweep_id)
        try:
            backend._come(record)
        except BaseException:
            backend._leave()
            raise
        return backend

    def _come(self, record: Mapping[str, Any]) -> None:
        if self._presence is not None:
            self._presence.come()
        if not self._plan.is_joining:
            write_sweep(self._plan.output_dir, record)
            share(self._storage, self._study, record)
        if self._plan.recorded is not None:
            self._settle_abandoned()
            self._settle()
            self._past = len(self._entries())

    def work_in_pool(self, observer: Observer, deadline: float | None) -> None:
        """Run trials in this worker process of a pool, see `work_alone`."""
        if self._presence is not None:
            self._presence.come()
        try:
            self.work_alone(observer, deadline)
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._presence is not None:
            self._presence.leave()

    def close(self) -> None:
        """Leave the sweep; whoever leaves last tidies up."""
        try:
            if self._presence is not None:
                with suppress(OSError), beginning(self._plan.output_dir):
                    if self._presence.is_alone():
                        tidy(self._plan.output_dir, self.sweep_id)
        finally:
            self._leave()

    @property
    def notes(self) -> tuple[str, ...]:
        """Where others find the sweep, and what was done before, where it goes on."""
        plan, trials = self._plan, self.trials()
        where = f"--storage {masked_url(plan.options.storage)} --study {self._name}" if plan.options.storage else ""
        shared = (f"other machines join with: {where} --output-dir THEIRS",) if where else ()
        shared = (*shared, *self._repairs)
        if plan.recorded is None:
            return shared
        done, again = sum(trial.is_counted for trial in trials), sum(map(_is_interrupted, trials))
        repeated = f", {again} interrupted are tried again" if again else ""
        return (*shared, f"resumed: {done} of {plan.budget} trials were finished{repeated}")

    @property
    def _name(self) -> str:
        return self._plan.options.study or self.sweep_id

    def conclude(self, trials: Sequence[Trial], best: Trial) -> tuple[str, ...]:
        """Say what ended the sweep, if that is not plain, and where the best checkpoint is, if that is elsewhere."""
        notes: list[str] = []
        counted = sum(trial.is_counted for trial in trials)
        if self._plan.options.time_limit is not None and counted < self._plan.budget:
            notes.append(f"the time limit ended it after {counted} of {self._plan.budget} trials; --resume goes on")
        if best.checkpoint is not None and not self._is_ours(best):
            notes.append(f"the best trial's checkpoint is on {best.host}: {best.checkpoint}")
        return tuple(notes)

    def trials(self) -> tuple[Trial, ...]:
        """All trials as the study has them, each in its latest attempt, by number."""
        return tuple(sorted(latest_attempts(trial for _, trial in self._attempts()), key=lambda trial: trial.number))

    def work(self, observer: Observer) -> None:
        """Run trials until the budget is met, the target is reached, the space is spent or the time is over."""
        deadline = None if self._plan.options.time_limit is None else time.monotonic() + self._plan.options.time_limit
        if self._plan.workers == 1:
            self.work_alone(observer, deadline)
            return
        handle_exit, stop = partial(self._handle_worker_exit, observer), StopRequest()
        hurry(self._storage, lambda: stop.is_set)
        with leading() as pool:
            work = partial(_work, self._plan, self.sweep_id, self._past, deadline, pool)
            run_workers([work] * self._plan.workers, observer, handle_exit, self._plan.output_dir / LOGS, stop)

    def work_alone(self, observer: Observer, deadline: float | None) -> None:
        """Run trials in this process, one at a time, until the sweep has no more.

        Args:
            observer: Hears of everything that happens.
            deadline: When the time is over, by the machine's monotonic clock.

        Raises:
            Interrupted: A signal asked for it.
        """
        stop = StopRequest()
        hurry(self._storage, lambda: stop.is_set)
        with stop_on_signals(stop), _out_of_time(stop, deadline):
            try:
                run_shielded(lambda: self._run_all(observer, stop, deadline), stop)
            except Interrupted:  # it did not stop in time
                with suppress(StorageError):
                    for entry, trial in self._held_by(os.getpid()):
                        self._record(replace(trial, state="interrupted", ended=now()), entry)
                raise
            except StorageError:
                if stop.reason != "interrupted":
                    raise
        if stop.reason == "interrupted":
            raise Interrupted(stop.signum)

    def _run_all(self, observer: Observer, stop: StopRequest, deadline: float | None) -> None:
        session = self._plan.trainer.open()
        waiting = Waiting(lambda text: observer(Note(text)))
        while (ticket := self._next(stop, deadline, waiting)) is not None:
            try:
                self._run(session, ticket, observer, stop)
            finally:
                ticket.lease.end()

    def _entries(self) -> list[FrozenTrial]:
        return self._storage.get_all_trials(self._study, deepcopy=False)

    def _attempts(self) -> list[tuple[FrozenTrial, Trial]]:
        """Every entry that has a record, with it."""
        return [(entry, trial) for entry in self._entries() if (trial := self._read(entry)) is not None]

    def _read(self, entry: FrozenTrial) -> Trial | None:
        """What an entry records; `None` where it is undecided or withdrawn."""
        record = entry.user_attrs.get(TRIAL_RECORD)
        return Trial.from_record(record, self._plan.output_dir) if record else None

    def _held_by(self, pid: int) -> list[tuple[int, Trial]]:
        """What a process of this host, living or not, has begun and not ended: entries and their trials."""
        return [
            (_id(entry), trial)
            for entry, trial in self._attempts()
            if not entry.state.is_finished() and is_owned_by(entry, pid)
        ]

    def _is_ours(self, trial: Trial) -> bool:
        """Return whether a trial's directory is one of this sweep's that lies in this output directory.

        With a database two machines may call theirs alike, and themselves as well; what 0.1.0 recorded says no more.
        """
        is_here = self._plan.options.storage is None or trial.place == self._place
        if trial.place is None and self._plan.options.storage is not None:
            is_here = trial.host == socket.gethostname()
        return is_here and is_trial_directory(trial.directory, self._plan.output_dir)

    def _next(self, stop: StopRequest, deadline: float | None, waiting: Waiting) -> _Ticket | None:
        """Start the record of the next attempt; `None` where there is none to start."""
        while not stop.is_set and not stop.is_last:
            self._require_place()
            self._settle_abandoned()
            trials = self.trials()
            check_failures(self._recent(trials), self._plan.options.max_failures)
            if is_too_late(trials, deadline):
                return None
            if self._has_more(trials):
                waiting.is_over()
                ticket = self._try_to_claim(stop, waiting)
                if ticket is not None:
                    return ticket
            elif not any(trial.state == "running" for trial in trials):
                return None
            else:  # another worker's, which may have to be tried again
                waiting.goes_on(self._others)
                time.sleep(_PATIENT_PAUSE)
        return None

    def _others(self, place: int | None = None) -> list[str]:
        """Say for whom this worker waits, of the entries before a place; its own pool is on the display already."""
        unfinished = [entry for entry in self._entries()[:place] if not entry.state.is_finished()]
        return [self._described(entry) for entry in unfinished if not is_in(self._pool, entry)]

    def _described(self, entry: FrozenTrial) -> str:
        trial = self._read(entry)
        what = "the next trial" if trial is None else f"trial {trial.number + 1}"
        return f"{what} of {owner_of(entry)}"

    def _recent(self, trials: Sequence[Trial]) -> list[Trial]:
        recent = {trial.id for entry, trial in self._attempts() if entry.number >= self._past}
        return [trial for trial in trials if trial.id in recent]

    def _has_more(self, trials: Sequence[Trial]) -> bool:
        if any(map(_is_interrupted, trials)):
            return True
        return not self._is_spent and len(trials) < self._plan.budget and not self._target_is_reached(trials)

    def _try_to_claim(self, stop: StopRequest, waiting: Waiting) -> _Ticket | None:
        """Claim the next attempt; `None` where there is none, or somebody has taken this worker for gone."""
        try:
            return self._claim(stop, waiting)
        except UpdateFinishedTrialError:
            return None

    def _claim(self, stop: StopRequest, waiting: Waiting) -> _Ticket | None:
        """Make an entry, wait until all before it are decided, and decide it.

        Raises:
            UpdateFinishedTrialError: Somebody else has ended the entry: this worker was not heard of for too long.
        """
        claim = Claim(self._pool)
        try:
            template = create_trial(state=TrialState.RUNNING, user_attrs=claim.attributes)
            entry = self._storage.create_new_trial(self._study, template)
        except BaseException:
            claim.give_up()
            raise
        lease = Lease(self._storage, entry, claim)
        ticket = None
        try:
            self._withdraw(lambda other: _id(other) != entry and claim.has_made(other))  # lost in a retry
            if self._is_turn_of(entry, stop, waiting):
                ticket = self._take(entry, lease)
            if ticket is None:
                self._storage.set_trial_state_values(entry, TrialState.FAIL)
            return ticket
        finally:
            if ticket is None:
                lease.end()

    def _take(self, entry: int, lease: Lease) -> _Ticket | None:
        """Decide an entry whose turn it is; `None` where there is nothing to train."""
        trial = self._decide()
        if trial is None:
            return None
        try:
            self._storage.set_trial_user_attr(entry, TRIAL_RECORD, self._write(trial))
        except UpdateFinishedTrialError:
            shutil.rmtree(trial.directory, ignore_errors=True)  # it was made a moment ago
            raise
        return _Ticket(trial, entry, lease)

    def _is_turn_of(self, entry: int, stop: StopRequest, waiting: Waiting) -> bool:
        """Wait until all entries before this one are decided; return whether that came before a stop."""
        place = self._storage.get_trial_number_from_id(entry)
        while not stop.is_set:
            if not any(map(_is_undecided, self._entries()[:place])):
                waiting.is_over()
                return True
            self._settle_abandoned()
            waiting.goes_on(lambda: self._others(place))
            time.sleep(_PAUSE)
        return False

    def _decide(self) -> Trial | None:
        """An interrupted trial once more, otherwise a new one; `None` where there is neither."""
        trials = self.trials()
        if not self._has_more(trials):
            return None
        again = next(filter(_is_interrupted, trials), None)
        if again is not None:
            number, attempt, parameters = again.number, again.attempt + 1, again.parameters
        else:
            number, attempt = max((trial.number for trial in trials), default=-1) + 1, 1
            parameters = self._propose(trials, number)
        if parameters is None:
            self._is_spent = True
            return None
        return Trial(
            number=number,
            id=f"{self.sweep_id}-{number}" + (f"-{attempt}" if attempt > 1 else ""),
            state="running",
            parameters=parameters,
            directory=make_trial_directory(self._plan.output_dir),
            started=now(),
            attempt=attempt,
            host=socket.gethostname(),
            sweep_id=self.sweep_id,
            place=self._place,
        )

    def _propose(self, trials: Sequence[Trial], number: int) -> dict[str, Any] | None:
        plan = self._plan
        return propose(plan.config, plan.objective.goal, trials, number, plan.options.seed, method=plan.method)

    def _target_is_reached(self, trials: Sequence[Trial]) -> bool:
        metric, best = self._plan.config.metric, choose_best(trials, self._plan.objective)
        if metric is None or metric.target is None or best is None:
            return False
        return not self._plan.objective.is_better(metric.target, best.value)

    def _run(self, session: Session, ticket: _Ticket, observer: Observer, stop: StopRequest) -> None:
        trial, lease = ticket.trial, ticket.lease
        report = TrialReport(
            trial,
            self._plan.objective,
            Tracker(None),
            observer,
            self._judge(ticket),
            is_stopped=lambda: stop.is_set or lease.is_lost,
        )
        try:
            observer(TrialStarted(trial.number, trial.id, trial.parameters, trial.directory))
            report.tracker = self._tracker(trial)
            ended = run_trial(session.run, report)
            if ended.state == "stopped" and (stop.is_set or lease.is_lost):
                ended = replace(ended, state="interrupted", value=None)
        except StorageError:
            self._require_place()
            write_trial(end_trial(report, "interrupted"))  # the storage is told when it answers again
            raise
        except BaseException:
            self._finish(end_trial(report, "interrupted"), ticket.entry, report)
            raise
        observer(TrialEnded(*self._finish(ended, ticket.entry, report)))

    def _judge(self, ticket: _Ticket) -> Callable[[Sequence[float]], bool]:
        def judge(values: Sequence[float]) -> bool:
            try:
                self._storage.set_trial_intermediate_value(ticket.entry, len(values), values[-1])
            except UpdateFinishedTrialError:
                ticket.lease.is_lost = True
                return True
            goal = self._plan.objective.goal
            return self._early is not None and self._early.should_stop(goal, values, self._rivals(ticket.trial.number))

        return judge

    def _rivals(self, number: int) -> list[list[float]]:
        """The evaluations of every trial but one, running ones included."""
        latest = {trial.number: entry for entry, trial in self._attempts() if trial.number != number}
        return [[value for _, value in sorted(entry.intermediate_values.items())] for entry in latest.values()]

    def _tracker(self, trial: Trial) -> Tracker:
        plan = self._plan
        return Tracker.start(
            online=False,
            directory=plan.output_dir,
            project=plan.project,
            entity=plan.config.entity,
            group=plan.application.group,
            job_type="sweep",
            run_id=trial.id,
            name=run_name(plan.config.name, trial.id),
            config=trial.parameters,
            details={"sweep_id": self.sweep_id, "trial": trial.number, "directory": trial.directory.name},
        )

    def _finish(self, ended: Trial, entry: int, report: TrialReport) -> tuple[Trial, Trial | None]:
        """Record what became of a trial, then export it if it is the best; both come back."""
        try:
            best = self._record(ended, entry)
        except UpdateFinishedTrialError:
            ended = replace(ended, state="interrupted", value=None, error=_TAKEN_OVER)
            write_trial(ended)
            best = self._settle()
        report.finish_tracking(ended)
        return ended, best

    def _record(self, ended: Trial, entry: int) -> Trial | None:
        """Write down what became of an attempt; the best trial comes back.

        Raises:
            UpdateFinishedTrialError: Somebody else has ended the entry already, otherwise.
        """
        self._require_place()
        ended = with_kept_checkpoint(ended, self._plan.options.keep_checkpoints, self._plan.output_dir)
        record = self._write(ended)
        try:
            self._storage.set_trial_user_attr(entry, TRIAL_RECORD, record)
            self._end_entry(ended, entry)
        except UpdateFinishedTrialError:
            if self._storage.get_trial(entry).user_attrs.get(TRIAL_RECORD) != record:
                raise
        return self._settle()

    def _end_entry(self, ended: Trial, entry: int) -> None:
        values = None if ended.value is None else [ended.value]
        self._storage.set_trial_state_values(entry, state_of(ended), values)

    def _require_place(self) -> None:
        """See to it that nobody has begun another sweep in the place of this one's directory.

        Raises:
            StorageError: Somebody has.
        """
        found = self.sweep_id
        with suppress(InvalidInputError):  # a damaged one is still this sweep's
            found = read_sweep_id(self._plan.output_dir) or self.sweep_id
        if found != self.sweep_id:
            raise StorageError(
                f"{self._plan.output_dir} now holds sweep {found}, not {self.sweep_id}, so this one ends here; "
                "what was trained is where its directory was moved"
            )

    def _write(self, trial: Trial) -> dict[str, Any]:
        """Write `trial.json`, if its directory is ours; what comes back is what the study has to hold of the trial."""
        record = write_trial(trial) if self._is_ours(trial) else trial.to_record()
        if self._plan.options.storage is None:
            return record
        return record | {"directory": str(trial.directory), "checkpoint": trial.checkpoint and str(trial.checkpoint)}

    def _settle(self) -> Trial | None:
        plan = self._plan
        return export_and_clean_up(
            self.trials,
            plan.objective,
            plan.output_dir,
            self.sweep_id,
            plan.options.keep_checkpoints,
            is_ours=self._is_ours,
        )

    def _handle_worker_exit(self, observer: Observer, exited: WorkerExit, is_over: bool) -> bool:
        """Settle what a worker that is over has left; whether it had a trial, and so is worth starting again.

        The trial is tried once more, by whichever worker comes first; the second time it failed.
        """
        self._withdraw(lambda entry: is_owned_by(entry, exited.pid))
        left = self._held_by(exited.pid)
        for entry, trial in left:
            is_failed = not is_over and any(
                other.number == trial.number and (other.error or "").startswith(_DIED) for _, other in self._attempts()
            )
            with suppress(OSError):  # a full disk may be what it died of
                words = "\n".join([f"worker died: {exited.how}", *exited.last_lines])
                (trial.directory / ERROR_FILE).write_text(words, encoding="utf-8", errors="backslashreplace")
            last = f"; its last words: {exited.last_lines[-1]}" if exited.last_lines else ""
            error = None if is_over else f"{_DIED}{' twice' * is_failed}: {exited.how}{last}"
            state = "failed" if is_failed else "interrupted"
            ended = replace(trial, state=state, ended=now(), error=error)
            with suppress(UpdateFinishedTrialError):  # somebody else took it over
                observer(TrialEnded(ended, self._record(ended, entry)))
        if not left and not is_over and not exited.is_clean:
            observer(Note(f"a worker died before it had a trial: {exited.how}"))
        return bool(left)

    def _settle_abandoned(self) -> None:
        """Settle the entries whose workers are gone: adopt what is complete, have tried again what is not.

        One whose record has an end lacks its last line alone; anybody may write that.
        """
        unfinished = self._unfinished()
        abandoned = set(self._leases.abandoned(unfinished))
        for name, entry in unfinished.items():
            trial = self._read(entry)
            if name in abandoned or (trial is not None and trial.is_over):
                self._settle_entry(name, trial)

    def _unfinished(self) -> dict[int, FrozenTrial]:
        return {_id(entry): entry for entry in self._entries() if not entry.state.is_finished()}

    def _settle_entry(self, entry: int, trial: Trial | None) -> None:
        with suppress(UpdateFinishedTrialError):  # somebody else was faster
            if trial is None:
                self._storage.set_trial_state_values(entry, TrialState.FAIL)
            elif trial.is_over:
                self._end_entry(trial, entry)
            else:
                self._record(self._as_left(trial), entry)

    def _as_left(self, trial: Trial) -> Trial:
        """Return an abandoned trial as its own file has it, if that has its end; otherwise interrupted."""
        if self._is_ours(trial):
            with suppress(InvalidInputError):
                written = read_trial(trial.directory / TRIAL_FILE, self._plan.output_dir)
                if written.id == trial.id and written.is_over:
                    return written
        deaths = 1 + sum(
            other.number == trial.number and (other.error or "").startswith(_LEFT) for _, other in self._attempts()
        )
        if deaths < MOST_DEATHS:
            return replace(trial, state="interrupted", ended=now(), error=_LEFT)
        return replace(trial, state="failed", ended=now(), error=f"{_LEFT}, {deaths} times")

    def _withdraw(self, is_meant: Callable[[FrozenTrial], bool]) -> None:
        """Withdraw undecided entries."""
        for entry in self._entries():
            if _is_undecided(entry) and is_meant(entry):
                with suppress(UpdateFinishedTrialError):  # somebody else was faster
                    self._storage.set_trial_state_values(_id(entry), TrialState.FAIL)


def _repair(plan: Plan, recorded: RecordedSweep) -> list[str]:
    """Repair the record of a sweep and tidy up, if nobody is at work there; what was done comes back.

    Raises:
        InvalidInputError: The record is damaged while others work with it, or the journal is another sweep's.
    """
    presence = Presence(plan.output_dir)
    try:
        if presence.is_alone():
            return [*recorded.restore(), *recover(plan.output_dir, recorded.sweep_id, plan.objective)]
    finally:
        presence.leave()
    problem = journal_problem(plan.output_dir, recorded.sweep_id)
    if problem is not None:
        message = f"{problem}, and others work on this sweep; end them, then --resume repairs it"
        raise InvalidInputError([Problem("output_dir", message)])
    return []


def _work(plan: Plan, sweep_id: str, past: int, deadline: float | None, pool: Pool, observer: Observer) -> None:
    """Work on a sweep that the leader of a worker pool has begun."""
    LocalBackend(plan, sweep_id, past, pool).work_in_pool(observer, deadline)


def _find(storage: BaseStorage, name: str) -> int:
    """Find the study of a sweep that others have begun."""
    try:
        return storage.get_study_id_from_name(name)
    except KeyError:
        raise StorageError(f"the record of sweep {name} is gone; --resume makes it anew from the trials") from None


def _study(storage: BaseStorage, name: str, objective: Objective) -> int:
    """Find the sweep's study; it is made where there is none yet."""
    with suppress(KeyError):
        return storage.get_study_id_from_name(name)
    with suppress(DuplicatedStudyError):  # by somebody who was faster
        return new_study(storage, name, objective.goal)
    return storage.get_study_id_from_name(name)


def _begin_study(plan: Plan, sweep_id: str, record: Mapping[str, Any]) -> None:
    """Make the study of a new sweep in a database, and let others read there what the sweep is.

    Where that fails the output directory, which was claimed a moment ago, is free again.
    """
    name = plan.options.study or sweep_id
    try:
        storage = open_storage(plan.output_dir, plan.options.storage)
        share(storage, new_study(storage, name, plan.objective.goal), record)
    except DuplicatedStudyError:
        unclaim(plan.output_dir, sweep_id)
        message = f"another machine has just begun {name!r}; run the same again to join it"
        raise InvalidInputError([Problem("study", message)]) from None
    except BaseException:
        unclaim(plan.output_dir, sweep_id)
        raise


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


def _is_undecided(entry: FrozenTrial) -> bool:
    return not entry.state.is_finished() and TRIAL_RECORD not in entry.user_attrs


def _id(entry: FrozenTrial) -> int:
    return entry._trial_id  # pyright: ignore[reportPrivateUsage] (what the storage calls it; it has no other name)
