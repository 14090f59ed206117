"""A whole sweep, from a sweep file and a trainer to the best trial."""

from __future__ import annotations

import os
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bertnado_config import parse_sweep_config

from .backends import get_backend_type
from .backends.base import work_and_tell
from .confirmation.confirm import confirm_sweep
from .confirmation.text import replacement_note
from .planning import plan_sweep
from .records.best import BEST_CONFIG_FILE, NoEligibleTrialError, best_so_far, choose_best, export_if_better
from .records.files import SWEEP_FILE, named_directory
from .records.presence import Turn
from .records.trial import JOB_VARIABLE
from .records.winner import winner_notes
from .running.events import Event, Note, Observer, SweepStarted, log_warnings
from .search.edges import edge_notes

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
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
    finished: int = 0
    """The number of trials that count towards the budget: those that completed, were stopped early or failed."""
    budget: int = 0
    """The number of trials that the sweep was to run."""
    ended_by: str | None = None
    """What ended the sweep before its budget was met, such as "the time limit" or "SIGUSR1"; None if nothing did, or if
    its own rules ended it: its space is spent, or its target reached."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result in plain values: that of `best_so_far`, `finished`, `budget` and `ended_by`."""
        progress = {"finished": self.finished, "budget": self.budget, "ended_by": self.ended_by}
        return best_so_far(self.output_dir) | progress


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
        WorkersLeftError: This machine fails, so all of its workers have left.
        ServiceError: W&B did not create the sweep, or no longer answers; what was finished is on disk.
        OSError: The record cannot be written.
    """
    with taking_turns(output_dir, observer or log_warnings, **options) as listen:
        return run_plan(plan_sweep(trainer, config, output_dir=output_dir, **options), observer=listen)


@contextmanager
def taking_turns(
    output_dir: str | Path, observer: Observer, *, join_or_begin: bool | None = None, **_: Any
) -> Generator[Observer]:
    """Let one process at a time plan a sweep and begin it, if `join_or_begin` is set.

    Args:
        output_dir: The output directory.
        observer: Called with every event.
        join_or_begin: See `SweepOptions`.

    Yields:
        The observer for the sweep: when it has begun, the next process has its turn.
    """
    if not join_or_begin:
        yield observer
        return
    output = named_directory(output_dir)
    with Turn(output) as turn:
        if (output / SWEEP_FILE).exists():
            turn.end()

        def listen(event: Event) -> None:
            if isinstance(event, SweepStarted):
                turn.end()
            observer(event)

        yield listen


def begin_plan(plan: Plan) -> str:
    """Record a sweep that `plan_sweep` has checked, for other processes to work on, and return its id.

    At W&B, where each agent counts its own trials alone, a new sweep gets the number of trials as its `run_cap`.

    Raises:
        InvalidInputError: Another sweep is recorded there.
        ServiceError: W&B did not create the sweep.
        OSError: The record cannot be written.
    """
    kind = get_backend_type(plan.backend.name)
    if plan.backend.name == "wandb" and plan.recorded is None:
        plan = replace(plan, config=parse_sweep_config({**plan.config.to_wandb(), "run_cap": plan.budget}))
    with kind.prepared(plan.output_dir), closing(kind.create(plan)) as backend:
        return backend.sweep_id


def run_plan(plan: Plan, *, observer: Observer | None = None) -> SweepResult:
    """Run a sweep that `plan_sweep` has checked.

    Raises:
        NoEligibleTrialError: No trial has a value.
        Interrupted: A signal interrupted it; what was finished is recorded and the best so far exported.
        TooManyFailuresError: Its trials failed, so it ended early.
        WorkersLeftError: This machine fails, so all of its workers have left.
        ServiceError: W&B did not create the sweep, or no longer answers; what was finished is on disk.
        OSError: The record cannot be written.
    """
    kind, listen, began = get_backend_type(plan.backend.name), observer or log_warnings, time.monotonic()
    with kind.prepared(plan.output_dir), closing(kind.create(plan)) as backend:
        result = _run(plan, backend, listen)
    return _confirm(plan, result, began, listen) if _is_to_be_confirmed(plan) else result


def _is_to_be_confirmed(plan: Plan) -> bool:
    """Return True if this process confirms the best trials, perhaps together with others.

    Of machines that share a database alone only the first does: a confirmation is in an output directory. Jobs share
    that as well.
    """
    has_other_directory = plan.options.storage is not None and plan.recorded is not None
    return plan.options.confirm_top is not None and (not has_other_directory or JOB_VARIABLE in os.environ)


def _confirm(plan: Plan, result: SweepResult, began: float, listen: Observer) -> SweepResult:
    """Confirm the best trials of a sweep that has ended, as many as there are, in what is left of the time limit."""
    options, limit = plan.options, plan.options.time_limit
    left = None if limit is None else limit - (time.monotonic() - began)
    ended_by = result.ended_by or ("the time limit" if left is not None and left <= 0 else None)
    if ended_by is not None:
        listen(Note(f"{ended_by} left no time to confirm the best trials; bertnado confirm does it later"))
        return replace(result, ended_by=ended_by)
    found = confirm_sweep(
        plan.trainer,
        plan.output_dir,
        top=options.confirm_top or 1,
        is_top_exact=False,
        seeds=options.confirm_seeds,
        folds=options.confirm_folds,
        observer=listen,
        storage=options.storage,
        workers=options.workers,
        trials_per_gpu=options.trials_per_gpu,
        time_limit=left,
    )
    return replace(result, ended_by=found.ended_by)


def _run(plan: Plan, backend: Backend, listen: Observer) -> SweepResult:
    listen(
        SweepStarted(
            backend.sweep_id,
            plan.budget,
            plan.objective,
            plan.output_dir,
            plan.config,
            finished=backend.count_finished(),
            warnings=plan.warnings,
            forecast=plan.forecast,
            notes=(f"backend: {plan.backend}", *([f"device: {plan.device}"] if plan.device else []), *backend.notes),
        )
    )
    early = work_and_tell(backend, plan.budget, listen)
    trials = backend.trials()
    best = choose_best(trials, plan.objective)
    if best is None:
        raise NoEligibleTrialError(trials, early and early.cause)
    export_if_better(trials, best, plan.objective, plan.output_dir, backend.sweep_id)  # perhaps another machine's
    worth = (*winner_notes(trials, best, plan.objective), *edge_notes(plan.config, trials, plan.objective))
    replacement = replacement_note(plan.output_dir, backend.sweep_id, best, plan.objective)
    for note in (*backend.conclude(trials, best), *worth, *replacement):
        listen(Note(note))
    return SweepResult(
        sweep_id=backend.sweep_id,
        best=best,
        trials=trials,
        objective=plan.objective,
        output_dir=plan.output_dir,
        best_config_path=plan.output_dir / BEST_CONFIG_FILE,
        warnings=plan.warnings,
        finished=backend.count_finished(),
        budget=plan.budget,
        ended_by=early and early.cause,
    )
