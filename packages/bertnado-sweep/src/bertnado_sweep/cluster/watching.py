"""The state of the jobs of a sweep: what the scheduler knows of them, and what they have said themselves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .queue import QueuedJob, SchedulerError, queued_jobs
from .records import JobDirectory, JobRecord, submissions_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bertnado_sweep.records.trial import Trial

JobState = Literal[
    "waiting", "running", "ending", "done", "stopped", "failed", "interrupted", "killed", "cancelled", "unknown"
]
"""`stopped` jobs were ended by something else than their time, `killed` ones without a word; `unknown` ones may be
alive: the scheduler does not answer."""

ALIVE: tuple[JobState, ...] = ("waiting", "running", "ending", "unknown")


@dataclass(frozen=True)
class JobStatus:
    """The state of one job."""

    id: str
    submission: int
    """The number of the submission, from 1."""
    state: JobState
    node: str | None = None
    gpus: str | None = None
    trials: tuple[int, ...] = ()
    """The numbers of the trials that it is running, as they are shown, from 1."""
    run: int = 0
    """How often it has been started."""
    time_left: str | None = None
    note: str | None = None
    """Why it waits, or how it ended."""
    last_line: str | None = None
    """The last line of its log."""
    log: str = ""

    @property
    def is_alive(self) -> bool:
        """True unless it has ended."""
        return self.state in ALIVE


def job_statuses(output_dir: Path, trials: Sequence[Trial]) -> tuple[JobStatus, ...]:
    """Return the state of all jobs that were submitted for a sweep, in order; empty if none was.

    Args:
        output_dir: The output directory of the sweep.
        trials: Its trials.
    """
    found = submissions_of(output_dir)
    asked = queued_jobs([submission for _, submission in found])
    return tuple(
        _status(directory, job, queued, trials)
        for (directory, submission), queued in zip(found, asked, strict=True)
        for job in submission.jobs
    )


def _status(
    directory: JobDirectory, job: str, queued: Mapping[str, QueuedJob] | SchedulerError, trials: Sequence[Trial]
) -> JobStatus:
    record = directory.read_job(job)
    asked = None if isinstance(queued, SchedulerError) else queued.get(job)
    state, note = _state(directory, job, record, asked, queued)
    is_running = state in ("running", "ending", "unknown")
    return JobStatus(
        id=job,
        submission=int(directory.path.name),
        state=state,
        node=(asked and asked.node) or (record and record.node),
        gpus=(record and record.gpus) or None,
        trials=tuple(
            trial.number + 1 for trial in trials if trial.job == job and trial.state == "running" and is_running
        ),
        run=record.run if record else 0,
        time_left=asked and asked.time_left,
        note=note,
        last_line=directory.last_line(job),
        log=str(directory.log_of(job)),
    )


def _state(
    directory: JobDirectory,
    job: str,
    record: JobRecord | None,
    asked: QueuedJob | None,
    queued: Mapping[str, QueuedJob] | SchedulerError,
) -> tuple[JobState, str | None]:
    if asked is not None:
        if asked.state == "pending":
            return "waiting", asked.reason
        has_ended = record is not None and record.is_over
        return ("ending" if asked.state == "completing" or has_ended else "running"), None
    if record is not None and record.is_over:
        return record.outcome, record.message  # pyright: ignore[reportReturnType]
    if isinstance(queued, SchedulerError):
        return "unknown", str(queued)
    if directory.is_cancelled:
        return "cancelled", None
    if record is None:
        return "failed", f"it ended before it began: {directory.last_line(job) or 'its log is empty'}"
    if record.outcome == "queued again":
        return "interrupted", "it was to be queued again, and is not in the queue; submit again"
    return "killed", f"it was killed on {record.node}; its trials are taken over by others"


def describe_failures(jobs: Sequence[JobStatus]) -> str | None:
    """Return one summary of why all jobs of the last submission failed; None if one of them did not, or is alive."""
    last = [job for job in jobs if job.submission == jobs[-1].submission]
    if not last or any(job.is_alive for job in jobs) or any(job.state != "failed" for job in last):
        return None
    reasons = Counter(job.note or "no reason is known" for job in last)
    lines = [f"  {count} of {len(last)}: {reason}" for reason, count in reasons.most_common()]
    return "\n".join([f"all {len(last)} jobs failed:", *lines, f"  see {last[0].log}"])
