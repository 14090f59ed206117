"""What a scheduler knows of its jobs, asked by its own commands: it needs no accounting database."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertnado_sweep.backends.local.process_identity import is_alive, is_here

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .records import Submission

_FORMAT = "%i|%T|%N|%L|%r"
"""The id of the job, its state, nodes, the time left, and why it waits; see `man squeue`."""

_SECONDS = 30


@dataclass(frozen=True)
class QueuedJob:
    """A job that waits, runs or is about to end."""

    state: str
    """As the scheduler calls it, in lower case: `pending`, `running`, `completing`, ..."""
    node: str | None = None
    time_left: str | None = None
    """As the scheduler shows it: `3:59:12`."""
    reason: str | None = None
    """Why it waits."""


class SchedulerError(RuntimeError):
    """The scheduler does not answer, or refuses a request."""


def queued_jobs(submission: Submission) -> Mapping[str, QueuedJob]:
    """Return the jobs of a submission that have not ended, by id.

    Raises:
        SchedulerError: SLURM does not answer.
    """
    if submission.scheduler == "local":
        pairs = zip(submission.jobs, submission.processes, strict=False)
        return {job: QueuedJob("running") for job, process in pairs if not is_here(process) or is_alive(process)}
    first = submission.jobs[0].partition("_")[0]
    said = _run("squeue", "--noheader", "--array", f"--jobs={first}", f"--format={_FORMAT}", forgets=True)
    return dict(map(_read_line, filter(None, said.splitlines())))


def _read_line(line: str) -> tuple[str, QueuedJob]:
    job, state, node, left, reason = line.strip().split("|", 4)
    is_waiting = state == "PENDING"
    return job, QueuedJob(state.lower(), node or None, None if is_waiting else left, reason if is_waiting else None)


def cancel_jobs(submission: Submission, jobs: Iterable[str]) -> None:
    """Tell jobs to end: SIGTERM, and the scheduler's kill if they do not.

    Raises:
        SchedulerError: SLURM does not answer.
    """
    if submission.scheduler == "slurm":
        _run("scancel", *jobs, forgets=True)
        return
    processes = dict(zip(submission.jobs, submission.processes, strict=False))
    for job in jobs:
        if is_here(processes[job]) and is_alive(processes[job]):
            with suppress(ProcessLookupError):
                os.kill(int(job), signal.SIGTERM)


def _run(command: str, *words: str, forgets: bool) -> str:
    """Return the output of a command of SLURM.

    Args:
        command: The command.
        words: Its arguments.
        forgets: Ids that SLURM no longer knows are no error.
    """
    try:
        ended = subprocess.run([command, *words], capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SchedulerError(f"{command} does not answer: {error}") from error
    if ended.returncode and not (forgets and "Invalid job id" in ended.stderr):
        raise SchedulerError(f"{command} failed: {ended.stderr.strip() or f'exit code {ended.returncode}'}")
    return ended.stdout
