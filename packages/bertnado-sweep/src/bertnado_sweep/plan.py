"""A sweep that has been checked and not been started."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast, get_args

from bertnado_config import Problem, SweepConfig, SweepConfigError, load_sweep_config, parse_sweep_config
from bertnado_metrics import Objective

from .best import KeepCheckpoints
from .function_trainer import FunctionTrainer
from .objective import declared_objective
from .record import library_versions, now, output_problems
from .space import space_size
from .wandb_environment import (
    DEFAULT_PROJECT,
    BackendName,
    Choice,
    ChosenBackend,
    choose_backend,
    project_of,
    quiet_client,
)
from .wandb_service import ServiceError, ServiceSweep, find_sweep, parse_service_config
from .workers import visible_gpus, why_not_sendable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bertnado_config import Trainer, TrialFunction

DEFAULT_TRIALS = 10
"""How many trials a random or bayes sweep has when nobody says."""

_STAND_IN = Objective("eval/loss", "minimize")
"""What a trainer checks against where the objective itself is a mistake: every task computes it."""

_ARGUMENTS = (
    *("output_dir", "sweep_count", "seed", "backend", "sweep_id", "config_path"),
    *("workers", "trials_per_gpu", "keep_checkpoints", "precision"),
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
            "project": self.project,
            "group": self.group,
            "config_path": self.config_path,
            "config": self.config.to_wandb(),
            "application": self.application,
            "versions": library_versions(),
            "created": now(),
        }


class SweepOptions(TypedDict, total=False):
    """How a sweep is run, for what passes it on to `plan_sweep`."""

    backend: BackendName
    """`auto` (the default), `wandb` or `local`."""
    workers: int | None
    """How many processes train at once, at least 1; by default as many as the visible GPUs take, 1 without a GPU."""
    trials_per_gpu: int
    """How many of them share one GPU at most, each with its part of the memory; 1 by default."""
    keep_checkpoints: KeepCheckpoints
    """Whose checkpoints stay on disk: the `best` trial's (the default), `all`, or `none`."""
    sweep_id: str | None
    """A sweep at W&B to join, `[ENTITY/PROJECT/]ID`."""
    entity: str | None
    """The W&B user or team; by default the file's, otherwise your own."""


class PlanOptions(SweepOptions, total=False):
    """All keywords of `plan_sweep` but `output_dir`."""

    objective: Objective | Callable[[SweepConfig], Objective] | None
    sweep_count: int | None
    seed: int
    project_name: str | None
    group: str | None
    command: Sequence[str] | None
    record: Mapping[str, Any] | None


def plan_sweep(
    trainer: Trainer | TrialFunction,
    config: SweepConfig | Mapping[str, Any] | str | Path | None,
    *,
    output_dir: str | Path,
    objective: Objective | Callable[[SweepConfig], Objective] | None = None,
    sweep_count: int | None = None,
    seed: int = 42,
    backend: BackendName = "auto",
    workers: int | None = None,
    trials_per_gpu: int = 1,
    keep_checkpoints: KeepCheckpoints = "best",
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
        seed: Of the search, from 0 to 2**32 - 1.
        backend: Where trials come from.
        workers: How many processes train at once, at least 1; by default as many as the visible GPUs take, 1 without.
        trials_per_gpu: How many of them share one GPU at most, each with its part of the memory; at least 1.
        keep_checkpoints: Whose checkpoints stay on disk: the `best` trial's, `all`, or `none`.
        sweep_id: A sweep at W&B that is joined, `[ENTITY/PROJECT/]ID`; its file is the one that W&B has.
        entity: The W&B user or team; otherwise the file's.
        project_name: The W&B project; otherwise the file's, otherwise WANDB_PROJECT, otherwise `bertnado`.
        group: The W&B group of the runs: the task.
        command: The program and its words that W&B's command-line agent is to start for a trial.
        record: What is to be written to `sweep.json` beside what the sweep itself knows. JSON-serialisable.

    Raises:
        SweepConfigError: Something is wrong; every problem is in it.
    """
    output = Path(output_dir).absolute()
    trainer = as_trainer(trainer)
    choice, backend_problems = _choose_backend("wandb" if sweep_id and backend == "auto" else backend, sweep_id)
    joined = None
    if sweep_id is None:
        parsed, more = _read(config)
    elif choice is None or choice.backend != "wandb":
        parsed, more = None, ()
    else:
        joined, parsed, more = _join(sweep_id, entity, project_name, output)
    count, worker_problems = _count_workers(workers, trials_per_gpu, trainer)
    problems = [
        *output_problems(output, joined=joined and joined.id),
        *_argument_problems(sweep_count, seed, keep_checkpoints),
        *backend_problems,
        *worker_problems,
        *more,
    ]
    if parsed is not None:
        found, more = _resolve(objective, parsed)
        problems += more
        problems += trainer.check(parsed, found or _STAND_IN)
        problems += _command_warnings(parsed, choice, command)
        if found is not None and choice is not None and not _errors(problems):
            budget = _budget(parsed, sweep_count, choice.backend)
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
                workers=min(count, budget),
                keep_checkpoints=keep_checkpoints,
                joined=joined,
                command=tuple(command) if command else None,
                warnings=(*parsed.warnings, *problems),
            )
    raise SweepConfigError(_errors(problems), source=_source(config, problems))


def require_backend(backend: str) -> None:
    """See at once to it that a backend that is asked for by name can be used; `plan_sweep` does so among all else.

    Raises:
        SweepConfigError: It cannot.
    """
    if backend == "wandb":
        _, problems = _choose_backend(backend, None)
        if problems:
            raise SweepConfigError(problems)


def _choose_backend(backend: str, sweep_id: str | None) -> tuple[Choice | None, list[Problem]]:
    if backend not in get_args(BackendName):
        message = f"{backend!r} is no backend; {', '.join(get_args(BackendName))} are"
        return None, [Problem("backend", message)]
    if sweep_id is not None and backend == "local":
        return None, [Problem("sweep_id", "a sweep at W&B is joined with --backend wandb or auto, not local")]
    try:
        return choose_backend(cast("BackendName", backend)), []
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
    except SweepConfigError as error:
        return None, error.usable, error.problems


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


def _argument_problems(sweep_count: int | None, seed: int, keep_checkpoints: str) -> list[Problem]:
    problems: list[Problem] = []
    if sweep_count is not None and sweep_count < 1:
        problems.append(Problem("sweep_count", f"{sweep_count} is no number of trials; --sweep-count is at least 1"))
    if not 0 <= seed < _SEEDS:
        problems.append(Problem("seed", f"{seed} is no seed; --seed is from 0 to {_SEEDS - 1}"))
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
    try:
        if isinstance(config, SweepConfig):
            return config, ()
        if isinstance(config, str | Path):
            return load_sweep_config(config), ()
        return parse_sweep_config(config), ()
    except SweepConfigError as error:
        return error.usable, error.problems


def _resolve(
    objective: Objective | Callable[[SweepConfig], Objective] | None, config: SweepConfig
) -> tuple[Objective | None, Sequence[Problem]]:
    if isinstance(objective, Objective):
        return objective, ()
    try:
        return (objective or declared_objective)(config), ()
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
