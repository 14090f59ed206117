"""A sweep that has been checked and not been started."""

from __future__ import annotations

import math
import re
import secrets
import string
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast, get_args

from bertnado_config import (
    InvalidInputError,
    Problem,
    SweepConfig,
    check_sweep_config,
)
from bertnado_metrics import Objective

from .backends.local.storage import open_storage
from .backends.wandb.environment import (
    DEFAULT_PROJECT,
    BackendName,
    Choice,
    ChosenBackend,
    choose_backend,
    project_of,
    project_problems,
    quiet_client,
)
from .backends.wandb.service import ServiceError, ServiceSweep, find_sweep, parse_service_config
from .records.best import KeepCheckpoints
from .records.files import holds_record, library_versions, named_directory, now, output_problems, room_problems
from .records.secrets import masked_url
from .resume import STUDY_WITHOUT_STORAGE, RecordedSweep, find_recorded, require_recorded
from .running.function_trainer import FunctionTrainer
from .running.worker_pool import visible_gpus, why_not_sendable
from .search.space import space_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bertnado_config import Trainer, TrialFunction

DEFAULT_TRIALS = 10
"""How many trials a random or bayes sweep has when nobody says."""

DEFAULT_SEED = 42

LONGEST_LIMIT = timedelta(days=366).total_seconds()
"""Seconds; threads cannot wait much longer."""

_STAND_IN = Objective("eval/loss", "minimize")
"""What a trainer checks against where the objective itself is a mistake: every task computes it."""

_ARGUMENTS = (
    *("output_dir", "sweep_count", "seed", "backend", "sweep_id", "config_path"),
    *("workers", "trials_per_gpu", "keep_checkpoints", "precision", "resume", "time_limit", "max_failures"),
    *("storage", "study", "dataset", "model_name", "project_name"),
)
"""Paths of problems that are no file's."""

_SEEDS = 2**32
"""numpy takes no larger seed."""


@dataclass(frozen=True)
class Plan:
    """Everything a worker needs to run trials of one sweep; picklable where the trainer is."""

    trainer: Trainer
    config: SweepConfig
    objective: Objective
    output_dir: Path
    """Absolute."""
    budget: int
    """How many trials the sweep may count: those that completed, were stopped or failed."""
    seed: int
    """Of the search; each trial's own is the trainer's to know."""
    backend: ChosenBackend = "local"
    """Where trials come from."""
    backend_reason: str = ""
    """In one line, from where and why from there."""
    config_path: Path | None = None
    entity: str | None = None
    """The W&B user or team."""
    project: str = DEFAULT_PROJECT
    group: str | None = None
    application: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the application wants recorded of the sweep: model, dataset, task, ..."""
    workers: int = 1
    """How many processes train at once."""
    keep_checkpoints: KeepCheckpoints = "best"
    storage: str | None = None
    """The database that the sweep is recorded in, a password included; `None` for a journal in the output directory."""
    study: str | None = None
    """Its name there; the sweep's id where it is `None`."""
    resumes: RecordedSweep | None = None
    """The sweep that goes on here; `None` for a new one."""
    is_joining: bool = False
    """Whether it goes on with what is recorded of it, as others may be doing right now."""
    time_limit: float | None = None
    """Seconds after which the sweep ends; `None` for as long as it takes."""
    max_failures: int | None = None
    """How many trials may fail before the sweep ends; `None` for any number."""
    began: str = field(default_factory=now)
    """When the plan was made, ISO 8601, UTC."""
    joined: ServiceSweep | None = None
    """A sweep that is at W&B already."""
    command: tuple[str, ...] | None = None
    """The program, and its words, by which W&B's command-line agent starts a trial."""
    warnings: tuple[Problem, ...] = ()

    def to_record(self, sweep_id: str, backend: str) -> dict[str, Any]:
        """The content of `sweep.json`."""
        return {
            "sweep_id": sweep_id,
            "backend": backend,
            "objective": {"name": self.objective.name, "goal": self.objective.goal},
            "budget": self.budget,
            "seed": self.seed,
            "keep_checkpoints": self.keep_checkpoints,
            "max_failures": self.max_failures,
            "storage": self.storage and masked_url(self.storage),
            "study": self.study,
            "project": self.project,
            "group": self.group,
            "config_path": self.config_path and str(self.config_path),
            "config": self.config.to_wandb(),
            "application": self.application,
            "versions": library_versions(),
            "created": self.resumes.record["created"] if self.resumes else self.began,
            "resumed": [*self.resumes.record.get("resumed", []), self.began] if self.resumes else [],
        }


