"""The studies of a sweep: one for each search space that it has had.

Within a study Optuna refuses a parameter whose choices, kind or scale have changed. So a sweep that is resumed with
another search space goes on in another study of the same storage. Its trials are those of all its studies: budget, best
trial and proposals take no notice of the boundary.

The old study ends with an entry that names the next one (`SUCCESSOR`). That entry is a claim, decided in its turn like
every other: what was decided before it belongs to the old study, and every later claim finds that the study has ended.
So processes that still work with the old search space end, after they have finished their trials in the old study.

Version 0.1.0 stored no parameters, and a finished entry cannot be changed. Its trials are therefore copied into a new
study in the same way. The originals stay where they are; of two records of one attempt, that of the later study counts.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from optuna.exceptions import DuplicatedStudyError
from optuna.trial import FrozenTrial, create_trial

from bertnado_sweep.records.record_format import FORMAT, format_of

from .distributions import StudySpace
from .leases import owner_of
from .storage import STOPPED_EARLY, SWEEP_RECORD, TRIAL_RECORD, create_study, share, state_of

if TYPE_CHECKING:
    from bertnado_metrics import Objective
    from optuna.storages import BaseStorage
    from optuna.study import Study

    from bertnado_sweep.records.trial import Trial

    from .entries import Entries, Entry

StudyRecord = Mapping[str, Any]
"""An item of `studies` in `sweep.json`: the study's `name`, and the section `parameters` that its trials come from."""


def recorded_studies(record: Mapping[str, Any], study: str) -> Sequence[StudyRecord]:
    """Return the studies that a sweep's record names, the oldest first.

    Args:
        record: The content of `sweep.json`; version 0.1.0 named none.
        study: The name of the first one.
    """
    return record.get("studies") or [{"name": study, "parameters": record["config"]["parameters"]}]


class Studies:
    """The studies of a sweep, for a process whose trials come from one search space."""

    def __init__(
        self,
        storage: BaseStorage,
        entries: Entries,
        space: StudySpace,
        objective: Objective,
        recorded: Sequence[StudyRecord],
    ) -> None:
        """Look at a sweep's studies.

        Args:
            storage: The storage of the studies.
            entries: The entries of the studies.
            space: The search space of this process.
            objective: The objective.
            recorded: The studies as `sweep.json` lists them.
        """
        self._storage = storage
        self._entries = entries
        self._space = space
        self._objective = objective
        self._recorded = {study["name"]: study["parameters"] for study in recorded}
        self._checked: dict[str, bool] = {}

    @property
    def current(self) -> str:
        """The name of the study that takes new trials."""
        return self._entries.studies[-1].study_name

    def is_current(self) -> bool:
        """Return True if the study that takes new trials has the search space of this process."""
        if self.current not in self._checked:
            self._checked[self.current] = self._has_space(self._entries.studies[-1])
        return self._checked[self.current]

    def _has_space(self, study: Study) -> bool:
        if self._originals(study.study_name):
            return False
        section = self._section_of(study)
        if section is None:
            return True
        space = StudySpace.of_section(section)
        return space is not None and space.is_same(self._space)

    def _section_of(self, study: Study) -> Mapping[str, Any] | None:
        """Return the search space of a study, as the study itself has it, otherwise as `sweep.json` has it."""
        shared: Mapping[str, Any] = study.user_attrs.get(SWEEP_RECORD, {})
        named = {found["name"]: found["parameters"] for found in shared.get("studies", [])}
        return named.get(study.study_name, self._recorded.get(study.study_name))

    def _originals(self, study: str) -> list[Entry]:
        """Return the entries of a study that version 0.1.0 has recorded, without parameters."""
        return [entry for entry in self._entries.made_since(study, 0) if _is_original(entry)]

    def older_workers(self) -> list[str]:
        """Return the processes of version 0.1.0 that have unfinished trials."""
        busy = [entry for entry in self._entries.unfinished() if _is_original(entry)]
        return sorted({owner_of(entry.frozen) for entry in busy})

    def begin_next(self, record: Mapping[str, Any]) -> str:
        """Begin the study that follows the current one, and return its name.

        Args:
            record: The content of `sweep.json`.
        """
        first, copied = self._entries.studies[0].study_name, self._copied()
        study = self._begin(first)
        name = study.study_name
        share(study, {**record, "studies": [*self.to_record(), {"name": name, "parameters": self._space.section}]})
        for entry in copied:
            trial = entry.trial
            if trial is not None and trial.is_over and self._space.values_of(trial.parameters):
                record = {**(entry.record or {}), "format": FORMAT}
                study.add_trial(finished_entry(trial, record, self._objective.name, self._space))
        return name

    def _copied(self) -> list[Entry]:
        """Return the entries of the current study, if version 0.1.0 has made some of them."""
        return self._entries.made_since(self.current, 0) if self._originals(self.current) else []

    def _begin(self, first: str) -> Study:
        for number in count(len(self._entries.studies) + 1):
            try:
                return create_study(self._storage, f"{first}-{number}", self._objective.goal)
            except DuplicatedStudyError:  # a person's own, or left behind by a killed process
                continue
        raise AssertionError

    def to_record(self) -> list[StudyRecord]:
        """Return the content of `studies` in `sweep.json`."""
        sections = {study.study_name: self._section_of(study) for study in self._entries.studies}
        return [{"name": name, "parameters": section or self._space.section} for name, section in sections.items()]


def _is_original(entry: Entry) -> bool:
    return entry.record is not None and format_of(entry.record) == 0


def finished_entry(trial: Trial, record: Mapping[str, Any], metric: str, space: StudySpace | None) -> FrozenTrial:
    """Return an entry for an attempt that has ended, with its evaluations.

    Args:
        trial: The attempt.
        record: The content of its `trial.json`.
        metric: The objective's name.
        space: The search space of the study; the parameters are left out where they do not lie in it.
    """
    values = {} if space is None else space.values_of(trial.parameters)
    evaluations = [_number(row.get(metric)) for row in trial.history]
    entry = create_trial(
        state=state_of(trial),
        value=trial.value if trial.is_eligible else None,
        params=values,
        distributions=dict(space.distributions) if space is not None and values else {},
        user_attrs={TRIAL_RECORD: dict(record)} | ({STOPPED_EARLY: True} if trial.state == "stopped" else {}),
        intermediate_values=dict(enumerate(evaluations, start=1)),
    )
    entry.datetime_start = _moment(trial.started) or entry.datetime_start
    entry.datetime_complete = _moment(trial.ended) or entry.datetime_start
    return entry


def _number(value: object) -> float:
    """Return a value of a history as Optuna takes it: NaN if it is not a number."""
    is_one = isinstance(value, float) or (isinstance(value, int) and abs(value) < sys.float_info.max)
    return float(value) if is_one else math.nan  # pyright: ignore[reportArgumentType]


def _moment(text: str | None) -> datetime | None:
    """Return a time as Optuna has it: local and without a zone."""
    try:
        return datetime.fromisoformat(text or "").astimezone().replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
