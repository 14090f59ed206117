"""Opening a local sweep: its study is begun, or its record repaired before the sweep goes on."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bertnado_config import ArgumentProblem, InvalidInputError
from optuna.exceptions import DuplicatedStudyError

from bertnado_sweep.records.files import unclaim
from bertnado_sweep.records.presence import Presence

from . import leases
from .recovery import journal_problem, recover
from .storage import create_study, find_study, open_storage, share
from .studies import recorded_studies
from .waiting import PAUSE, Waiting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bertnado_metrics import Goal, Objective

    from bertnado_sweep.records.recorded_sweep import RecordedSweep

    from .ledger import Ledger
    from .studies import Studies

_log = logging.getLogger(__name__)


def begin_shared_study(url: str, study: str, goal: Goal, output_dir: Path, record: Mapping[str, Any]) -> None:
    """Begin the study of a new sweep in a database, and record the sweep there for others to join.

    If that fails, the output directory, which was claimed a moment ago, is free again.

    Raises:
        InvalidInputError: The database cannot be used, or another machine has just begun a study of that name.
        StorageError: The database no longer answers.
    """
    try:
        storage = open_storage(output_dir, url)
        share(create_study(storage, study, goal), record)
    except DuplicatedStudyError:
        unclaim(output_dir, record["sweep_id"])
        message = f"another machine has just started {study!r}; run the same command again to join it"
        raise InvalidInputError([ArgumentProblem("study", message)]) from None
    except BaseException:
        unclaim(output_dir, record["sweep_id"])
        raise


def ensure_study(url: str | None, study: str, goal: Goal, output_dir: Path) -> None:
    """Begin a sweep's study if there is none yet: the sweep is new, or was killed before it got that far."""
    storage = open_storage(output_dir, url)
    if find_study(storage, study) is None:
        with suppress(DuplicatedStudyError):  # another process was faster
            create_study(storage, study, goal)


def repair(recorded: RecordedSweep, output_dir: Path, objective: Objective) -> list[str]:
    """Repair the record of a sweep and tidy up, unless other processes work there; return what was done.

    Raises:
        InvalidInputError: The record is damaged while others work with it, or the journal is another sweep's.
    """
    presence = Presence(output_dir)
    try:
        if presence.is_alone():
            studies = recorded_studies(recorded.record, recorded.sweep_id)
            return [*recorded.restore(), *recover(output_dir, recorded.sweep_id, objective, studies)]
    finally:
        presence.leave()
    problem = journal_problem(output_dir, recorded.sweep_id)
    if problem is not None:
        message = f"{problem}, and other processes work on this sweep; end them, then {{resume}} repairs it"
        raise InvalidInputError([ArgumentProblem("output_dir", message)])
    return []


def continue_in_own_study(studies: Studies, ledger: Ledger, record: Mapping[str, Any]) -> bool:
    """Make sure that new trials go into a study of this process's search space; return True if one was begun for it.

    Args:
        studies: The studies of the sweep.
        ledger: The sweep's.
        record: The content of `sweep.json`.

    Raises:
        InvalidInputError: A process of version 0.1.0 works on the sweep.
    """
    is_begun = False
    while not studies.is_current():
        _wait_for_older_workers(studies, ledger)
        ledger.close_study(lambda: studies.begin_next(record), Waiting(_log.warning))
        is_begun = True
    return is_begun


def _wait_for_older_workers(studies: Studies, ledger: Ledger) -> None:
    """Wait until the trials that processes of version 0.1.0 have begun are ended or abandoned.

    Such a process does not notice that its study has ended, so one that is alive must be ended first.
    """
    waiting, deadline = Waiting(_log.warning), time.monotonic() + 1.5 * leases.LEASE
    while older := studies.older_workers():
        if time.monotonic() > deadline:
            message = f"{', '.join(older)} must end first: version 0.1.0 of bertnado-sweep works on this sweep"
            raise InvalidInputError([ArgumentProblem("resume", message)])
        waiting.goes_on(ledger.others_at_work)
        time.sleep(PAUSE)
        ledger.settle_abandoned()