class SweepOptions(TypedDict, total=False):
    """How a sweep is run, for what passes it on to `plan_sweep`."""

    backend: BackendName
    """`auto` (the default), `wandb` or `local`."""
    workers: int | None
    """How many processes train at once, at least 1; by default as many as the visible GPUs take, 1 without a GPU."""
    trials_per_gpu: int
    """How many of them share one GPU at most, each with its part of the memory; 1 by default."""
    keep_checkpoints: KeepCheckpoints | None
    """Whose checkpoints stay on disk: the `best` trial's (the default), `all`, or `none`."""
    resume: bool
    """Whether the sweep in `output_dir` goes on: what was finished counts, what was interrupted is tried again. What
    is not given is then as it is recorded."""
    allow_config_change: bool
    """Whether it may go on with another sweep file, seed, model, ..."""
    time_limit: float | str | None
    """Seconds, or a duration such as `3h30m`, after which the sweep ends."""
    max_failures: int | None
    """How many trials may fail before the sweep ends, at least 1."""
    storage: str | None
    """A database that machines share, `postgresql://USER@HOST/DATABASE`; the local backend's."""
    study: str | None
    """The sweep's name there: what is there already goes on, otherwise it begins by that name."""
    sweep_id: str | None
    """A sweep at W&B to join, `[ENTITY/PROJECT/]ID`."""
    entity: str | None
    """The W&B user or team; by default the file's, otherwise your own."""


class PlanOptions(SweepOptions, total=False):
    """All keywords of `plan_sweep` but `output_dir`."""

    objective: Objective | Callable[[SweepConfig], Objective] | None
    sweep_count: int | None
    seed: int | None
    project_name: str | None
    group: str | None
    join: bool
    command: Sequence[str] | None
    record: Mapping[str, Any] | None


