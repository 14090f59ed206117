"""Cancelling the jobs of a sweep, so that nothing is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .queue import cancel_jobs, queued_jobs
from .records import job_directories

if TYPE_CHECKING:
    from pathlib import Path

    from .records import Submission

PATIENCE = 60.0
"""Seconds to wait for the jobs to end: SLURM kills them 30 s (its KillWait) after SIGTERM."""

_PAUSE = 0.5


def cancel_all(output_dir: Path) -> tuple[list[str], list[str]]:
    """End all jobs of a sweep: waiting ones leave the queue, the trials of running ones are interrupted.

    Args:
        output_dir: The output directory of the sweep.

    Returns:
        The ids of the jobs that have ended, and of those that have not within a minute.

    Raises:
        SchedulerError: SLURM does not answer.
    """
    pending: list[tuple[Submission, list[str]]] = []
    for directory in job_directories(output_dir):
        submission = directory.read_submission()
        alive = list(queued_jobs(submission)) if submission else []
        if submission is not None and alive:
            directory.cancel()
            cancel_jobs(submission, alive)
            pending.append((submission, alive))
    cancelled = [job for _, alive in pending for job in alive]
    deadline = time.monotonic() + PATIENCE
    while True:
        left = [job for submission, _ in pending for job in queued_jobs(submission)]
        if not left or time.monotonic() > deadline:
            return [job for job in cancelled if job not in left], left
        time.sleep(_PAUSE)
