"""Cancelling the jobs of a sweep, so that nothing is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from bertnado_sweep.records.files import named_directory
from bertnado_sweep.status import recorded_status

from .queue import QueuedJob, SchedulerError, cancel_jobs, queued_jobs
from .records import JOBS, submissions_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .records import JobDirectory, Submission

PATIENCE = 60.0
"""Seconds to wait for the jobs to end: SLURM kills them 30 s (its KillWait) after SIGTERM."""

_PAUSE = 0.5


def cancel_sweep(output_dir: str | Path, *, storage: str | None = None) -> dict[str, Any]:
    """End the jobs of a sweep, and export its best trial.

    Args:
        output_dir: The output directory of the sweep.
        storage: Its database.

    Returns:
        The ids of the `cancelled` jobs, and of those that have `not_ended` within a minute, the number of `finished`
        trials, `best_config_path`, None if no trial has a value, and the directory of the `logs`.

    Raises:
        InvalidInputError: No sweep is recorded there.
        SchedulerError: SLURM does not answer, or the jobs run on another machine.
    """
    output = named_directory(output_dir)
    recorded_status(output_dir, storage=storage)  # there is a sweep
    ended, left = cancel_all(output)
    status = recorded_status(output, storage=storage)
    return {
        "cancelled": ended,
        "not_ended": left,
        "finished": status.finished,
        "best_config_path": None if status.best is None else str(status.export(output)),
        "logs": str(output / JOBS),
    }


def cancel_all(output_dir: Path) -> tuple[list[str], list[str]]:
    """End all jobs of a sweep: waiting ones leave the queue, the trials of running ones are interrupted.

    Args:
        output_dir: The output directory of the sweep.

    Returns:
        The ids of the jobs that have ended, and of those that have not within a minute.

    Raises:
        SchedulerError: SLURM does not answer, or the jobs run on another machine.
    """
    found = submissions_of(output_dir)
    cancelled: list[str] = []
    for (directory, submission), alive in zip(found, _alive(found), strict=True):
        if alive:
            directory.cancel()
            cancel_jobs(submission, alive)
            cancelled += alive
    deadline = time.monotonic() + PATIENCE
    while True:
        left = [job for alive in _alive(found) for job in alive]
        if not left or time.monotonic() > deadline:
            return [job for job in cancelled if job not in left], left
        time.sleep(_PAUSE)


def _alive(found: Sequence[tuple[JobDirectory, Submission]]) -> list[list[str]]:
    """Return the jobs of each submission that have not ended.

    Raises:
        SchedulerError: That is not known of one.
    """
    asked = queued_jobs([submission for _, submission in found])
    return [_alive_of(*each, queued) for each, queued in zip(found, asked, strict=True)]


def _alive_of(
    directory: JobDirectory, submission: Submission, queued: Mapping[str, QueuedJob] | SchedulerError
) -> list[str]:
    if not isinstance(queued, SchedulerError):
        return [job for job in submission.jobs if job in queued]
    records = map(directory.read_job, submission.jobs)
    if all(record is not None and record.is_over for record in records):
        return []
    raise queued
