"""Submitting a sweep as jobs of a scheduler."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from bertnado_config import ArgumentProblem, InvalidInputError, TrainingInputs, path_exists
from bertnado_metrics import did_you_mean
from bertnado_sweep import SweepOptions
from bertnado_sweep.cluster.options import JobOptions, check_job_options
from bertnado_sweep.cluster.submitting import submit_jobs
from bertnado_sweep.running.events import Note
from bertnado_sweep.sweep import begin_plan

from bertnado.flags import flag_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bertnado_sweep import Plan
    from bertnado_sweep.running.events import Observer

_OF_JOBS = ("workers", "trials_per_gpu", "save_state_every")
"""The options of a sweep that concern one machine, which its jobs are given."""


def read_job_options(given: Mapping[str, Any]) -> JobOptions:
    """Return the job options among the arguments of a call.

    Raises:
        InvalidInputError: One is invalid, or an argument is unknown; every problem is in it.
    """
    known = [name for model in (JobOptions, TrainingInputs, SweepOptions) for name in model.model_fields]
    unknown = [name for name in given if name not in known]
    options, problems = check_job_options({name: given.get(name) for name in JobOptions.model_fields})
    problems += [ArgumentProblem("", f"unknown option {name!r}; {did_you_mean(name, known)}") for name in unknown]
    if problems:
        raise InvalidInputError(problems)
    return options


def submit_plan(plan: Plan, options: JobOptions, given: Mapping[str, Any], observer: Observer) -> dict[str, Any]:
    """Record a sweep that was checked, and submit jobs that work on it.

    Args:
        plan: The sweep.
        options: What the jobs ask for.
        given: The arguments of the call, some of which concern the jobs.
        observer: Called with the warnings about the sweep, as notes.

    Returns:
        `sweep_id`, `scheduler`, the ids of the `jobs`, and the directory of their `logs`.

    Raises:
        InvalidInputError: Another sweep is recorded there, or the scheduler refuses the jobs.
        ServiceError: W&B did not create the sweep.
        OSError: The record cannot be written.
    """
    for warning in plan.warnings:
        observer(Note(f"Warning: {warning.worded(flag_of)}"))
    sweep_id = begin_plan(plan)
    directory, submission = submit_jobs(
        plan.output_dir,
        _command(plan.output_dir, given),
        options,
        needs=_needs(plan.application.settings),
        storage=plan.options.storage,
        name=f"bertnado-{sweep_id}",
    )
    return {
        "sweep_id": sweep_id,
        "scheduler": submission.scheduler,
        "jobs": list(submission.jobs),
        "logs": str(directory.path),
    }


def _command(output_dir: Path, given: Mapping[str, Any]) -> Sequence[str]:
    """Return the command by which a job works on the sweep."""
    own = [(flag_of(name), str(given[name])) for name in _OF_JOBS if given.get(name) is not None]
    words = [word for pair in own for word in pair]
    return [sys.executable, "-m", "bertnado", "run-sweep", "--join", str(output_dir), "--no-dry-run", *words]


def _needs(settings: Mapping[str, Any]) -> Sequence[str]:
    """Return the files and directories of a sweep; a name on the hub is neither."""
    names = [str(settings[name]) for name in ("dataset", "model_name") if settings.get(name)]
    return [name for name in names if path_exists(name)]