def plan_sweep(
    trainer: Trainer | TrialFunction,
    config: SweepConfig | Mapping[str, Any] | str | Path | None,
    *,
    output_dir: str | Path,
    objective: Objective | Callable[[SweepConfig], Objective] | None = None,
    sweep_count: int | None = None,
    seed: int | None = None,
    backend: BackendName = "auto",
    workers: int | None = None,
    trials_per_gpu: int = 1,
    keep_checkpoints: KeepCheckpoints | None = None,
    resume: bool = False,
    allow_config_change: bool = False,
    time_limit: float | str | None = None,
    max_failures: int | None = None,
    storage: str | None = None,
    study: str | None = None,
    join: bool = False,
    sweep_id: str | None = None,
    entity: str | None = None,
    project_name: str | None = None,
    group: str | None = None,
    command: Sequence[str] | None = None,
    record: Mapping[str, Any] | None = None,
) -> Plan:
    """Check everything that can be checked before the first trial, and start nothing.

    Args:
        trainer: What trains a trial: a `Trainer`, or a function of the parameters and a report.
        config: The sweep file, read or not, or its content; `None` where `sweep_id` names a sweep.
        output_dir: Where the sweep will be recorded.
        objective: What is optimised, or how to tell from the sweep file; otherwise the file's metric.
        sweep_count: The number of trials, at least 1. Without it a grid runs whole, the others `run_cap` or 10
            trials; `run_cap` is kept to either way.
        seed: Of the search, from 0 to 2**32 - 1; 42 by default.
        backend: Where trials come from.
        workers: How many processes train at once, at least 1; by default as many as the visible GPUs take, 1 without.
        trials_per_gpu: How many of them share one GPU at most, each with its part of the memory; at least 1.
        keep_checkpoints: Whose checkpoints stay on disk: the `best` trial's (the default), `all`, or `none`.
        resume: Whether the sweep in `output_dir` goes on: what was finished counts, what was interrupted is tried
            again. What is not given is then as it is recorded.
        allow_config_change: Whether it may go on with another sweep file, seed, model, ...
        time_limit: Seconds, or a duration such as `3h30m`, after which the sweep ends: no trial is started that would
            not end in time, the running ones are interrupted.
        max_failures: How many trials may fail before the sweep ends, at least 1.
        storage: A database in which any number of machines share the sweep, as SQLAlchemy names it:
            `postgresql://USER@HOST/DATABASE`. Otherwise it is recorded in `output_dir`. The local backend's.
        study: The sweep's name there, letters, digits, `-` and `_`; a sweep of that name goes on. By default its id.
        join: Whether the sweep that is recorded in `output_dir`, or by the name of `study` in `storage`, goes on with
            what is recorded of it, on another machine or beside others: of all else that is said here, only
            `trainer`, `workers`, `trials_per_gpu` and `time_limit` count.
        sweep_id: A sweep at W&B that is joined, `[ENTITY/PROJECT/]ID`; its file is the one that W&B has.
        entity: The W&B user or team; otherwise the file's.
        project_name: The W&B project; otherwise the file's, otherwise WANDB_PROJECT, otherwise `bertnado`.
        group: The W&B group of the runs: the task.
        command: The program and its words that W&B's command-line agent is to start for a trial.
        record: What is to be written to `sweep.json` beside what the sweep itself knows. JSON-serialisable.

    Raises:
        InvalidInputError: Something is wrong; every problem is in it.
    """
    output = named_directory(output_dir)
    trainer = as_trainer(trainer)
    recorded = find_recorded(output, storage=storage, study=study) if resume or study else None
    if join:
        recorded = require_recorded(output, storage=storage, study=study)
    if recorded is not None:
        known = recorded.record
        if join:  # nothing else that is said here counts
            config = sweep_count = seed = keep_checkpoints = max_failures = project_name = group = record = None
            objective = recorded.objective
        sweep_id = sweep_id or recorded.path
        backend = cast("BackendName", recorded.backend) if backend == "auto" or join else backend
        config = config if config is not None or recorded.path else known["config"]
        storage, study = recorded.storage, recorded.study
        seed = known["seed"] if seed is None else seed
        keep_checkpoints = known["keep_checkpoints"] if keep_checkpoints is None else keep_checkpoints
        max_failures = known["max_failures"] if max_failures is None else max_failures
        project_name = known["project"] if project_name is None else project_name
        group = known["group"] if group is None else group
        record = known["application"] if record is None else record
        objective = objective or recorded.objective_of
    seed = DEFAULT_SEED if seed is None else seed
    keep_checkpoints = "best" if keep_checkpoints is None else keep_checkpoints
    choice, backend_problems = _choose_backend(backend, sweep_id, storage)
    joined = None
    if sweep_id is None:
        parsed, more = _read(config)
    elif choice is None or choice.backend != "wandb":
        parsed, more = None, ()
    else:
        joined, parsed, more = _join(sweep_id, entity, project_name, output)
    count, worker_problems = _count_workers(workers, trials_per_gpu, trainer)
    seconds, time_problems = _seconds(time_limit)
    problems = [
        *_output_problems(output, (joined and joined.id) or (recorded and recorded.sweep_id), resume, recorded),
        *_argument_problems(sweep_count, seed, keep_checkpoints, max_failures),
        *_resume_problems(resume, recorded, output, choice),
        *_storage_problems(storage, study),
        *project_problems(project_name),
        *backend_problems,
        *worker_problems,
        *time_problems,
        *more,
    ]
    if parsed is not None:
        found, more = _resolve(objective, parsed)
        problems += more
        problems += trainer.check(parsed, found or _STAND_IN)
        problems += _command_warnings(parsed, choice, command)
        if found is not None and recorded is not None and joined is None and not join:
            problems += recorded.problems_with(parsed, found, seed, record or {}, is_change_allowed=allow_config_change)
        if found is not None and choice is not None and not _errors(problems):
            budget = _budget(parsed, sweep_count, choice.backend)
            if recorded is not None and sweep_count is None:
                budget = recorded.budget
            if recorded is not None and joined is not None:
                budget = recorded.left_of(budget)
            count = max(min(count, budget), 1)
            _check_room(trainer, output, {"best": count + 1, "all": budget, "none": count}[keep_checkpoints])
            return Plan(
                trainer=trainer,
                config=parsed,
                objective=found,
                output_dir=output,
                budget=budget,
                seed=seed,
                backend=choice.backend,
                backend_reason=str(choice),
                config_path=Path(config).absolute() if isinstance(config, str | Path) else None,
                entity=joined.entity if joined else entity or parsed.entity,
                project=joined.project if joined else project_of(project_name, parsed.project),
                group=group,
                application=dict(record or {}),
                workers=count,
                keep_checkpoints=keep_checkpoints,
                storage=storage,
                study=study,
                resumes=recorded,
                is_joining=join,
                time_limit=seconds,
                max_failures=max_failures,
                joined=joined,
                command=tuple(command) if command else None,
                warnings=(*parsed.warnings, *problems),
            )
    raise InvalidInputError(_errors(problems), source=_source(config, problems))


