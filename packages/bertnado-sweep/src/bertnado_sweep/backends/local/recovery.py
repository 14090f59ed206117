"""Repairing the record of a sweep before it is resumed, and removing what a killed process has left behind.

A sweep is recorded twice, in the journal and in a `trial.json` for each trial, and each record repairs the other. This
is safe only for a process that is alone in the output directory, see `presence`.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import uuid4

import optuna
from bertnado_config import ArgumentProblem, InvalidInputError, Problem
from optuna.trial import TrialState, create_trial

from bertnado_sweep.records.best import BEST_CONFIG_FILE, BEST_DETAILS_FILE
from bertnado_sweep.records.files import (
    JOURNAL_FILE,
    SWEEP_FILE,
    TRIAL_FILE,
    free_name_aside,
    is_trial_directory,
    now,
    read_trial,
    set_aside,
    trial_directories,
    write_trial,
)
from bertnado_sweep.records.training_states import STATE_FILE
from bertnado_sweep.records.trial import Trial
from bertnado_sweep.records.trial_files import TrialFiles, merge, read_trial_files
from bertnado_sweep.running.offline_runs import offline_runs

from .distributions import StudySpace
from .journal import open_journal, open_journal_file
from .journal_reading import JournalReading, read_journal
from .storage import SUCCESSOR, create_study, find_study, share
from .studies import StudyRecord, finished_entry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from bertnado_metrics import Objective
    from optuna.storages import BaseStorage
    from optuna.study import Study

_HEX = "[0-9a-f]{32}"
_SCRATCH = re.compile(
    rf"\.({'|'.join(map(re.escape, (SWEEP_FILE, JOURNAL_FILE, BEST_CONFIG_FILE, BEST_DETAILS_FILE)))})\.{_HEX}\.tmp"
    rf"|\.\.{re.escape(SWEEP_FILE)}\.{_HEX}\.tmp\.{_HEX}\.tmp"
)
"""The names of the temporary files in an output directory."""
_TRIAL_SCRATCH = re.compile(rf"\.({re.escape(TRIAL_FILE)}|{STATE_FILE})\.{_HEX}\.tmp")
"""The names of the temporary files in the directory of a trial."""


@dataclass(frozen=True)
class _Sweep:
    """The sweep that is repaired."""

    output_dir: Path
    sweep_id: str
    objective: Objective
    spaces: Mapping[str, StudySpace | None]
    """The search space of each study, the oldest first; None if this version cannot read it."""

    @property
    def journal(self) -> Path:
        return self.output_dir / JOURNAL_FILE


def recover(output_dir: Path, sweep_id: str, objective: Objective, studies: Sequence[StudyRecord]) -> list[str]:
    """Bring the journal and the `trial.json` files of a sweep into agreement, and remove what a kill has left behind.

    Finished trials are never removed, nor any file that this sweep did not provably create.

    Args:
        output_dir: The sweep's; no other process works there, or can start to.
        sweep_id: The sweep's.
        objective: The objective.
        studies: The studies of the sweep, the oldest first, as `sweep.json` lists them.

    Returns:
        What was repaired, in sentences for a person.

    Raises:
        InvalidInputError: The journal belongs to another sweep.
        NewerRecordError: A newer version has written a part of it.
        OSError: A file cannot be written.
    """
    spaces = {study["name"]: StudySpace.of_section(study["parameters"]) for study in studies}
    sweep, looked = _Sweep(output_dir, sweep_id, objective, spaces), _moment(output_dir)
    tidy(output_dir, sweep_id)
    reading, files = read_journal(sweep.journal, sweep_id), read_trial_files(output_dir, sweep_id)
    if reading.studies and sweep_id not in reading.studies and not reading.damages:
        raise InvalidInputError([_foreign_journal(sweep, reading)])
    known = [Trial.from_record(record, output_dir) for record in reading.records.values()]
    notes = [*_set_damaged_aside(files, {trial.directory for trial in known})]
    if reading.damages or not _can_be_opened(output_dir):
        known = _as_left(merge(known, files.trials, prefers_files=True))
        _write_missing(known, files)
        notes += _rebuild(sweep, reading, known)
    else:
        known_ids, places = {trial.id for trial in known}, {trial.directory for trial in known}
        unknown = (trial for trial in files.trials if trial.id not in known_ids and trial.directory not in places)
        lost = _as_left(merge((), unknown))
        known += lost
        _write_missing(known, files)
        notes += _adopt(sweep, lost)
    _remove_unbegun(known, output_dir, sweep_id, looked)
    _remove_unbegun_runs(known, output_dir, sweep_id, looked)
    return notes


def journal_problem(output_dir: Path, sweep_id: str) -> str | None:
    """Return what is wrong with the journal of a sweep, with its path; None if nothing is.

    The journal must contain every finished trial: it does from the trial's start on, whichever process runs it.
    """
    path = output_dir / JOURNAL_FILE
    if not path.exists():
        return f"{path} is missing"
    files = read_trial_files(output_dir, sweep_id)  # before the journal: the others go on finishing trials
    reading = read_journal(path, sweep_id)
    if reading.damages:
        return f"{path} {reading.summary}"
    lost = [trial for trial in files.trials if trial.is_counted and trial.id not in reading.records]
    if lost or sweep_id not in reading.studies:
        return f"{path} lacks {len(lost)} finished trials"
    return None


def _foreign_journal(sweep: _Sweep, reading: JournalReading) -> Problem:
    others = ", ".join(reading.studies)
    message = (
        f"{sweep.output_dir / SWEEP_FILE} belongs to sweep {sweep.sweep_id}, but {JOURNAL_FILE} beside it to {others}; "
        f"restore the {SWEEP_FILE} that belongs to the journal"
    )
    return ArgumentProblem("output_dir", message)


def _can_be_opened(output_dir: Path) -> bool:
    """Return True if Optuna can read the journal; create it if it is missing."""
    try:
        optuna.get_all_study_names(open_journal(output_dir))
    except OSError:
        raise
    except Exception:  # noqa: BLE001 (Optuna may raise anything at lines that it did not write)
        return False
    return True


def _set_damaged_aside(files: TrialFiles, known: Collection[Path]) -> Iterator[str]:
    """Rename each damaged `trial.json` that the journal can replace; any other may be a person's own file."""
    for path, why in files.damaged.items():
        if path.parent in known:
            yield f"{path} was damaged ({why}) and was rewritten; the damaged file is {set_aside(path).name}"
        else:
            yield f"{path} is not the record of a trial ({why}) and was left as it is"


