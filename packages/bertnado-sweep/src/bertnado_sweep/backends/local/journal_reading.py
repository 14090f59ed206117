"""Reading a journal without Optuna, even if lines of it are damaged.

Optuna's journal is a text file of one JSON object a line, see `optuna.storages.journal.JournalStorage`. A file system
that loses or mixes up writes leaves lines that Optuna cannot read, or that it silently applies to other trials. Here
the records of trials decide: each contains the id of its trial.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, cast

from bertnado_sweep.records.files import require_journal
from bertnado_sweep.records.record_format import require_known_format
from bertnado_sweep.records.trial import read_record

from .storage import SWEEP_RECORD, TRIAL_RECORD

if TYPE_CHECKING:
    from pathlib import Path


class Operation(IntEnum):
    """What a line of a journal does, by the number that it says: Optuna's names and numbers."""

    CREATE_STUDY = 0
    SET_STUDY_USER_ATTR = 2
    SET_STUDY_SYSTEM_ATTR = 3
    CREATE_TRIAL = 4
    SET_TRIAL_PARAM = 5
    SET_TRIAL_STATE_VALUES = 6
    SET_TRIAL_INTERMEDIATE_VALUE = 7
    SET_TRIAL_USER_ATTR = 8
    SET_TRIAL_SYSTEM_ATTR = 9


FINISHED = frozenset({1, 2, 3})
"""The numbers of Optuna's states in which a trial is finished: complete, pruned, failed."""

_STUDY_OPERATIONS = (Operation.SET_STUDY_USER_ATTR, Operation.SET_STUDY_SYSTEM_ATTR)
_TRIAL_OPERATIONS = (
    Operation.SET_TRIAL_PARAM,
    Operation.SET_TRIAL_STATE_VALUES,
    Operation.SET_TRIAL_INTERMEDIATE_VALUE,
    Operation.SET_TRIAL_USER_ATTR,
    Operation.SET_TRIAL_SYSTEM_ATTR,
)
_MANY = 3
"""The number of damages that a message names."""

_OBJECT = b'{"op_code"'
"""The beginning of every line."""


@dataclass(frozen=True)
class Damage:
    """A line that is not as it was written."""

    line: int
    """The number of the line, from 1."""
    what: str

    def __str__(self) -> str:
        return f"line {self.line} {self.what}"


@dataclass
class JournalReading:
    """The content of a journal that concerns one sweep."""

    study: str
    path: Path
    studies: list[str] = field(default_factory=list[str])
    """The names of all studies in the journal."""
    records: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """The latest record of each attempt of a trial, by id."""
    sweeps: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """The record of each sweep, by its id."""
    damages: list[Damage] = field(default_factory=list[Damage])
    _owners: list[int] = field(default_factory=list[int])
    """The index of the study of each entry."""
    _ids: dict[int, str] = field(default_factory=dict[int, str])
    """The id of the attempt that each entry records."""
    _finished: set[int] = field(default_factory=set[int])
    """The finished entries: Optuna ignores later lines about them."""

    @property
    def summary(self) -> str:
        """The first damages in words; a lost line damages those that follow as well."""
        more = f" and {len(self.damages) - _MANY} more" if len(self.damages) > _MANY else ""
        return "; ".join(map(str, self.damages[:_MANY])) + more

    def take_line(self, number: int, line: bytes) -> None:
        """Take over one line, without its line break."""
        if not line.strip(b"\0 \r"):
            self._damaged(number, "contains NUL bytes" if b"\0" in line else "is empty")
            return
        operation = _parse(line)
        if operation is not None:
            self._take(number, operation)
            return
        self._damaged(number, "is not exactly one JSON object")
        for inner in _salvaged(line):
            self._take(number, inner)

    def _damaged(self, line: int, what: str) -> None:
        self.damages.append(Damage(line, what))

    def _take(self, line: int, operation: Mapping[str, Any]) -> None:
        try:
            kind = operation["op_code"]
            if kind == Operation.CREATE_STUDY:
                if operation["study_name"] not in self.studies:
                    self.studies.append(operation["study_name"])
            elif kind in _STUDY_OPERATIONS:
                self._change_study(line, operation)
            elif kind == Operation.CREATE_TRIAL:
                self._begin_entry(line, operation)
            elif kind in _TRIAL_OPERATIONS:
                self._change_entry(line, operation)
        except (KeyError, TypeError, AttributeError) as error:
            self._damaged(line, f"is incomplete ({error})")

    def _change_study(self, line: int, operation: Mapping[str, Any]) -> None:
        study = operation["study_id"]
        if study >= len(self.studies):
            self._damaged(line, "belongs to a study that no line creates")
        elif SWEEP_RECORD in operation.get("user_attr", {}):
            record = operation["user_attr"][SWEEP_RECORD]
            self.sweeps[record["sweep_id"]] = record

    def _begin_entry(self, line: int, operation: Mapping[str, Any]) -> None:
        study = operation["study_id"]
        if study >= len(self.studies):
            self._damaged(line, "creates a trial of a study that no line creates")
            return
        self._owners.append(study)
        entry = len(self._owners) - 1
        record = operation.get("user_attrs", {}).get(TRIAL_RECORD)
        if record is not None:
            self._record(line, entry, record)
        if operation.get("state") in FINISHED:
            self._finished.add(entry)

    def _change_entry(self, line: int, operation: Mapping[str, Any]) -> None:
        entry = operation["trial_id"]
        if entry >= len(self._owners):
            self._damaged(line, "belongs to a trial that no line creates")
        elif entry in self._finished:
            return
        record = operation.get("user_attr", {}).get(TRIAL_RECORD)
        if record is not None:
            self._record(line, entry, record)
        elif operation["op_code"] == Operation.SET_TRIAL_STATE_VALUES:
            self._finish_entry(line, entry, operation["state"])

    def _finish_entry(self, line: int, entry: int, state: int) -> None:
        if state not in FINISHED:
            return
        self._finished.add(entry)
        record = self.records.get(self._ids.get(entry, ""))
        if record is not None and record["state"] == "running":
            self._damaged(line, f"ends trial {record['id']}, whose record of the end is lost")

    def _record(self, line: int, entry: int, record: Mapping[str, Any]) -> None:
        require_known_format(record, f"line {line} of {self.path}")
        try:
            record = read_record(record)
        except ValueError as error:
            self._damaged(line, f"does not contain the record of a trial ({error})")
            return
        name = record["id"]
        if self._ids.setdefault(entry, name) != name:
            self._damaged(line, f"belongs to trial {name} instead of {self._ids[entry]}")
        owner = self.studies[self._owners[entry]] if entry < len(self._owners) else self.study
        is_ours = (record.get("sweep_id") or owner) == self.study  # a sweep may have several studies
        known = self.records.get(name)
        if is_ours and not (known and record["state"] == "running"):
            self.records[name] = record


def read_journal(path: Path, study: str) -> JournalReading:
    """Read a journal; an unfinished last line is ignored, because the next writer removes it.

    Args:
        path: The journal; it need not exist.
        study: The id of the sweep whose records are wanted, which is the name of its first study.

    Raises:
        OSError: The file cannot be read.
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
    """Yield the complete objects in a line that contains other things as well."""
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
