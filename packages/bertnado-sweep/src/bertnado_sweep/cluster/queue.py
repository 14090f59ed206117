"""What a scheduler knows of its jobs, asked by its own commands: it needs no accounting database."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertnado_sweep.backends.local.process_identity import describe, is_alive, is_here

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .records import Submission

_FORMAT = "%i|%T|%N|%L|%r"
"""The id of the job, its state, nodes, the time left, and why it waits; see `man squeue`."""

SECONDS = 10.0
"""The time that a command of SLURM may take."""


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


def queued_jobs(submissions: Sequence[Submission]) -> list[Mapping[str, QueuedJob] | SchedulerError]:
    """Return the jobs of each submission that have not ended, by id, or why they are not known. SLURM is asked once."""
    at_slurm = [submission for submission in submissions if submission.scheduler == "slurm"]
    asked = _ask_slurm(at_slurm)
    return [asked if submission in at_slurm else _look_here(submission) for submission in submissions]


def _ask_slurm(submissions: Iterable[Submission]) -> Mapping[str, QueuedJob] | SchedulerError:
    arrays = dict.fromkeys(submission.jobs[0].partition("_")[0] for submission in submissions)
    if not arrays:
        return {}
    words = ("--noheader", "--array", f"--jobs={','.join(arrays)}", f"--format={_FORMAT}")
    try:
        said = _run("squeue", *words)
    except SchedulerError as error:
        return error
    return dict(map(_read_line, filter(None, said.splitlines())))


def _read_line(line: str) -> tuple[str, QueuedJob]:
    job, state, node, left, reason = line.strip().split("|", 4)
    is_waiting = state == "PENDING"
    is_known = is_waiting and reason != "None"
    return job, QueuedJob(state.lower(), node or None, None if is_waiting else left, reason if is_known else None)


def _look_here(submission: Submission) -> Mapping[str, QueuedJob] | SchedulerError:
    elsewhere = [process for process in submission.processes if not is_here(process)]
    if elsewhere:
        return SchedulerError(f"its machine alone knows: {describe(elsewhere[0])}")
    pairs = zip(submission.jobs, submission.processes, strict=True)
    return {job: QueuedJob("running") for job, process in pairs if is_alive(process)}


def cancel_jobs(submission: Submission, jobs: Iterable[str]) -> None:
    """Tell jobs to end: SIGTERM, and the scheduler's kill if they do not.

    Raises:
        SchedulerError: SLURM does not answer.
    """
    if submission.scheduler == "slurm":
        _run("scancel", *jobs)
        return
    for job in jobs:
        with suppress(ProcessLookupError):
            os.kill(int(job), signal.SIGTERM)


def _run(command: str, *words: str) -> str:
    """Return the output of a command of SLURM; ids that it no longer knows are no error.

    Raises:
        SchedulerError: It is not installed here, fails, or does not answer.
    """
    try:
        ended = subprocess.run([command, *words], capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
    except FileNotFoundError as error:
        raise SchedulerError(f"SLURM's {command} is not installed on this machine; ask on a login node") from error
    except subprocess.TimeoutExpired as error:
        raise SchedulerError(f"SLURM's {command} did not answer within {SECONDS:g} s") from error
    except OSError as error:
        raise SchedulerError(f"SLURM's {command} cannot be run: {error}") from error
    if ended.returncode and "Invalid job id" not in ended.stderr:
        lines = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
        raise SchedulerError(f"SLURM's {command} failed: {lines[-1]}")
    return ended.stdout
