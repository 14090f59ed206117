"""What a journal says, read without Optuna, also where lines of it are damaged.

Optuna's journal is a text file of one JSON object a line, see `optuna.storages.journal.JournalStorage`. A file system
that loses or mixes up writes leaves lines that Optuna does not read, or silently applies to other trials. The records
of trials in them speak for themselves: each holds its id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from optuna.storages.journal._storage import JournalOperation  # private: nothing public names the operations
from optuna.trial import TrialState

from bertnado_sweep.records.files import require_journal
from bertnado_sweep.records.record_format import require_known_format
from bertnado_sweep.records.trial import read_record

from .storage import SWEEP_RECORD, TRIAL_RECORD

if TYPE_CHECKING:
    from pathlib import Path

_STUDY_OPERATIONS = (JournalOperation.SET_STUDY_USER_ATTR, JournalOperation.SET_STUDY_SYSTEM_ATTR)
_TRIAL_OPERATIONS = (
    JournalOperation.SET_TRIAL_PARAM,
    JournalOperation.SET_TRIAL_STATE_VALUES,
    JournalOperation.SET_TRIAL_INTERMEDIATE_VALUE,
    JournalOperation.SET_TRIAL_USER_ATTR,
    JournalOperation.SET_TRIAL_SYSTEM_ATTR,
)
_MANY = 3
"""So many damages are named."""

_OBJECT = b'{"op_code"'
"""How every line begins."""


@dataclass(frozen=True)
class Damage:
    """A line that is not what was written."""

    line: int
    """From 1."""
    what: str

    def __str__(self) -> str:
        return f"line {self.line} {self.what}"


@dataclass
class JournalReading:
    """What a journal says of one study."""

    study: str
    path: Path
    studies: list[str] = field(default_factory=list[str])
    """The names of all that are in it."""
    records: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """What is recorded of each attempt of a trial, the latest of it, by id."""
    sweeps: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """The record of each sweep, by its id."""
    damages: list[Damage] = field(default_factory=list[Damage])
    _owners: list[int] = field(default_factory=list[int])
    """The study of each entry."""
    _ids: dict[int, str] = field(default_factory=dict[int, str])
    """The id of the attempt that an entry records."""
    _finished: set[int] = field(default_factory=set[int])
    """The entries that are finished: what follows on them, Optuna ignores."""

    @property
    def summary(self) -> str:
        """The first damages in words: what follows a lost line is damaged as well."""
        more = f" and {len(self.damages) - _MANY} more" if len(self.damages) > _MANY else ""
        return "; ".join(map(str, self.damages[:_MANY])) + more

    def take_line(self, number: int, line: bytes) -> None:
        """Take one line over, its line break left out."""
        if not line.strip(b"\0 \r"):
            self._damaged(number, "holds NUL bytes" if b"\0" in line else "is empty")
            return
        operation = _parse(line)
        if operation is not None:
            self._take(number, operation)
            return
        self._damaged(number, "is no JSON object, or more than one")
        for inner in _salvaged(line):
            self._take(number, inner)

    def _damaged(self, line: int, what: str) -> None:
        self.damages.append(Damage(line, what))

    def _take(self, line: int, operation: Mapping[str, Any]) -> None:
        try:
            kind = operation["op_code"]
            if kind == JournalOperation.CREATE_STUDY:
                if operation["study_name"] not in self.studies:
                    self.studies.append(operation["study_name"])
            elif kind in _STUDY_OPERATIONS:
                self._change_study(line, operation)
            elif kind == JournalOperation.CREATE_TRIAL:
                self._begin_entry(line, operation)
            elif kind in _TRIAL_OPERATIONS:
                self._change_entry(line, operation)
        except (KeyError, TypeError, AttributeError) as error:
            self._damaged(line, f"lacks what it should hold ({error})")

    def _change_study(self, line: int, operation: Mapping[str, Any]) -> None:
        study = operation["study_id"]
        if study >= len(self.studies):
            self._damaged(line, "is of a study that no line begins")
        elif SWEEP_RECORD in operation.get("user_attr", {}):
            record = operation["user_attr"][SWEEP_RECORD]
            self.sweeps[record["sweep_id"]] = record

    def _begin_entry(self, line: int, operation: Mapping[str, Any]) -> None:
        study = operation["study_id"]
        if study >= len(self.studies):
            self._damaged(line, "begins a trial of a study that no line begins")
            return
        self._owners.append(study)
        entry = len(self._owners) - 1
        record = operation.get("user_attrs", {}).get(TRIAL_RECORD)
        if record is not None:
            self._record(line, entry, record)
        if TrialState(operation.get("state", TrialState.RUNNING)).is_finished():
            self._finished.add(entry)

    def _change_entry(self, line: int, operation: Mapping[str, Any]) -> None:
        entry = operation["trial_id"]
        if entry >= len(self._owners):
            self._damaged(line, "is of a trial that no line begins")
        elif entry in self._finished:
            return
        record = operation.get("user_attr", {}).get(TRIAL_RECORD)
        if record is not None:
            self._record(line, entry, record)
        elif operation["op_code"] == JournalOperation.SET_TRIAL_STATE_VALUES:
            self._finish_entry(line, entry, TrialState(operation["state"]))

    def _finish_entry(self, line: int, entry: int, state: TrialState) -> None:
        if not state.is_finished():
            return
        self._finished.add(entry)
        record = self.records.get(self._ids.get(entry, ""))
        if record is not None and record["state"] == "running":
            self._damaged(line, f"ends trial {record['id']}, and the line with its end is lost")

    def _record(self, line: int, entry: int, record: Mapping[str, Any]) -> None:
        require_known_format(record, f"line {line} of {self.path}")
        try:
            record = read_record(record)
        except ValueError as error:
            self._damaged(line, f"holds no record of a trial ({error})")
            return
        name = record["id"]
        if self._ids.setdefault(entry, name) != name:
            self._damaged(line, f"is of trial {name}, in the place of {self._ids[entry]}")
        owner = self.studies[self._owners[entry]] if entry < len(self._owners) else self.study
        is_ours = (record.get("sweep_id") or owner) == self.study  # a sweep may have several studies
        known = self.records.get(name)
        if is_ours and not (known and record["state"] == "running"):
            self.records[name] = record


def read_journal(path: Path, study: str) -> JournalReading:
    """Read the records of a study's trials; a last line without its end is left out, as whoever writes next does.

    Raises:
        OSError: The file cannot be read; it need not exist.
        NewerRecordError: A newer version has written to it.
        InvalidInputError: It is not a regular file.
    """
    reading = JournalReading(study, path)
    require_journal(path)
    if path.exists():
        for number, line in enumerate(_lines(path), start=1):
            reading.take_line(number, line)
    return reading


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


def _parse(line: bytes) -> Mapping[str, Any] | None:
    try:
        operation: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_one = isinstance(operation, dict) and isinstance(cast("dict[str, Any]", operation).get("op_code"), int)
    return cast("dict[str, Any]", operation) if is_one else None


def _salvaged(line: bytes) -> Iterator[Mapping[str, Any]]:
    """Yield the whole objects in a line that also holds other things."""
    text, decoder = line.decode("utf-8", "replace"), json.JSONDecoder()
    begin = text.find(_OBJECT.decode())
    while begin >= 0:
        try:
            operation, end = decoder.raw_decode(text, begin)
        except (ValueError, RecursionError):
            end = begin + 1
        else:
            yield operation
        begin = text.find(_OBJECT.decode(), end)
