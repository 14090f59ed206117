"""Following a sweep that jobs work on, from what they record."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import parse_sweep_config

from bertnado_sweep.records.best import best_so_far, choose_best
from bertnado_sweep.running.events import Note, SweepStarted, TrialEnded, TrialStarted
from bertnado_sweep.status import SweepStatus, recorded_status

from .watching import JobStatus, describe_failures, job_statuses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertnado_sweep.running.events import Observer

_PAUSE = 2.0


class JobsFailedError(RuntimeError):
    """All jobs of a sweep failed. The message names each reason once."""


def follow_jobs(output_dir: Path, observer: Observer, *, storage: str | None = None) -> SweepStatus:
    """Tell an observer what the jobs of a sweep do, until all of them have ended.

    Args:
        output_dir: The output directory of the sweep, absolute.
        observer: Called with the beginning and the end of each trial, and a note when a job changes its state.
        storage: The database of the sweep.

    Returns:
        The state of the sweep at the end.

    Raises:
        JobsFailedError: All jobs failed.
        InvalidInputError: No sweep is recorded there.
    """
    follower = _Follower(observer)
    while True:
        status = recorded_status(output_dir, storage=storage)
        jobs = job_statuses(output_dir, status.trials)
        follower.tell(status, jobs)
        if not any(job.is_alive for job in jobs):
            break
        time.sleep(_PAUSE)
    failures = describe_failures(jobs)
    if failures is not None:
        raise JobsFailedError(failures)
    return status


def result_of(status: SweepStatus, output_dir: Path) -> dict[str, Any]:
    """Export the best trial of a sweep whose jobs have ended; return what `SweepResult.to_dict` returns.

    Raises:
        NoEligibleTrialError: No trial has a value.
        OSError: It cannot be exported.
    """
    status.export(output_dir)
    progress = {"finished": status.finished, "budget": status.budget}
    return best_so_far(output_dir) | progress | {"ended_by": None if status.is_done else "the end of its jobs"}


class _Follower:
    """Tells what is new since it last looked."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._has_begun = False
        self._trials: dict[str, str] = {}
        self._jobs: dict[str, str] = {}

    def tell(self, status: SweepStatus, jobs: tuple[JobStatus, ...]) -> None:
        """Tell the differences."""
        if not self._has_begun:
            self._begin(status)
        for job in jobs:
            shown = describe_job(job)
            if self._jobs.get(job.id) != shown:
                self._jobs[job.id] = shown
                self._observer(Note(shown))
        for trial in status.trials:
            before, self._trials[trial.id] = self._trials.get(trial.id), trial.state
            if before == trial.state:
                continue
            if before is None or not trial.is_over:
                self._observer(TrialStarted(trial.number, trial.id, trial.parameters, trial.directory))
            if trial.is_over:
                best = choose_best(status.trials, status.objective)
                self._observer(TrialEnded(trial, best, status.finished))

    def _begin(self, status: SweepStatus) -> None:
        config: Mapping[str, object] = status.record["config"]
        self._has_begun = True
        self._trials = {trial.id: trial.state for trial in status.trials if trial.is_over}
        directory = status.output_dir or Path(status.source)
        started = SweepStarted(
            status.sweep_id,
            status.budget or 0,
            status.objective,
            directory,
            parse_sweep_config(config),
            finished=status.finished,
        )
        self._observer(started)


def describe_job(job: JobStatus) -> str:
    """Return the state of a job in one line."""
    place = f" on {job.node}" if job.node and job.state != "waiting" else ""
    note = f": {job.note}" if job.note else ""
    return f"job {job.id}: {job.state}{place}{note}"
