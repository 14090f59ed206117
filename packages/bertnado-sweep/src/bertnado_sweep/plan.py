"""A sweep that has been checked and not been started."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from bertnado_config import Problem, SweepConfig, SweepConfigError, load_sweep_config, parse_sweep_config
from bertnado_metrics import Objective

from .function_trainer import FunctionTrainer
from .objective import declared_objective
from .record import library_versions, now, output_problems
from .space import space_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bertnado_config import Trainer, TrialFunction

BackendName = Literal["auto", "wandb", "local"]
"""Where trials come from; `auto` is `local`."""

DEFAULT_TRIALS = 10
"""How many trials a random or bayes sweep has when nobody says."""

_STAND_IN = Objective("eval/loss", "minimize")
"""What a trainer checks against where the objective itself is a mistake: every task computes it."""

_ARGUMENTS = ("output_dir", "sweep_count", "seed", "backend")
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
    config_path: Path | None = None
    project: str | None = None
    group: str | None = None
    application: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the application wants recorded of the sweep: model, dataset, task, ..."""
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


def plan_sweep(
    trainer: Trainer | TrialFunction,
    config: SweepConfig | Mapping[str, Any] | str | Path,
    *,
    output_dir: str | Path,
    objective: Objective | Callable[[SweepConfig], Objective] | None = None,
    sweep_count: int | None = None,
    seed: int = 42,
    backend: BackendName = "auto",
    project_name: str | None = None,
    group: str | None = None,
    record: Mapping[str, Any] | None = None,
) -> Plan:
    """Check everything that can be checked before the first trial, and start nothing.

    Args:
        trainer: What trains a trial: a `Trainer`, or a function of the parameters and a report.
        config: The sweep file, read or not, or its content.
        output_dir: Where the sweep will be recorded.
        objective: What is optimised, or how to tell from the sweep file; otherwise the file's metric.
        sweep_count: The number of trials, at least 1. Without it a grid runs whole, the others `run_cap` or 10
            trials; `run_cap` is kept to either way.
        seed: Of the search, from 0 to 2**32 - 1.
        backend: Where trials come from.
        project_name: The W&B project; otherwise the file's.
        group: The W&B group of the runs: the task.
        record: What is to be written to `sweep.json` beside what the sweep itself knows. JSON-serialisable.

    Raises:
        SweepConfigError: Something is wrong; every problem is in it.
    """
    output = Path(output_dir).absolute()
    trainer = as_trainer(trainer)
    problems = [*output_problems(output), *_argument_problems(sweep_count, seed, backend)]
    parsed, more = _read(config)
    problems += more
    if parsed is not None:
        found, more = _resolve(objective, parsed)
        problems += more
        problems += trainer.check(parsed, found or _STAND_IN)
        if found is not None and not _errors(problems):
            return Plan(
                trainer=trainer,
                config=parsed,
                objective=found,
                output_dir=output,
                budget=_budget(parsed, sweep_count),
                seed=seed,
                config_path=Path(config).absolute() if isinstance(config, str | Path) else None,
                project=project_name or parsed.project,
                group=group,
                application=dict(record or {}),
                warnings=(*parsed.warnings, *problems),
            )
    raise SweepConfigError(_errors(problems), source=_source(config, problems))


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


def _argument_problems(sweep_count: int | None, seed: int, backend: str) -> list[Problem]:
    problems: list[Problem] = []
    if backend == "wandb":
        cure = "--backend local needs no account, and tracks each trial offline for `wandb sync`"
        problems.append(Problem("backend", f"--backend wandb is not there yet; {cure}"))
    elif backend not in get_args(BackendName):
        problems.append(Problem("backend", f"{backend!r} is no backend; {', '.join(get_args(BackendName))} are"))
    if sweep_count is not None and sweep_count < 1:
        problems.append(Problem("sweep_count", f"{sweep_count} is no number of trials; --sweep-count is at least 1"))
    if not 0 <= seed < _SEEDS:
        problems.append(Problem("seed", f"{seed} is no seed; --seed is from 0 to {_SEEDS - 1}"))
    return problems


def _read(config: SweepConfig | Mapping[str, Any] | str | Path) -> tuple[SweepConfig | None, Sequence[Problem]]:
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


def _budget(config: SweepConfig, sweep_count: int | None) -> int:
    """How many trials the flag, `run_cap` and the space leave."""
    size = space_size(config)
    limits = [limit for limit in (sweep_count, config.run_cap, size) if limit is not None]
    is_said = config.method == "grid" or sweep_count is not None or config.run_cap is not None
    return min(limits) if is_said else min([DEFAULT_TRIALS, *limits])


def new_sweep_id() -> str:
    """Eight characters, as W&B's ids have them."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
