"""The entries of a sweep's studies and the trials that they record, each read once for as long as it stays the same."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bertnado_sweep.records.record_format import NewerRecordError, require_known_format
from bertnado_sweep.records.trial import Trial, read_record
from bertnado_sweep.running.limits import StorageError

from .leases import owner_of, process_of
from .storage import SUCCESSOR, TRIAL_RECORD, load_study

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Entry:
    """An entry of a study as it was last read: an attempt of a trial, or a claim to the next one."""

    study: str
    """The name of the study."""
    frozen: FrozenTrial
    """The entry as Optuna has it."""
    trial: Trial | None
    """The recorded attempt; None for a claim that is undecided or was withdrawn."""

    def __str__(self) -> str:
        what = "the next trial" if self.trial is None else f"trial {self.trial.number + 1}"
        return f"{what} of {owner_of(self.frozen)}"

    @property
    def key(self) -> tuple[str, int]:
        """The study's name and the entry's number, which never change."""
        return self.study, self.frozen.number

    @property
    def record(self) -> Mapping[str, Any] | None:
        """The record of the attempt as the study holds it."""
        return self.frozen.user_attrs.get(TRIAL_RECORD)

    @property
    def is_finished(self) -> bool:
        """True if the entry can no longer change."""
        return self.frozen.state.is_finished()

    @property
    def is_undecided(self) -> bool:
        """True if its worker has not yet decided what to train."""
        return self.trial is None and not self.is_finished

    @cached_property
    def evaluations(self) -> list[float]:
        """The objective at each evaluation so far."""
        return [value for _, value in sorted(self.frozen.intermediate_values.items())]


class StudyEntries:
    """The entries of one study.

    A study only grows, and a finished entry stays as it is. So `refresh` reads only what was not finished the last
    time, and its cost does not depend on how many trials the study holds.
    """

    def __init__(self, study: Study, read: Callable[[FrozenTrial, Entry | None], Entry]) -> None:
        self.study = study
        self._read = read
        self._entries: list[Entry] = []
        self._first_open = 0
        """All entries before this one are finished."""

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, number: int) -> Entry:
        return self._entries[number]

    def since(self, count: int) -> list[Entry]:
        """Return the entries but for the first `count`."""
        return self._entries[count:]

    def refresh(self) -> list[Entry]:
        """Read what has changed, and return it."""
        found = self.study.get_trials(deepcopy=False)
        changed: list[Entry] = []
        for number in range(self._first_open, len(found)):
            known = self._entries[number] if number < len(self._entries) else None
            if known is None or known.frozen is not found[number]:  # Optuna replaces the entries that it changes
                changed.append(self._read(found[number], known))
                self._entries[number : number + 1] = changed[-1:]
        while self._first_open < len(self) and self._entries[self._first_open].is_finished:
            self._first_open += 1
        return changed

    def unfinished(self, before: int | None = None) -> list[Entry]:
        """Return the unfinished entries whose number is below `before`."""
        return [entry for entry in self._entries[self._first_open : before] if not entry.is_finished]


class Entries:
    """The entries of all studies of a sweep, as of the last `refresh`.

    A sweep has a study for each search space that it has had, see `studies`. An entry at the end of one names the next.
    """

    def __init__(self, storage: BaseStorage, name: str, output_dir: Path, past: Mapping[str, int]) -> None:
        """Open a sweep's studies.

        Args:
            storage: The storage.
            name: The name of the first study.
            output_dir: The sweep's.
            past: The number of entries of each study that `recent_trials` leaves out.

        Raises:
            StorageError: There is no study of that name.
        """
        self._storage = storage
        self._output_dir = output_dir
        self.past = past
        """The number of entries of each study that `recent_trials` leaves out."""
        self._latest: dict[int, Entry] = {}
        """The latest attempt of each trial, by the trial's number."""
        self._recent: set[int] = set()
        self._trials: tuple[Trial, ...] | None = None
        self._lock = threading.RLock()  # an interrupted sweep is settled beside the thread that still trains
        self._studies = [self._open(name)]
        self.refresh()

    def _open(self, name: str) -> StudyEntries:
        return StudyEntries(load_study(self._storage, name), lambda frozen, known: self._read(name, frozen, known))

    @property
    def studies(self) -> list[Study]:
        """The sweep's studies; the last one takes the new trials."""
        return [entries.study for entries in self._studies]

    @property
    def counts(self) -> dict[str, int]:
        """How many entries each study has."""
        return {entries.study.study_name: len(entries) for entries in self._studies}

    def set_past(self) -> None:
        """Leave all entries that there are out of `recent_trials`."""
        self.past = self.counts
        self._recent.clear()

    def refresh(self) -> None:
        """Read what has changed since the last call.

        Raises:
            StorageError: A study is missing, or contains something that is not the record of a trial.
        """
        with self._lock:
            for entries in self._studies:  # grows in the loop where a study turns out to have a successor
                for entry in entries.refresh():
                    successor = entry.frozen.user_attrs.get(SUCCESSOR)
                    if successor is not None and successor not in self.counts:
                        self._studies.append(self._open(successor))

    def unfinished(self) -> list[Entry]:
        """Return the unfinished entries of all studies."""
        with self._lock:
            return [entry for entries in self._studies for entry in entries.unfinished()]

    def unfinished_before(self, entry: Entry) -> list[Entry]:
        """Return the unfinished entries that were made before one of the same study."""
        with self._lock:
            return self._of(entry.study).unfinished(before=entry.frozen.number)

    def made_since(self, study: str, count: int) -> list[Entry]:
        """Return a study's entries but for the first `count`."""
        with self._lock:
            return self._of(study).since(count)

    def latest(self, entry: Entry) -> Entry:
        """Return an entry as of the last refresh."""
        with self._lock:
            return self._of(entry.study)[entry.frozen.number]

    def latest_attempt(self, number: int) -> Entry | None:
        """Return the entry of a trial's latest attempt."""
        return self._latest.get(number)

    def attempts(self, number: int) -> list[Trial]:
        """Return every attempt of a trial, in the order of the start."""
        with self._lock:
            entries = [entry for entries in self._studies for entry in entries.since(0)]
        return [entry.trial for entry in entries if entry.trial is not None and entry.trial.number == number]

    def attempts_by_process(self) -> list[tuple[str | None, Trial]]:
        """Return every attempt of every trial, in the order of the start, with the name of its process."""
        with self._lock:
            entries = [entry for entries in self._studies for entry in entries.since(0)]
        return [(process_of(entry.frozen), entry.trial) for entry in entries if entry.trial is not None]

    def trials(self) -> tuple[Trial, ...]:
        """Return all trials, each in its latest attempt, by number."""
        with self._lock:
            if self._trials is None:
                self._trials = tuple(trial for number in sorted(self._latest) if (trial := self._latest[number].trial))
            return self._trials

    def recent_trials(self) -> list[Trial]:
        """Return the trials that have an attempt among the entries after the first `past`."""
        return [trial for trial in self.trials() if trial.number in self._recent]

    def evaluations(self, leave_out: int) -> list[list[float]]:
        """Return the evaluations of every trial but one, running ones included."""
        with self._lock:
            return [entry.evaluations for number, entry in self._latest.items() if number != leave_out]

    def _of(self, study: str) -> StudyEntries:
        return next(entries for entries in self._studies if entries.study.study_name == study)

    def _read(self, study: str, frozen: FrozenTrial, known: Entry | None) -> Entry:
        entry = Entry(study, frozen, self._trial_of(study, frozen, known))
        if entry.trial is not None:
            self._take(entry, entry.trial)
        return entry

    def _trial_of(self, study: str, frozen: FrozenTrial, known: Entry | None) -> Trial | None:
        """Parse the record of an entry, unless it is the one that is known."""
        record = frozen.user_attrs.get(TRIAL_RECORD)
        if record is None:
            return None
        if known is not None and known.record == record:
            return known.trial
        place = f"entry {frozen.number} of study {study!r}"
        try:
            require_known_format(record, place)
            return Trial.from_record(read_record(record), self._output_dir)
        except NewerRecordError as error:
            raise StorageError(str(error)) from None
        except ValueError as error:
            raise StorageError(f"{place} must hold the record of a trial: {error}") from None

    def _take(self, entry: Entry, trial: Trial) -> None:
        known = self._latest.get(trial.number)
        if known is None or known.trial is None or trial.attempt >= known.trial.attempt:
            self._latest[trial.number] = entry
            self._trials = None
        if entry.frozen.number >= self.past.get(entry.study, 0):
            self._recent.add(trial.number)