def _output_problems(output: Path, known: str | None, resume: bool, recorded: RecordedSweep | None) -> list[Problem]:
    if resume and known is None and holds_record(output):
        return []  # said by `_resume_problems`
    if recorded is not None and recorded.is_damaged:
        return []  # it is repaired
    return output_problems(output, known=known)


def _resume_problems(
    resume: bool, recorded: RecordedSweep | None, output: Path, choice: Choice | None
) -> list[Problem]:
    if resume and recorded is None and holds_record(output):
        cure = "put the sweep.json of that sweep back, or begin another --output-dir"
        message = f"{output} has a journal and no sweep.json; {cure}"
        return [Problem("resume", message)]
    if resume and recorded is None:
        return [Problem("resume", f"no sweep is recorded in {output}; leave --resume out to begin one there")]
    if recorded is not None and choice is not None and choice.backend != recorded.backend:
        message = f"the sweep in {output} has the {recorded.backend} backend, not {choice.backend}; leave --backend out"
        return [Problem("resume", message)]
    return []


def _check_room(trainer: Trainer, output: Path, checkpoints: int) -> None:
    """See to it that so many checkpoints at once have room on the disk.

    Raises:
        InvalidInputError: They have not.
    """
    size = getattr(trainer, "checkpoint_bytes", None)
    problems = [] if size is None else room_problems(output, size, checkpoints)
    if problems:
        raise InvalidInputError(problems)


_STUDY = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _storage_problems(storage: str | None, study: str | None) -> list[Problem]:
    if study is not None and storage is None:
        return [STUDY_WITHOUT_STORAGE]
    if study is not None and not _STUDY.fullmatch(study):
        return [Problem("study", f"{study!r} is no name; use 1 to 64 letters, digits, - and _")]
    if storage is not None:
        try:
            open_storage(Path(), storage)
        except InvalidInputError as error:
            return list(error.problems)
    return []


_DURATION = re.compile(r"(?:(?P<days>\d+)d)?(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m(?:in)?)?(?:(?P<seconds>\d+)s?)?")


