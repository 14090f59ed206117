"""The ledger of a sweep: who trains what, and what became of it, agreed upon by any number of processes.

The processes share nothing but the storage of the sweep's study, and each of them may be killed, suspended or cut off
at any instruction. The rules that keep trials from being lost, or trained twice:

- A worker first makes an entry in the study, its *claim*, and only then decides what to train. The storage numbers the
  entries, and a claim is decided when all entries with lower numbers are. So decisions are made one after the other,
  whichever process makes them, and each sees all that were made before: the budget is met exactly and no point of the
  space is tried twice.
- An entry is *undecided* until it has a record, which says what is trained, or is *withdrawn*: finished without one.
- Whoever works on an entry renews a lease on it. An entry whose worker is dead, or not heard of for the length of the
  lease, is *abandoned*, and settled by whoever sees it first, so that nobody waits for it for ever.
- A finished entry cannot be changed, the storage sees to that. So of two processes that end the same entry one gets an
  `UpdateFinishedTrialError`: a worker that was taken for dead learns in this way that its trial was given to another.
- Each trial has a `trial.json` in its own directory as well. It is written before the study is told, so what the study
  knows is on disk; what only the disk knows is repaired when the sweep is resumed (see `recovery`).
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState, create_trial

from bertnado_sweep.records.best import BestCheckpoint, KeepCheckpoints, export_latest_best, with_kept_checkpoint
from bertnado_sweep.records.files import now

from .assignments import Assignment
from .leases import Claim, Lease, Leases, Pool, is_in, is_owned_by, owner_of
from .storage import STOPPED_EARLY, SUCCESSOR, TRIAL_RECORD, state_of, together

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from bertnado_metrics import Objective
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from bertnado_sweep.records.trial import Trial

    from .distributions import StudySpace
    from .entries import Entries, Entry
    from .output_directory import OutputDirectory
    from .waiting import Waiting

    Decide = Callable[[Sequence[Trial]], Trial | None]
    """Decides what to train next, given all trials so far; `None` if nothing is left to train."""

MOST_DEATHS = 5
"""A trial whose worker has vanished so many times has failed: it may be what takes the workers down."""

_VANISHED = "its process ended or stopped responding before the trial ended"

_PAUSE = 0.005
"""Seconds between two looks at whether the earlier entries are decided."""


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
        pool: Pool | None = None,
    ) -> None:
        """Open a ledger.

        Args:
            storage: Where the sweep's studies are.
            entries: Their entries.
            directory: Where this process keeps its trials.
            objective: What trials are compared by.
            keep_checkpoints: Whose checkpoints stay on disk.
            space: The search space of the trials that this process proposes.
            pool: The worker pool of this process, whose leader settles what the process leaves behind.
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
        self._checkpoint = BestCheckpoint(objective, directory.path, directory.holds)

    # what is recorded

    def trials(self) -> tuple[Trial, ...]:
        """Read all trials, each in its latest attempt, by number."""
        self._entries.refresh()
        return self._entries.trials()

    def recent_trials(self) -> list[Trial]:
        """Return the trials that were tried since this run of the sweep began."""
        return self._entries.recent_trials()

    def attempts(self, number: int) -> list[Trial]:
        """Return every attempt of a trial, in the order of the start."""
        return self._entries.attempts(number)

    def evaluations(self, leave_out: int) -> list[list[float]]:
        """Read the evaluations of every trial but one, running ones included."""
        self._entries.refresh()
        return self._entries.evaluations(leave_out)

    def held_by(self, pid: int) -> list[tuple[Entry, Trial]]:
        """Return what a process of this host, living or dead, has begun and not ended."""
        self._entries.refresh()
        return [
            (entry, entry.trial)
            for entry in self._entries.unfinished()
            if entry.trial is not None and is_owned_by(entry.frozen, pid)
        ]

    def others_at_work(self) -> list[str]:
        """Say who works on which trial, this process's own pool left out: that is on the display already."""
        return self._described(self._entries.unfinished())

    def _described(self, entries: Sequence[Entry]) -> list[str]:
        others = [entry for entry in entries if not is_in(self._pool, entry.frozen)]
        return [
            f"{'the next trial' if entry.trial is None else f'trial {entry.trial.number + 1}'} of "
            f"{owner_of(entry.frozen)}"
            for entry in others
        ]

    # beginning a trial

    def claim(self, decide: Decide, is_stopped: Callable[[], bool], waiting: Waiting) -> Assignment | None:
        """Claim the next attempt: make an entry, wait for its turn, and decide.

        Args:
            decide: Decides what to train. It is called while nobody else decides.
            is_stopped: Asked again and again whether to give up.
            waiting: Told who is waited for.

        Returns:
            The attempt; `None` if nothing is left, or the claim was given up, or lost to a process that took this one
            for dead, or the sweep goes on in another study.
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
            waiting: Told who is waited for.
        """
        with self._claimed() as (entry, _), suppress(UpdateFinishedTrialError):
            if self._is_turn_of(entry, lambda: False, waiting):
                self._storage.set_trial_user_attr(self._id_of(entry), SUCCESSOR, begin_next())
            self._withdraw(entry)
        self._entries.refresh()

    @contextmanager
    def _claimed(self) -> Generator[tuple[Entry, Lease]]:
        """Hand out a new claim's entry and the lease on it, which ends with the block unless it is kept."""
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
        """Make an undecided entry, which says from its first moment on whose it is.

        `Study.ask` would make one without those attributes: a process killed before it adds them would leave an entry
        of which nobody can tell whether its maker lives.

        Args:
            claim: Whose it is.
            study: Where it is made.
            like: An entry whose parameters it takes over.
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
        """Wait until all entries before this one are decided; return whether this one may be decided then.

        It may not after a stop, or if one of those entries has ended the study.

        An earlier claim must be waited for even if it turns out to be withdrawn: what its worker decides is not known
        before it is recorded. That takes milliseconds, or, if the worker is gone, the length of a lease.
        """
        while not is_stopped():
            self._entries.refresh()
            earlier = self._entries.unfinished_before(entry)
            if not any(other.is_undecided for other in earlier):
                waiting.is_over()
                return self._entries.studies[-1].study_name == entry.study
            self._settle_abandoned()
            waiting.goes_on(lambda earlier=earlier: self._described(earlier))
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
            shutil.rmtree(trial.directory, ignore_errors=True)  # made a moment ago, and of no trial
            return None
        return Assignment(trial, entry, lease)

    def _move(self, lease: Lease, earlier: Entry) -> Entry:
        """Make an entry beside that of an earlier attempt, and renew the lease on that one from now on.

        All attempts of a trial are in one study: its parameters need not lie in the search space of a later one.
        """
        study = next(study for study in self._entries.studies if study.study_name == earlier.study)
        entry = self._make_entry(lease.claim, study, earlier.frozen)
        lease.entry = self._id_of(entry)
        return entry

    # while it runs, and when it ends

    def report(self, assignment: Assignment, step: int, value: float) -> None:
        """Record the n-th evaluation of a running trial; if the trial was taken over, its lease is lost."""
        try:
            self._storage.set_trial_intermediate_value(self._id_of(assignment.entry), step, value)
        except UpdateFinishedTrialError:
            assignment.lease.is_lost = True

    def record(self, ended: Trial, entry: Entry) -> Trial | None:
        """Record the end of an attempt, and return the best trial.

        Raises:
            UpdateFinishedTrialError: Somebody else has ended it already, in another way.
            OSError: It cannot be written.
        """
        self._directory.require_own()
        ended = with_kept_checkpoint(ended, self._keep_checkpoints, self._directory.path)
        self._store(entry, self._directory.write(ended), ended=ended)
        return self.export_best()

    def export_best(self) -> Trial | None:
        """Export the best trial, if it is not exported yet, and remove the checkpoints that need not be kept."""
        path, sweep_id = self._directory.path, self._directory.sweep_id
        best = export_latest_best(self.trials, self._objective, path, sweep_id)
        if self._keep_checkpoints == "best":
            self._checkpoint.update(self._entries.trials())
        return best

    def _store(
        self,
        entry: Entry,
        record: Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
        ended: Trial | None = None,
    ) -> None:
        """Write into an entry what is given: parameters by label, the record, and the end of the attempt.

        The record comes after the parameters: an entry that has a record has them as well, and one whose worker is
        killed before that is undecided, and will be withdrawn. In a journal all of it is one append.

        Afterwards the entry is read. An error alone would say too little: of a call whose answer was lost, the second
        try meets an entry that the first has finished; and a third process may have finished it with this very record.

        Raises:
            UpdateFinishedTrialError: The entry was finished by somebody else, with another record.
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
        """Finish an entry as the attempt that it records has ended.

        `Study.tell` does the same for twice the reads, and answers a lost race with the `ValueError` of a wrong call.
        """
        values = [ended.value] if ended.is_eligible and ended.value is not None else None
        self._storage.set_trial_state_values(key, state_of(ended), values)

    # what others have left

    def settle_abandoned(self) -> None:
        """Settle the entries whose workers are gone.

        A claim is withdrawn. A trial ends as its own `trial.json` says, and is interrupted otherwise, so that it is
        tried again. Of a trial whose record has its end only the entry is left to finish; anybody may do that.
        """
        self._entries.refresh()
        self._settle_abandoned()

    def _settle_abandoned(self) -> None:
        unfinished = {entry.key: entry for entry in self._entries.unfinished()}
        abandoned = self._leases.abandoned({key: entry.frozen for key, entry in unfinished.items()})
        for key, entry in unfinished.items():
            trial = entry.trial
            if key in abandoned or (trial is not None and trial.is_over):
                with suppress(UpdateFinishedTrialError):  # somebody else was faster
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
        """Return an abandoned trial as interrupted, or as failed if it has taken too many workers with it."""
        lost = sum((attempt.error or "").startswith(_VANISHED) for attempt in self.attempts(trial.number)) + 1
        if lost < MOST_DEATHS:
            return replace(trial, state="interrupted", ended=now(), error=_VANISHED)
        return replace(trial, state="failed", ended=now(), error=f"{_VANISHED}, {lost} times")

    def withdraw_claims_of(self, pid: int) -> None:
        """Withdraw the claims that a process of this host has left undecided."""
        self._entries.refresh()
        for entry in self._entries.unfinished():
            if entry.is_undecided and is_owned_by(entry.frozen, pid):
                self._withdraw(entry)

    def interrupt_own(self) -> None:
        """Record as interrupted what this process has begun and not ended."""
        for entry, trial in self.held_by(os.getpid()):
            with suppress(UpdateFinishedTrialError):  # it came to its end after all
                self.record(replace(trial, state="interrupted", ended=now()), entry)

    def _withdraw(self, entry: Entry) -> None:
        with suppress(UpdateFinishedTrialError):  # it is withdrawn already
            self._storage.set_trial_state_values(self._id_of(entry), TrialState.FAIL)

    def _id_of(self, entry: Entry) -> int:
        """Return the storage's id of an entry; in Optuna's own object it has no public name."""
        if entry.key not in self._ids:
            study = self._storage.get_study_id_from_name(entry.study)
            self._ids[entry.key] = self._storage.get_trial_id_from_study_id_trial_number(study, entry.frozen.number)
        return self._ids[entry.key]
