"""Submitting jobs that work on a recorded sweep."""

from __future__ import annotations

import math
import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

from bertnado_config import ArgumentProblem, InvalidInputError, visible_gpus
from submitit import SlurmExecutor
from submitit.core.utils import FailedJobError, FailedSubmissionError

from bertnado_sweep.backends.local.process_identity import process_name
from bertnado_sweep.records.files import now
from bertnado_sweep.running.environment_variables import environment_variables

from .background import BackgroundExecutor
from .job import SweepJob
from .records import JobDirectory, Submission

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from submitit import Job

    from .options import JobOptions

LONGEST_NOTICE = 120.0
"""Seconds before the end of a job at which its trials begin to write their state; a quarter of a short job's time."""

_OF_A_JOB = ("SLURM_", "SLURMD_", "SRUN_", "SUBMITIT_")

_ENDLESS = 10**6
"""The number of times that submitit queues a job again."""


def submit_jobs(
    output_dir: Path,
    command: Sequence[str],
    options: JobOptions,
    *,
    needs: Sequence[str] = (),
    storage: str | None = None,
    name: str = "bertnado",
) -> tuple[JobDirectory, Submission]:
    """Submit jobs that work on the sweep in an output directory, and record them there.

    Args:
        output_dir: The sweep's, absolute; every job must see it.
        command: The program that works on the sweep, see `SweepJob`.
        options: What the jobs ask for.
        needs: Files and directories that each job must be able to read.
        storage: The database of the sweep, which jobs learn from their environment alone: it has a password.
        name: The name of the jobs at the scheduler.

    Returns:
        The directory of the submission, and its record.

    Raises:
        InvalidInputError: The scheduler refuses the jobs; the message is its own.
        OSError: They cannot be recorded.
    """
    _check_path(output_dir, options)
    directory = JobDirectory.create(output_dir)
    notice = math.inf if options.time is None else min(LONGEST_NOTICE, options.time / 4)
    job = SweepJob(command, output_dir, directory.path, options.time, notice, needs)
    handed_on = {} if storage is None else {"BERTNADO_STORAGE": storage}
    with environment_variables({**_own_job(), **handed_on}):
        submit = _submit_to_slurm if options.chosen_scheduler == "slurm" else _start_here
        jobs = submit(job, directory.path, options, name)
    processes = () if options.chosen_scheduler == "slurm" else tuple(process_name(int(found.job_id)) for found in jobs)
    submission = Submission(
        scheduler=options.chosen_scheduler,
        jobs=tuple(found.job_id for found in jobs),
        processes=processes,
        time=options.time,
        submitted=now(),
    )
    directory.write_submission(submission)
    return directory, submission


def _check_path(output_dir: Path, options: JobOptions) -> None:
    found = [character for character in "%\\\n" if character in str(output_dir)]
    if found and options.chosen_scheduler == "slurm":
        message = f"{{output_dir}} must not contain {found[0]!r}, which SLURM replaces in the names of logs"
        raise InvalidInputError([ArgumentProblem("output_dir", message)])


def _own_job() -> Mapping[str, None]:
    """Return the variables that describe the job that this process runs in, if any; another job must not have them."""
    if "SLURM_JOB_ID" not in os.environ:
        return {}
    return {name: None for name in os.environ if name.startswith(_OF_A_JOB) and name != "SLURM_CONF"}


def _submit_to_slurm(job: SweepJob, folder: Path, options: JobOptions, name: str) -> Sequence[Job[None]]:
    executor = SlurmExecutor(folder, max_num_timeout=_ENDLESS)
    parameters: dict[str, Any] = {
        "job_name": name,
        "time": math.ceil((options.time or 0) / 60),
        "signal_delay_s": math.ceil(job.notice),
        "stderr_to_stdout": True,
        "setup": [_checked(line) for line in options.setup],
        "additional_parameters": {"requeue": True, **options.slurm_settings},
        "array_parallelism": options.jobs,
        **{key: getattr(options, key) for key in ("partition", "account", "qos", "constraint", "mem", "cpus_per_task")},
        "gpus_per_node": options.gpus or None,
        "wckey": None,
    }
    if options.cpus_per_task:
        parameters["srun_args"] = [f"--cpus-per-task={options.cpus_per_task}"]  # srun does not take over sbatch's
    executor.update_parameters(**parameters)
    try:
        with executor.batch():
            return [executor.submit(job) for _ in range(options.jobs)]
    except (FailedJobError, FailedSubmissionError, subprocess.SubprocessError, OSError) as error:
        said = _said(error)
        hint = "; {gpus_per_job} 0 asks for no GPU" if "gres" in said and options.gpus else ""
        raise InvalidInputError([ArgumentProblem("", f"sbatch refused the jobs: {said}{hint}")]) from error


def _checked(line: str) -> str:
    """Return a line of the job's script that ends the job if a command of the setup fails."""
    message = shlex.quote(f"Error: the setup of the job failed: {line}")
    return f'{{ {line} ; }} || {{ code=$?; echo {message} "(exit code $code)"; exit $code; }}'


def _start_here(job: SweepJob, folder: Path, options: JobOptions, name: str) -> Sequence[Job[None]]:
    """Start background processes that outlive this one and its terminal."""
    del name
    gpus, setup = visible_gpus(), [_checked(line) for line in options.setup]
    shares = [gpus[number * options.gpus : (number + 1) * options.gpus] for number in range(options.jobs)]
    executors = [BackgroundExecutor(folder, setup, share, max_num_timeout=_ENDLESS) for share in shares]
    return [executor.submit(job) for executor in executors]


def _said(error: Exception) -> str:
    """Return what sbatch said is wrong, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    errors = [line.partition("error: ")[2] for line in lines if line.startswith("sbatch: error: ")]
    return "; ".join(errors) or (lines[-1] if lines else repr(error))
