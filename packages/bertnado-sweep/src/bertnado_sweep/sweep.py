"""A whole sweep, from a sweep file and a trainer to the best trial."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .backends import get_backend_type
from .planning import plan_sweep
from .records.best import BEST_CONFIG_FILE, NoEligibleTrialError, best_so_far, choose_best, export_if_better
from .records.winner import winner_notes
from .running.events import Note, Observer, SweepStarted, log_warnings
from .start import JoinedSweep, ResumedSweep

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bertnado_config import Problem, SweepConfig, Trainer, TrialFunction
    from bertnado_metrics import Objective

    from .backends import Backend
    from .plan import Plan
    from .records.trial import Trial


@dataclass(frozen=True)
class SweepResult:
    """The trials of a sweep and the best of them."""

    sweep_id: str
    best: Trial
    trials: tuple[Trial, ...]
    """All of them, by number."""
    objective: Objective
    output_dir: Path
    best_config_path: Path
    """`best_sweep_config.json`: the best trial's parameters and the objective."""
    warnings: tuple[Problem, ...] = ()
    """Warnings about the sweep file."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result in plain values, see `best_so_far`."""
        return best_so_far(self.output_dir)


def run_sweep(
    trainer: Trainer | TrialFunction,
    config: SweepConfig | Mapping[str, Any] | str | Path | None,
    *,
    output_dir: str | Path,
    observer: Observer | None = None,
    **options: Any,
) -> SweepResult:
    """Run a sweep: propose, train, record, stop early, choose and export the best.

    A script that starts several workers, which is the default on a machine with several GPUs, must call this below
    `if __name__ == "__main__":`, because each worker process imports the script.

    Args:
        trainer: A `Trainer`, or a function of the parameters and a report that returns the value of the objective.
        config: The sweep file, read or not, or its content; None for a sweep that is recorded or at W&B.
        output_dir: The directory to write everything to; it must not contain another sweep.
        observer: Called with every event.
        options: The options of `SweepOptions`, and the arguments of `plan_sweep`.

    Raises:
        InvalidInputError: Something is wrong; every problem is in it, and nothing was started.
        NoEligibleTrialError: No trial has a value.
        Interrupted: A signal interrupted it; what was finished is recorded and the best so far exported.
        TooManyFailuresError: Its trials failed, so it ended early.
        ServiceError: W&B did not create the sweep, or no longer answers; what was finished is on disk.
        OSError: The record cannot be written.
    """
    return run_plan(plan_sweep(trainer, config, output_dir=output_dir, **options), observer=observer)


def run_plan(plan: Plan, *, observer: Observer | None = None) -> SweepResult:
    """Run a sweep that `plan_sweep` has checked.

    Raises:
        NoEligibleTrialError: No trial has a value.
        Interrupted: A signal interrupted it; what was finished is recorded and the best so far exported.
        TooManyFailuresError: Its trials failed, so it ended early.
        ServiceError: W&B did not create the sweep, or no longer answers; what was finished is on disk.
        OSError: The record cannot be written.
    """
    kind = get_backend_type(plan.backend.name)
    with kind.prepared(plan.output_dir), closing(kind.create(plan)) as backend:
        return _run(plan, backend, observer or log_warnings)


def _run(plan: Plan, backend: Backend, listen: Observer) -> SweepResult:
    listen(
        SweepStarted(
            backend.sweep_id,
            plan.budget,
            plan.objective,
            plan.output_dir,
            plan.config,
            done=_count_done(plan, backend),
            warnings=plan.warnings,
            notes=(f"backend: {plan.backend}", *backend.notes),
        )
    )
    backend.work(listen)
    trials = backend.trials()
    best = choose_best(trials, plan.objective)
    if best is None:
        raise NoEligibleTrialError(trials)
    export_if_better(trials, best, plan.objective, plan.output_dir, backend.sweep_id)  # perhaps another machine's
    for note in (*backend.conclude(trials, best), *winner_notes(trials, best, plan.objective)):
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


def _count_done(plan: Plan, backend: Backend) -> int:
    """Return how many trials of the budget were finished before; the budget at W&B is what is left."""
    if not isinstance(plan.start, ResumedSweep | JoinedSweep):
        return 0
    return sum(trial.is_counted for trial in backend.trials())