def _as_left(attempts: Iterable[Trial]) -> list[Trial]:
    """Return the attempts in the order of their start; those without an end as interrupted."""
    return [
        trial if trial.is_over else replace(trial, state="interrupted", ended=now())
        for trial in sorted(attempts, key=lambda trial: (trial.started, trial.number, trial.attempt))
    ]


def _rebuild(sweep: _Sweep, reading: JournalReading, attempts: Sequence[Trial]) -> list[str]:
    """Rewrite the journal from everything that is known, and keep the damaged one under another name.

    The damaged file is copied and then replaced in one step: a kill at any moment leaves one of the two in place.
    """
    scratch = sweep.journal.with_name(f".{JOURNAL_FILE}.{uuid4().hex}.tmp")
    try:
        storage = open_journal_file(scratch)
        studies = _add(storage, sweep, attempts)
        if sweep.sweep_id in reading.sweeps:
            share(studies[0], reading.sweeps[sweep.sweep_id])
        aside = free_name_aside(sweep.journal)
        shutil.copy2(sweep.journal, aside)
        scratch.replace(sweep.journal)
    finally:
        scratch.unlink(missing_ok=True)
    where = reading.summary or "Optuna cannot read it"
    done = sum(trial.is_counted for trial in attempts)
    note = (
        f"{sweep.journal} was damaged ({where}) and was rewritten with {done} finished trials; "
        f"the damaged file is {aside.name}"
    )
    return [note]


def _adopt(sweep: _Sweep, lost: Sequence[Trial]) -> list[str]:
    """Add the attempts that the journal lacks."""
    if not lost:
        return []
    _add(open_journal(sweep.output_dir), sweep, lost)
    done = sum(trial.is_counted for trial in lost)
    return [f"{sweep.journal} lacked {len(lost)} trials, {done} of them finished; they were added from {TRIAL_FILE}"]


