"""What a job asks the scheduler for: each option is declared here, once."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from bertnado_config import ArgumentProblem, OptionDetails, literal_choices, visible_gpus
from bertnado_metrics import did_you_mean
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bertnado_sweep.options import seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_core import ErrorDetails

Scheduler = Literal["slurm", "local"]
"""What runs the jobs: SLURM, or this machine."""

SHORTEST_JOB = 60.0
"""Seconds; SLURM counts in minutes."""

_KEY = re.compile(r"[a-z][a-z0-9_-]*")


def _read_time(value: object) -> float | None:
    return None if value is None else seconds_of(value, "{time}")


def _read_settings(value: object) -> tuple[str, ...]:
    """Read `KEY=VALUE`, or a list of them."""
    settings = [value] if isinstance(value, str) else list(cast("Sequence[str]", value or ()))
    for setting in settings:
        key, equals, _ = setting.partition("=")
        if not equals or not _KEY.fullmatch(key.strip().removeprefix("--")):
            raise ValueError(f"{{slurm}} must be KEY=VALUE, such as gres=gpu:a100:1, got {setting!r}")
    return tuple(settings)


def _read_lines(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(cast("Sequence[str]", value or ()))


class JobOptions(BaseModel):
    """The jobs that are submitted at once. An option that is None, or is not given, has its default."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    jobs: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Number of jobs. They share the trials of the sweep."""
    time: Annotated[
        float | None,
        BeforeValidator(_read_time),
        OptionDetails(metavar="DURATION", default_text="none; SLURM requires it"),
    ] = None
    """Time limit of a job, such as `4:00:00`, `4h` or `1-12:00:00`. Shortly before it, running trials write their
    training state and the job is queued again, until the sweep is done."""
    gpus_per_job: Annotated[
        int | None, Field(ge=0), OptionDetails(default_text="1; on this machine 0 if it has no GPU")
    ] = None
    """Number of GPUs of a job, which trains at least one trial on each at a time. 0 asks for none."""
    partition: Annotated[str | None, OptionDetails(metavar="NAME", default_text="the cluster's")] = None
    """Partition of SLURM."""
    account: Annotated[str | None, OptionDetails(metavar="NAME", default_text="yours")] = None
    """Account of SLURM."""
    qos: Annotated[str | None, OptionDetails(metavar="NAME", default_text="the partition's")] = None
    """Quality of service of SLURM."""
    constraint: Annotated[str | None, OptionDetails(metavar="TEXT", default_text="none")] = None
    """Features that SLURM's nodes must have, such as `a100`."""
    mem: Annotated[str | None, OptionDetails(metavar="SIZE", default_text="the partition's")] = None
    """Memory of a job, such as `32G`."""
    cpus_per_task: Annotated[int | None, Field(ge=1), OptionDetails(default_text="the partition's")] = None
    """Number of CPU cores of a job."""
    setup: Annotated[tuple[str, ...], BeforeValidator(_read_lines), OptionDetails(metavar="COMMAND")] = ()
    """Shell command to run in the job first, such as `module load cuda`; repeat it for several. A job whose setup fails
    ends."""
    slurm: Annotated[tuple[str, ...], BeforeValidator(_read_settings), OptionDetails(metavar="KEY=VALUE")] = ()
    """Any other option of sbatch, such as `gres=gpu:a100:1` or `mail-type=END`; repeat it for several."""
    scheduler: Annotated[
        Literal["auto", "slurm", "local"], OptionDetails(default_text="slurm if sbatch is found, otherwise local")
    ] = "auto"
    """What runs the jobs: SLURM, or `local` for background processes of this machine."""

    @property
    def chosen_scheduler(self) -> Scheduler:
        """The scheduler that is asked for, or found here."""
        if self.scheduler != "auto":
            return self.scheduler
        return "slurm" if shutil.which("sbatch") else "local"

    @property
    def gpus(self) -> int:
        """The number of GPUs of a job, beside those that `slurm` asks for."""
        if self.gpus_per_job is not None:
            return self.gpus_per_job
        if any("gpu" in f"{key}={value}" for key, value in self.slurm_settings.items() if key in _OF_GPUS):
            return 0
        return 1 if self.chosen_scheduler == "slurm" or visible_gpus() else 0

    @property
    def slurm_settings(self) -> dict[str, str]:
        """The options of sbatch that have no name here, by name."""
        pairs = (setting.partition("=") for setting in self.slurm)
        return {key.strip().removeprefix("--"): value.strip() for key, _, value in pairs}