def _seconds(limit: float | str | None) -> tuple[float | None, list[Problem]]:
    """Read a duration: a number of seconds, or `2d`, `3h30m`, `90m`, `45s`."""
    if limit is None:
        return None, []
    found = _DURATION.fullmatch(str(limit).replace(" ", "").lower()) if isinstance(limit, str) else None
    parts = {name: int(value) for name, value in found.groupdict().items() if value} if found else {}
    try:
        seconds = timedelta(**parts).total_seconds() if isinstance(limit, str) else float(limit)
    except (OverflowError, ValueError, TypeError):
        seconds = math.inf
    if 0 < seconds <= LONGEST_LIMIT:
        return seconds, []
    message = f"{limit!r} is no duration; write 3h30m, 90m, 45s or 2d, more than nothing and at most a year"
    return None, [Problem("time_limit", message)]


def require_backend(backend: str) -> None:
    """See at once to it that a backend that is asked for by name can be used; `plan_sweep` does so among all else.

    Raises:
        InvalidInputError: It cannot.
    """
    if backend == "wandb":
        _, problems = _choose_backend(backend, None, None)
        if problems:
            raise InvalidInputError(problems)


def _choose_backend(backend: str, sweep_id: str | None, storage: str | None) -> tuple[Choice | None, list[Problem]]:
    if backend not in get_args(BackendName):
        message = f"{backend!r} is no backend; {', '.join(get_args(BackendName))} are"
        return None, [Problem("backend", message)]
    if sweep_id is not None and storage is not None:
        return None, [Problem("storage", "a sweep at W&B is recorded there; leave --storage or --sweep-id out")]
    if sweep_id is not None and backend == "local":
        return None, [Problem("sweep_id", "a sweep at W&B is joined with --backend wandb or auto, not local")]
    if storage is not None and backend == "wandb":
        return None, [Problem("storage", "a database is the local backend's; leave --storage out, or --backend wandb")]
    meant = {"auto": "wandb" if sweep_id else "local" if storage else "auto"}.get(backend, backend)
    try:
        return choose_backend(cast("BackendName", meant)), []
    except ValueError as error:
        return None, [Problem("backend", str(error))]


def _join(
    sweep_id: str, entity: str | None, project: str | None, output: Path
) -> tuple[ServiceSweep | None, SweepConfig | None, Sequence[Problem]]:
    try:
        with quiet_client(output):
            joined, document = find_sweep(sweep_id, entity=entity, project=project)
        return joined, parse_service_config(document, joined), ()
    except ServiceError as error:
        return None, None, [Problem("sweep_id", str(error))]
    except InvalidInputError as error:
        return None, None, error.problems


def _count_workers(workers: int | None, per_gpu: int, trainer: Trainer) -> tuple[int, list[Problem]]:
    """How many processes train at once, and what is wrong with what was asked for."""
    if workers is not None and workers < 1:
        return 1, [Problem("workers", f"{workers} is no number of workers; --workers is at least 1")]
    if per_gpu < 1:
        return 1, [Problem("trials_per_gpu", f"{per_gpu} trials share no GPU; --trials-per-gpu is at least 1")]
    gpus = len(visible_gpus())
    problems: list[Problem] = []
    if not gpus and per_gpu > 1:
        message = "no GPU is visible here, so it has no effect; --workers trains several trials at once without one"
        problems.append(Problem("trials_per_gpu", message, "warning"))
    if gpus and workers is not None and workers > gpus * per_gpu:
        cure = f"add --trials-per-gpu {-(-workers // gpus)}, or lower --workers to {gpus * per_gpu}"
        message = f"{workers} workers are more than {gpus} visible GPUs take at {per_gpu} trials each; {cure}"
        return 1, [Problem("workers", message)]
    count = workers or max(gpus * per_gpu, 1)
    obstacle = why_not_sendable(trainer) if count > 1 else None
    if obstacle is not None and workers is None:
        message = f"one trial at a time, because the trainer cannot be handed to worker processes: {obstacle}"
        return 1, [*problems, Problem("workers", message, "warning")]
    if obstacle is not None:
        problems.append(Problem("workers", f"the trainer cannot be handed to worker processes: {obstacle}"))
    return count, problems