def _add(storage: BaseStorage, sweep: _Sweep, attempts: Iterable[Trial]) -> list[Study]:
    """Add an entry for each attempt to the latest study whose search space contains it, otherwise to the first.

    Returns:
        All studies of the sweep; those that were missing are created.
    """
    spaces = list(sweep.spaces.values())
    studies = [find_study(storage, name) or create_study(storage, name, sweep.objective.goal) for name in sweep.spaces]
    for trial in attempts:
        fits = [index for index, space in enumerate(spaces) if space and space.values_of(trial.parameters)]
        index = fits[-1] if fits else 0
        studies[index].add_trial(finished_entry(trial, trial.to_record(), sweep.objective.name, spaces[index]))
    for study, following in pairwise(studies):
        if not any(SUCCESSOR in entry.user_attrs for entry in study.get_trials(deepcopy=False)):
            user_attrs = {SUCCESSOR: following.study_name}
            study.add_trial(create_trial(state=TrialState.FAIL, user_attrs=user_attrs))
    return studies


def _write_missing(attempts: Iterable[Trial], files: TrialFiles) -> None:
    """Write each `trial.json` that is missing or lacks its known end, unless its directory was removed."""
    written = {trial.directory: trial for trial in files.trials}
    for trial in attempts:
        known, directory = written.get(trial.directory), trial.directory
        is_missing = known is None or (trial.is_over and not known.is_over)
        if is_missing and directory.is_dir() and is_trial_directory(directory, directory.parent):
            write_trial(trial)


def tidy(output_dir: Path, sweep_id: str) -> None:
    """Remove the temporary files that killed processes have left behind.

    Args:
        output_dir: The sweep's; no other process works there, or can start to. Newer files than this call stay anyway.
        sweep_id: The sweep's.
    """
    looked = _moment(output_dir)
    scratch = [path for path in output_dir.iterdir() if _SCRATCH.fullmatch(path.name)]
    for directory in trial_directories(output_dir):
        within = list(directory.iterdir())
        left = [path for path in within if _TRIAL_SCRATCH.fullmatch(path.name)]
        if left and (len(left) == len(within) or _is_trial_of(directory, output_dir, sweep_id)):
            scratch += left
    for path in scratch:
        if path.is_file() and not _is_younger(path, looked):
            path.unlink(missing_ok=True)


def _is_trial_of(directory: Path, output_dir: Path, sweep_id: str) -> bool:
    """Return True if a directory provably belongs to a trial of the sweep."""
    trial = _read_own(directory, output_dir)
    return trial is not None and trial.is_of(sweep_id)


def _read_own(directory: Path, output_dir: Path) -> Trial | None:
    """Return the trial that a directory belongs to; None if there is none, or its record is damaged."""
    try:
        trial = read_trial(directory / TRIAL_FILE, output_dir)
    except InvalidInputError:
        return None
    return trial if trial.directory == directory else None


def _remove_unbegun(attempts: Iterable[Trial], output_dir: Path, sweep_id: str, looked: int) -> None:
    """Remove the directories of trials that never began: empty ones, and those whose attempt began in another one."""
    known = {trial.directory for trial in attempts}
    for directory in trial_directories(output_dir):
        if directory in known or _is_younger(directory, looked):
            continue
        with suppress(OSError):  # it holds something
            directory.rmdir()
        trial = _read_own(directory, output_dir)
        if trial is not None and trial.is_of(sweep_id) and not trial.is_over:
            shutil.rmtree(directory, ignore_errors=True)


def _remove_unbegun_runs(attempts: Iterable[Trial], output_dir: Path, sweep_id: str, looked: int) -> None:
    """Remove the tracked runs of interrupted trials whose process was killed before their run began.

    The run of a finished trial stays: W&B's client writes it after the trial has ended.
    """
    finished = {trial.id for trial in attempts if trial.is_counted}
    for run in offline_runs(output_dir, sweep_id):
        is_own = run.id.startswith(f"{sweep_id}-") and run.id not in finished
        if is_own and not _is_younger(run.directory, looked) and not run.has_begun:
            shutil.rmtree(run.directory, ignore_errors=True)


def _moment(output_dir: Path) -> int:
    """Return the current time in ns, by the clock of the file system that contains a directory."""
    probe = output_dir / f".{SWEEP_FILE}.{uuid4().hex}.tmp"
    try:
        probe.touch()
        return probe.stat().st_mtime_ns
    finally:
        probe.unlink(missing_ok=True)


def _is_younger(path: Path, looked: int) -> bool:
    try:
        return os.lstat(path).st_mtime_ns > looked
    except OSError:
        return True
