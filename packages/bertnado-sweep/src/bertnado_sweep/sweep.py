"""A whole sweep, from a sweep file and a trainer to the best trial."""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from .backends.wandb.environment import quiet_client
from .plan import Plan, PlanOptions, plan_sweep
from .records.best import BEST_CONFIG_FILE, NoEligibleTrialError, best_so_far, choose_best, export_if_better
from .running.events import Note, Observer, SweepStarted, log_warnings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bertnado_config import Problem, SweepConfig, Trainer, TrialFunction
    from bertnado_metrics import Objective

    from .backends.base import Backend
    from .records.trial import Trial


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
    observer: Observer | None = None,
    **options: Unpack[PlanOptions],
) -> SweepResult:
    """Run a sweep: propose, train, record, stop early, choose and export the best.

    A script that starts several workers, as a machine with several GPUs does by itself, calls this below
    `if __name__ == "__main__":`, since each of their processes reads the script.

    Args:
        trainer: What trains a trial: a `Trainer`, or a function of the parameters and a report that returns
            the objective's value.
        config: The sweep file, read or not, or its content; `None` where `sweep_id` names a sweep.
        output_dir: Where everything is written; it must not hold another sweep's record.
        observer: Hears of everything that happens.
        options: See `plan_sweep`.

    Raises:
        InvalidInputError: Something is wrong; every problem is in it, and nothing was started.
        NoEligibleTrialError: No trial came to a value.
        Interrupted: A signal broke it off; what was finished is recorded and the best so far exported.
        TooManyFailuresError: Its trials failed, so it ended early.
        ServiceError: W&B did not make the sweep, or no longer answers; what was finished is on disk.
        OSError: The record cannot be written.
    """
    return run_plan(plan_sweep(trainer, config, output_dir=output_dir, **options), observer=observer)


def run_plan(plan: Plan, *, observer: Observer | None = None) -> SweepResult:
    """Run a sweep that `plan_sweep` has checked.

    Raises:
        NoEligibleTrialError: No trial came to a value.
        Interrupted: A signal broke it off; what was finished is recorded and the best so far exported.
        TooManyFailuresError: Its trials failed, so it ended early.
        ServiceError: W&B did not make the sweep, or no longer answers; what was finished is on disk.
        OSError: The record cannot be written.
    """
    listen = observer or log_warnings
    with quiet_client(plan.output_dir) if plan.backend == "wandb" else nullcontext():
        return _run(plan, listen)


def _run(plan: Plan, listen: Observer) -> SweepResult:
    with closing(_create_backend(plan)) as backend:
        listen(
            SweepStarted(
                backend.sweep_id,
                plan.budget,
                plan.objective,
                plan.output_dir,
                plan.config,
                done=sum(trial.is_counted for trial in backend.trials()) if plan.resumes and not plan.joined else 0,
                warnings=plan.warnings,
                notes=(f"backend: {plan.backend_reason}", *backend.notes),
            )
        )
        backend.work(listen)
        trials = backend.trials()
        best = choose_best(trials, plan.objective)
        if best is None:
            raise NoEligibleTrialError(trials)
        export_if_better(trials, best, plan.objective, plan.output_dir, backend.sweep_id)  # perhaps another machine's
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
        from .backends.wandb.backend import WandbBackend

        return WandbBackend.create(plan)
    from .backends.local.backend import LocalBackend

    return LocalBackend.create(plan)