def _command_warnings(config: SweepConfig, choice: Choice | None, command: Sequence[str] | None) -> list[Problem]:
    """Say which of the person's own keys keep `wandb agent` from starting BertNado."""
    if choice is None or choice.backend != "wandb" or not command:
        return []
    own = [name for name in ("program", "command") if name in config.to_wandb()]
    if not own:
        return []
    message = f"is kept as it is, so a plain `wandb agent` starts that and not {command[0]}"
    return [Problem(name, message, "warning") for name in own]


def as_trainer(trainer: Trainer | TrialFunction) -> Trainer:
    """The trainer itself, or one around a plain function.

    Raises:
        TypeError: It is neither.
    """
    if hasattr(trainer, "open") and hasattr(trainer, "check"):
        return cast("Trainer", trainer)
    if callable(trainer):
        return FunctionTrainer(trainer)
    raise TypeError(f"{trainer!r} is no trainer: it has no check and open, and it cannot be called")


def _errors(problems: Sequence[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "error"]


def _source(config: object, problems: Sequence[Problem]) -> str | None:
    """The file to blame: none where only the call is wrong."""
    is_file = isinstance(config, str | Path)
    return str(config) if is_file and any(problem.path not in _ARGUMENTS for problem in problems) else None


def _argument_problems(
    sweep_count: int | None, seed: int, keep_checkpoints: str, max_failures: int | None
) -> list[Problem]:
    problems: list[Problem] = []
    if sweep_count is not None and sweep_count < 1:
        problems.append(Problem("sweep_count", f"{sweep_count} is no number of trials; --sweep-count is at least 1"))
    if not 0 <= seed < _SEEDS:
        problems.append(Problem("seed", f"{seed} is no seed; --seed is from 0 to {_SEEDS - 1}"))
    if max_failures is not None and max_failures < 1:
        message = f"{max_failures} is no number of failures; --max-failures is at least 1"
        problems.append(Problem("max_failures", message))
    if keep_checkpoints not in get_args(KeepCheckpoints):
        known = ", ".join(get_args(KeepCheckpoints))
        problems.append(Problem("keep_checkpoints", f"{keep_checkpoints!r} says not whose; {known} do"))
    return problems


def _read(
    config: SweepConfig | Mapping[str, Any] | str | Path | None,
) -> tuple[SweepConfig | None, Sequence[Problem]]:
    if config is None:
        message = "a sweep file is needed, --config-path, or the id of a sweep at W&B, --sweep-id"
        return None, [Problem("config_path", message)]
    checked = check_sweep_config(config)
    return checked.config, checked.problems


def _resolve(
    objective: Objective | Callable[[SweepConfig], Objective] | None, config: SweepConfig
) -> tuple[Objective | None, Sequence[Problem]]:
    if isinstance(objective, Objective):
        return objective, ()
    try:
        return (objective or SweepConfig.resolve_objective)(config), ()
    except ValueError as error:
        return None, (Problem("metric", str(error)),)


def _budget(config: SweepConfig, sweep_count: int | None, backend: ChosenBackend) -> int:
    """How many trials the flag, `run_cap` and the space leave; W&B draws the same point again, unless from a grid."""
    size = space_size(config) if backend == "local" or config.method == "grid" else None
    limits = [limit for limit in (sweep_count, config.run_cap, size) if limit is not None]
    is_said = config.method == "grid" or sweep_count is not None or config.run_cap is not None
    return min(limits) if is_said else min([DEFAULT_TRIALS, *limits])


def new_sweep_id() -> str:
    """Eight characters, as W&B's ids have them."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
