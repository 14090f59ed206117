"""The ledger of a sweep: which trials were started, by which process, and how they ended.

Any number of processes read and write it. They share nothing but the storage of the sweep's study, and each of them may
be killed, suspended or cut off at any instruction. These rules keep trials from being lost or trained twice:

- Decisions are ordered. A worker first makes an entry in the study, its *claim*, and decides what to train only when
  every entry with a lower number is decided. The storage assigns the numbers. So each decision takes all earlier ones
  into account, whichever process made them: the budget is met exactly, and no point of the space is tried twice.
- A claim is *undecided* until it has a record, which says what is trained, or is *withdrawn*: finished without one.
- Nobody waits forever. A worker renews a lease on its entry; an entry whose worker is dead or silent is *abandoned*,
  and settled by the first process that sees it.
- A finished entry never changes; the storage enforces that. If two processes finish the same entry, one of them gets an
  `UpdateFinishedTrialError`. That is how a worker that was taken for dead learns that its trial was taken over.
- `trial.json` is written before the study. So what the study says is on disk; what only the disk says, after a kill in
  between, is added to the study when the sweep is resumed (see `recovery`).
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState, create_trial

from bertnado_sweep.records.best import BestCheckpoint, KeepCheckpoints, export_latest_best, with_kept_checkpoint
from bertnado_sweep.records.files import now
from bertnado_sweep.records.training_states import KEPT, SpentStates, as_recorded, has_own_state, is_without_progress

from .leases import Claim, Lease, Leases, Pool, is_in, is_owned_by
from .storage import STOPPED_EARLY, SUCCESSOR, TRIAL_RECORD, state_of, together

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from bertnado_metrics import Objective
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from bertnado_sweep.plan import RunKind
    from bertnado_sweep.records.trial import Trial

    from .distributions import StudySpace
    from .entries import Entries, Entry
    from .output_directory import OutputDirectory
    from .waiting import Waiting

    Decide = Callable[[Sequence[Trial]], Trial | None]
    """Returns what to train next, given all trials so far; None if nothing is left to train."""

MOST_DEATHS = 5
"""A trial fails once its worker has vanished this many times: the trial may be the cause."""

_VANISHED = "its process ended or stopped responding before the trial ended"

_PAUSE = 0.005
"""Seconds between two checks whether the earlier entries are decided."""


@dataclass(frozen=True)
class Assignment:
    """An attempt of a trial that this process must run, until the lease on its entry ends."""

    trial: Trial
    entry: Entry
    lease: Lease


class Ledger:
    """The ledger of a sweep, as one of its processes reads and writes it."""

    def __init__(
        self,
        storage: BaseStorage,
        entries: Entries,
        directory: OutputDirectory,
        objective: Objective,
        keep_checkpoints: KeepCheckpoints,
        space: StudySpace,
        kind: RunKind,
        pool: Pool | None = None,
    ) -> None:
        """Open a ledger.

        Args:
            storage: The storage of the sweep's studies.
            entries: The entries of the studies.
            directory: The output directory of this process.
            objective: The objective.
            keep_checkpoints: The checkpoints to keep.
            space: The search space of the trials that this process proposes.
            kind: The kind of the trials.
            pool: The worker pool of this process; its leader settles what the process leaves behind.
        """
        self._storage = storage
        self._entries = entries
        self._directory = directory
        self._objective = objective
        self._keep_checkpoints: KeepCheckpoints = keep_checkpoints
        self._space = space
        self._pool = pool
        self._leases = Leases()
        self._ids: dict[tuple[str, int], int] = {}
        self._exports_best = kind.exports_best
        self._checkpoint = BestCheckpoint(objective, directory.path, directory.holds, kind.group_of)
        self._spent_states = SpentStates(directory.path, directory.place)

    # reading

    def trials(self) -> tuple[Trial, ...]:
        """Read all trials, each in its latest attempt, by number."""
        self._entries.refresh()
        return self._entries.trials()

    def count_finished(self) -> int:
        """Return the number of trials that were finished when the trials were last read."""
        return sum(trial.is_counted for trial in self._entries.trials())

    def recent_trials(self) -> list[Trial]:
        """Return the trials that were tried since this run of the sweep began."""
        return self._entries.recent_trials()

    def attempts(self, number: int) -> list[Trial]:
        """Return every attempt of a trial, in the order of the start."""
        return self._entries.attempts(number)

    def attempts_by_process(self) -> list[tuple[str | None, Trial]]:
        """Read every attempt of every trial, in the order of the start, with the name of its process."""
        self._entries.refresh()
        return self._entries.attempts_by_process()

    def evaluations(self, leave_out: int) -> list[list[float]]:
        """Read the evaluations of every trial but one, running ones included."""
        self._entries.refresh()
        return self._entries.evaluations(leave_out)

    def held_by(self, pid: int) -> list[tuple[Entry, Trial]]:
        """Return the unfinished attempts of a process of this host, dead or alive."""
        self._entries.refresh()
        return [
            (entry, entry.trial)
            for entry in self._entries.unfinished()
            if entry.trial is not None and is_owned_by(entry.frozen, pid)
        ]

    def others_at_work(self) -> list[str]:
        """Return who works on which trial, without the pool of this process: the display shows that already."""
        return self._others_of(self._entries.unfinished())

    def _others_of(self, entries: Sequence[Entry]) -> list[str]:
        return [str(entry) for entry in entries if not is_in(self._pool, entry.frozen)]

    # beginning a trial

    def claim(self, decide: Decide, is_stopped: Callable[[], bool], waiting: Waiting) -> Assignment | None:
        """Claim the next attempt: make an entry, wait for its turn, and decide.

        Args:
            decide: Decides what to train. No other process decides at the same time.
            is_stopped: Returns True once the claim must be given up.
            waiting: Is told who this process waits for.

        Returns:
            The attempt. None if nothing is left to train, the claim was given up, another process took this one for
            dead, or the study has ended.
        """
        with self._claimed() as (entry, lease):
            assignment = None
            if self._is_turn_of(entry, is_stopped, waiting):
                assignment = self._assign(entry, lease, decide)
            if assignment is None or assignment.entry.key != entry.key:
                self._withdraw(entry)
            lease.is_kept = assignment is not None
            return assignment

    def close_study(self, begin_next: Callable[[], str], waiting: Waiting) -> None:
        """End the current study, when all that was claimed in it before is decided, and go on in the next one.

        Args:
            begin_next: Begins that study and returns its name. It is not called if another process was faster.
            waiting: Is told who this process waits for.
        """
        with self._claimed() as (entry, _), suppress(UpdateFinishedTrialError):
            if self._is_turn_of(entry, lambda: False, waiting):
                self._storage.set_trial_user_attr(self._id_of(entry), SUCCESSOR, begin_next())
            self._withdraw(entry)
        self._entries.refresh()

    @contextmanager
    def _claimed(self) -> Generator[tuple[Entry, Lease]]:
        """Yield the entry of a new claim and the lease on it, which ends with the block unless it is kept."""
        claim = Claim(self._pool)
        try:
            entry = self._make_entry(claim, self._entries.studies[-1])
            lease = Lease(self._storage, self._id_of(entry), claim)
        except BaseException:
            claim.give_up()
            raise
        try:
            yield entry, lease
        finally:
            if not lease.is_kept:
                lease.end()

    def _make_entry(self, claim: Claim, study: Study, like: FrozenTrial | None = None) -> Entry:
        """Make an undecided entry that says from its first moment on which process it belongs to.

        `Study.ask` would add that afterwards. If the process were killed in between, the others could not find out
        whether the owner of the entry is alive, and would have to wait for the length of a lease.

        Args:
            claim: The claim that it is made for.
            study: The study.
            like: An entry with the parameters for this one.
        """
        known = self._entries.counts[study.study_name]
        template = create_trial(
            state=TrialState.RUNNING,
            user_attrs=claim.attributes,
            params=like and like.params,
            distributions=like and like.distributions,
        )
        study.add_trial(template)
        self._entries.refresh()
        new = self._entries.made_since(study.study_name, known)
        made, *again = [entry for entry in new if claim.has_made(entry.frozen)]
        for entry in again:  # a database whose answer was lost has been asked twice
            self._withdraw(entry)
        return made

    def _is_turn_of(self, entry: Entry, is_stopped: Callable[[], bool], waiting: Waiting) -> bool:
        """Wait until all entries before this one are decided; return True if this one may be decided then.

        It may not if the process was stopped, or if one of the earlier entries has ended the study.

        The decisions of others take milliseconds; if a worker has vanished, the length of a lease. They cannot be
        anticipated: an earlier claim may be withdrawn, or be for the trial that this one would choose.
        """
        while not is_stopped():
            self._entries.refresh()
            earlier = self._entries.unfinished_before(entry)
            if not any(other.is_undecided for other in earlier):
                waiting.is_over()
                return self._entries.studies[-1].study_name == entry.study
            self._settle_abandoned()
            waiting.goes_on(lambda earlier=earlier: self._others_of(earlier))
            time.sleep(_PAUSE)
        return False

    def _assign(self, entry: Entry, lease: Lease, decide: Decide) -> Assignment | None:
        """Decide an entry whose turn it is, and record the decision."""
        trial = decide(self._entries.trials())
        if trial is None:
            return None
        earlier = self._entries.latest_attempt(trial.number)
        try:
            if earlier is not None and earlier.study != entry.study and earlier.frozen.params:
                entry = self._move(lease, earlier)
                self._store(entry, self._directory.write(trial))
            else:
                self._store(entry, self._directory.write(trial), self._space.values_of(trial.parameters))
        except UpdateFinishedTrialError:
            shutil.rmtree(trial.directory, ignore_errors=True)  # it was made a moment ago
            return None
        return Assignment(trial, entry, lease)

    def _move(self, lease: Lease, earlier: Entry) -> Entry:
        """Make an entry in the study of an earlier attempt, and move the lease to it.

        All attempts of a trial are in one study: its parameters need not lie in the search space of a later one.
        """
        entry = self._make_entry(lease.claim, self._study_of(earlier), earlier.frozen)
        lease.entry = self._id_of(entry)
        return entry

    def _study_of(self, entry: Entry) -> Study:
        return next(study for study in self._entries.studies if study.study_name == entry.study)

    # while it runs, and when it ends

    def report(self, assignment: Assignment, step: int, value: float) -> None:
        """Record an evaluation of a running trial, counted from 1; the lease is lost if the trial was taken over."""
        try:
            self._storage.set_trial_intermediate_value(self._id_of(assignment.entry), step, value)
        except UpdateFinishedTrialError:
            assignment.lease.is_lost = True

    def record(self, ended: Trial, entry: Entry) -> Trial | None:
        """Record the end of an attempt, and return the best trial.

        Raises:
            UpdateFinishedTrialError: Another process has already recorded a different end.
            OSError: It cannot be written.
        """
        self._directory.require_own()
        ended = as_recorded(with_kept_checkpoint(ended, self._keep_checkpoints, self._directory.path))
        self._store(entry, self._directory.write(ended), ended=ended)
        return self.export_best()

    def try_again(self, trials: Iterable[Trial]) -> None:
        """Record that trials which have ended are interrupted after all, so that another attempt is made.

        A finished entry never changes. So each gets another entry, of the same attempt and with the same parameters,
        and of two records of one attempt the later one counts.

        Args:
            trials: The trials in their latest attempt, in the state `interrupted`.
        """
        for trial in trials:
            earlier = self._entries.latest_attempt(trial.number)
            if earlier is not None:
                record = self._directory.write(trial)
                self._study_of(earlier).add_trial(_with_record(earlier.frozen, record))
        self._entries.refresh()

    def export_best(self) -> Trial | None:
        """Export the best trial, remove checkpoints and training states that need not be kept, and return it.

        Runs of which none is exported have no best one.
        """
        best, trials = None, self.trials()
        if self._exports_best:
            path, sweep_id = self._directory.path, self._directory.sweep_id
            best, trials = export_latest_best(self.trials, self._objective, path, sweep_id)
        if self._keep_checkpoints == "best":
            self._checkpoint.update(trials)
        self._spent_states.update(trials)
        return best

    def _store(
        self,
        entry: Entry,
        record: Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
        ended: Trial | None = None,
    ) -> None:
        """Write parameters, by label, the record and the end of an attempt, as far as they are given, into an entry.

        The record follows the parameters, so an entry with a record has its parameters too. If the worker is killed
        in between, the entry is still undecided and will be withdrawn. In a journal all of it is a single append.

        Whether it was written is decided by reading the entry afterwards, not by the error of a call: if the answer of
        a database was lost, the repeated call finds the entry finished by the first one; and another process may have
        finished the entry with this very record.

        Raises:
            UpdateFinishedTrialError: Another process has finished the entry with another record.
        """
        key = self._id_of(entry)
        with suppress(UpdateFinishedTrialError), together(self._storage):
            for label, value in (parameters or {}).items():
                distribution = self._space.distributions[label]
                self._storage.set_trial_param(key, label, distribution.to_internal_repr(value), distribution)
            if ended is not None and ended.state == "stopped":
                self._storage.set_trial_user_attr(key, STOPPED_EARLY, True)
            self._storage.set_trial_user_attr(key, TRIAL_RECORD, record)
            if ended is not None:
                self._finish(key, ended)
        self._entries.refresh()
        if self._entries.latest(entry).record != record:
            raise UpdateFinishedTrialError(f"entry {entry.key} was finished by another process")

    def _finish(self, key: int, ended: Trial) -> None:
        """Finish an entry with the state and the value of its attempt.

        `Study.tell` does the same, but reads the entry twice more and reports a lost race like a wrong call.
        """
        values = [ended.value] if ended.is_eligible and ended.value is not None else None
        self._storage.set_trial_state_values(key, state_of(ended), values)

    # what others have left behind

    def settle_abandoned(self) -> None:
        """Finish the entries that their workers have abandoned.

        A claim is withdrawn. A trial ends as its `trial.json` says; otherwise it is interrupted and will be tried
        again. If the record already says how the trial ended, only the entry must be finished; any process may do that.
        """
        self._entries.refresh()
        self._settle_abandoned()

    def _settle_abandoned(self) -> None:
        unfinished = {entry.key: entry for entry in self._entries.unfinished()}
        abandoned = self._leases.abandoned({key: entry.frozen for key, entry in unfinished.items()})
        for key, entry in unfinished.items():
            trial = entry.trial
            if key in abandoned or (trial is not None and trial.is_over):
                with suppress(UpdateFinishedTrialError):  # another process was faster
                    self._settle(entry)

    def _settle(self, entry: Entry) -> None:
        trial = entry.trial
        if trial is None:
            self._withdraw(entry)
        elif trial.is_over:
            self._finish(self._id_of(entry), trial)
        else:
            self.record(self._directory.read_end(trial) or self._interrupted(trial), entry)

    def _interrupted(self, trial: Trial) -> Trial:
        """Return an abandoned trial as interrupted, or as failed if too many workers have vanished with it.

        A worker that has written a training state made progress, and does not count.
        """
        if has_own_state(trial):
            return replace(trial, state="interrupted", ended=now(), error=_VANISHED + KEPT)
        lost = sum(is_without_progress(attempt, _VANISHED) for attempt in self.attempts(trial.number)) + 1
        if lost < MOST_DEATHS:
            return replace(trial, state="interrupted", ended=now(), error=_VANISHED)
        return replace(trial, state="failed", ended=now(), error=f"{_VANISHED}, {lost} times")

    def withdraw_claims_of(self, pid: int) -> None:
        """Withdraw the undecided claims of a process of this host."""
        self._entries.refresh()
        for entry in self._entries.unfinished():
            if entry.is_undecided and is_owned_by(entry.frozen, pid):
                self._withdraw(entry)

    def interrupt_own(self) -> None:
        """Record the unfinished attempts of this process as interrupted."""
        for entry, trial in self.held_by(os.getpid()):
            with suppress(UpdateFinishedTrialError):  # it has ended after all
                self.record(replace(trial, state="interrupted", ended=now()), entry)

    def _withdraw(self, entry: Entry) -> None:
        with suppress(UpdateFinishedTrialError):  # it is finished already
            self._storage.set_trial_state_values(self._id_of(entry), TrialState.FAIL)

    def _id_of(self, entry: Entry) -> int:
        """Return the id of an entry in the storage, which the entry itself does not have under a public name."""
        if entry.key not in self._ids:
            study = self._storage.get_study_id_from_name(entry.study)
            self._ids[entry.key] = self._storage.get_trial_id_from_study_id_trial_number(study, entry.frozen.number)
        return self._ids[entry.key]


def _with_record(earlier: FrozenTrial, record: Mapping[str, Any]) -> FrozenTrial:
    """Return a finished entry without a value that differs from an earlier one in the record of its trial."""
    return create_trial(
        state=TrialState.FAIL,
        params=earlier.params,
        distributions=earlier.distributions,
        user_attrs={**earlier.user_attrs, TRIAL_RECORD: record},
        intermediate_values=earlier.intermediate_values,
    )