_OF_GPUS = ("gres", "gpus", "gpus-per-node", "gpus-per-socket", "gpus-per-task", "tres-per-task")
"""The options of sbatch that can ask for GPUs."""

_RESERVED = {
    **dict.fromkeys(("time", "partition", "account", "qos", "constraint", "mem"), ""),
    "cpus-per-task": "",
    **dict.fromkeys(("array", "nodes", "ntasks", "ntasks-per-node"), "a job is one process; {jobs} is their number"),
    **dict.fromkeys(("signal", "requeue", "no-requeue"), "jobs are warned and queued again by themselves"),
    **dict.fromkeys(("output", "error", "open-mode"), "the logs lie in {output_dir}"),
    **dict.fromkeys(("export", "export-file"), "jobs have the environment that they are submitted from"),
    **dict.fromkeys(("wait", "wrap", "test-only", "parsable", "clusters"), "submit does not work with it"),
}
"""The options of sbatch that would contradict those of a job, with the reason; empty if `JobOptions` has it."""

_OF_SLURM = ("partition", "account", "qos", "constraint", "mem", "cpus_per_task", "slurm")


def check_job_options(given: Mapping[str, Any]) -> tuple[JobOptions, list[ArgumentProblem]]:
    """Return the job options that are valid, with defaults in the place of the others, and what is wrong with those."""
    said = {name: value for name, value in given.items() if value is not None and value != ()}
    try:
        options = JobOptions(**said)
    except ValidationError as error:
        problems = [_problem(details) for details in error.errors(include_url=False)]
        kept = {name: value for name, value in said.items() if name not in {problem.path for problem in problems}}
        return JobOptions(**{name: value for name, value in kept.items() if name in JobOptions.model_fields}), problems
    return options, _contradictions(options)


def _problem(details: ErrorDetails) -> ArgumentProblem:
    name, bounds, got = str(details["loc"][0]), details.get("ctx", {}), f"got {details['input']!r}"
    if details["type"] == "extra_forbidden":
        return ArgumentProblem("", f"unknown option {name!r}; {did_you_mean(name, JobOptions.model_fields)}")
    if details["type"] == "value_error":
        return ArgumentProblem(name, str(bounds["error"]))
    if details["type"] == "literal_error":
        choices = literal_choices(JobOptions.model_fields[name].annotation)
        return ArgumentProblem(name, f"unknown {{{name}}} {details['input']!r}; choose from {', '.join(choices)}")
    limit = {"greater_than_equal": "at least {ge}", "less_than_equal": "at most {le}"}.get(details["type"])
    if limit is not None:
        return ArgumentProblem(name, f"{{{name}}} must be {limit.format(**bounds)}, {got}")
    return ArgumentProblem(name, f"{{{name}}} must be an integer, {got}")


def _contradictions(options: JobOptions) -> list[ArgumentProblem]:
    if options.chosen_scheduler == "slurm":
        return _slurm_problems(options)
    given = [name for name in _OF_SLURM if getattr(options, name)]
    problems = [
        ArgumentProblem(name, f"{{{name}}} requires SLURM, and these jobs run on this machine; remove it")
        for name in given
    ]
    gpus = len(visible_gpus())
    if options.jobs * options.gpus > gpus:
        message = (
            f"{{jobs}} times {{gpus_per_job}} must be at most {gpus}, the number of GPUs of this machine, "
            f"got {options.jobs} x {options.gpus}; lower one of them"
        )
        problems.append(ArgumentProblem("jobs", message))
    return problems


def _slurm_problems(options: JobOptions) -> list[ArgumentProblem]:
    problems: list[ArgumentProblem] = []
    if not shutil.which("sbatch"):
        message = (
            "{scheduler} slurm requires sbatch, which is not on the PATH; submit from a login node, or choose local"
        )
        problems.append(ArgumentProblem("scheduler", message))
    if options.time is None:
        message = "{time} is required at SLURM: the time limit of a job, such as 4:00:00; at its end it is queued again"
        problems.append(ArgumentProblem("time", message))
    elif options.time < SHORTEST_JOB:
        message = f"{{time}} must be at least a minute, got {options.time:g} s"
        problems.append(ArgumentProblem("time", message))
    for key in _RESERVED.keys() & options.slurm_settings.keys():
        own = key.replace("-", "_")
        cure = f"use {{{own}}}" if own in JobOptions.model_fields else f"{_RESERVED[key]}; remove it"
        problems.append(ArgumentProblem("slurm", f"{{slurm}} {key} cannot be set: {cure}"))
    return problems
