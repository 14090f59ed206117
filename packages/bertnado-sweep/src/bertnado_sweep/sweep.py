"""A whole sweep, from a sweep file and a trainer to the best trial."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .best import BEST_CONFIG_FILE, NoEligibleTrialError, best_so_far, choose_best, export_best, exported_trial
from .events import Note, Observer, SweepStarted, log_warnings
from .plan import Plan, plan_sweep
from .wandb_environment import quiet_client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bertnado_config import Problem, SweepConfig, Trainer, TrialFunction
    from bertnado_metrics import Objective

    from .backend import Backend
    from .trial import Trial
    from .wandb_environment import BackendName


@dataclass(frozen=True)
class SweepResult:
    """What a sweep came to."""

    sweep_id: str
    best: Trial
    trials: tuple[Trial, ...]
    """All of them, by number."""
    objective: Objective
    output_dir: Path
    best_config_path: Path
    """`best_sweep_config.json`: the best trial's parameters and the objective."""
    warnings: tuple[Problem, ...] = ()
    """What is worth knowing about the sweep file."""

    def to_dict(self) -> dict[str, Any]:
        """The result in plain values, see `best_so_far`."""
        return best_so_far(self.output_dir)


def run_sweep(
    trainer: Trainer | TrialFunction,
    config: SweepConfig | Mapping[str, Any] | str | Path | None,
    *,
    output_dir: str | Path,
    objective: Objective | Callable[[SweepConfig], Objective] | None = None,
    sweep_count: int | None = None,
    seed: int = 42,
    backend: BackendName = "auto",
    workers: int = 1,
    sweep_id: str | None = None,
    entity: str | None = None,
    project_name: str | None = None,
    group: str | None = None,
    command: Sequence[str] | None = None,
    record: Mapping[str, Any] | None = None,
    observer: Observer | None = None,
) -> SweepResult:
    """Run a sweep: propose, train, record, stop early, choose and export the best.

    Args:
        trainer: What trains a trial: a `Trainer`, or a function of the parameters and a report that returns
            the objective's value.
        config: The sweep file, read or not, or its content; `None` where `sweep_id` names a sweep.
        output_dir: Where everything is written; it must not hold another sweep's record.
        objective: What is optimised, or how to tell from the sweep file; otherwise the file's metric.
        sweep_count: The number of trials, at least 1. Without it a grid runs whole, the others `run_cap` or 10
            trials; `run_cap` is kept to either way.
        seed: Of the search, from 0 to 2**32 - 1.
        backend: Where trials come from.
        workers: How many processes train at once, each with a GPU of its own.
        sweep_id: A sweep at W&B that is joined, `[ENTITY/PROJECT/]ID`; its file is the one that W&B has.
        entity: The W&B user or team; otherwise the file's.
        project_name: The W&B project; otherwise the file's, otherwise WANDB_PROJECT, otherwise `bertnado`.
        group: The W&B group of the runs: the task.
        command: The program and its words that W&B's command-line agent is to start for a trial.
        record: What is to be written to `sweep.json` beside what the sweep itself knows. JSON-serialisable.
        observer: Hears of everything that happens.

    Raises:
        SweepConfigError: Something is wrong; every problem is in it, and nothing was started.
        NoEligibleTrialError: No trial came to a value.
        KeyboardInterrupt: It was broken off; what was finished is recorded and the best so far exported.
        ServiceError: W&B did not make the sweep, or no longer answers; what was finished is on disk.
        OSError: The record cannot be written.
    """
    plan = plan_sweep(
        trainer,
        config,
        output_dir=output_dir,
        objective=objective,
        sweep_count=sweep_count,
        seed=seed,
        backend=backend,
        workers=workers,
        sweep_id=sweep_id,
        entity=entity,
        project_name=project_name,
        group=group,
        command=command,
        record=record,
    )
    return run_plan(plan, observer=observer)


def run_plan(plan: Plan, *, observer: Observer | None = None) -> SweepResult:
    """Run a sweep that `plan_sweep` has checked.

    Raises:
        NoEligibleTrialError: No trial came to a value.
        KeyboardInterrupt: It was broken off; what was finished is recorded and the best so far exported.
        ServiceError: W&B did not make the sweep, or no longer answers; what was finished is on disk.
        OSError: The record cannot be written.
    """
    listen = observer or log_warnings
    with quiet_client(plan.output_dir) if plan.backend == "wandb" else nullcontext():
        return _run(plan, listen)


def _run(plan: Plan, listen: Observer) -> SweepResult:
    backend = _create_backend(plan)
    listen(
        SweepStarted(
            backend.sweep_id,
            plan.budget,
            plan.objective,
            plan.output_dir,
            plan.config,
            plan.warnings,
            (f"backend: {plan.backend_reason}", *backend.notes),
        )
    )
    backend.work(listen)
    trials = backend.trials()
    best = choose_best(trials, plan.objective)
    if best is None:
        raise NoEligibleTrialError(trials)
    if exported_trial(plan.output_dir) != best.id:  # another machine trained it
        export_best(best, plan.objective, plan.output_dir, backend.sweep_id)
    for note in backend.conclude(trials, best):
        listen(Note(note))
    return SweepResult(
        sweep_id=backend.sweep_id,
        best=best,
        trials=trials,
        objective=plan.objective,
        output_dir=plan.output_dir,
        best_config_path=plan.output_dir / BEST_CONFIG_FILE,
        warnings=plan.warnings,
    )


def _create_backend(plan: Plan) -> Backend:
    if plan.backend == "wandb":
        from .wandb_backend import WandbBackend

        return WandbBackend.create(plan)
    from .local import LocalBackend

    return LocalBackend.create(plan)
