"""Confirming the best trials of a sweep: planned, run and recorded."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import ArgumentProblem, InvalidInputError, Problem, parse_sweep_config, write_json

from bertnado_sweep.backends import get_backend_type
from bertnado_sweep.backends.base import work_and_tell
from bertnado_sweep.backends.wandb.environment import WandbUnavailableError, quiet_wandb, require_wandb
from bertnado_sweep.backends.wandb.service import merge_trials
from bertnado_sweep.folding import find_folds
from bertnado_sweep.planning import FEWEST_SEEDS, as_trainer, plan_sweep
from bertnado_sweep.records.best import (
    NoEligibleTrialError,
    best_so_far,
    choose_best,
    export_if_better,
    left_checkpoint,
    remove_checkpoint,
)
from bertnado_sweep.records.confirmation import (
    CONFIRMATION_DIRECTORY,
    CONFIRMATION_FILE,
    FOLDS_DIRECTORY,
    Confirmation,
    read_confirmation,
)
from bertnado_sweep.records.files import SWEEP_FILE, named_directory
from bertnado_sweep.records.kept_run import kept_run
from bertnado_sweep.records.presence import Presence, Turn
from bertnado_sweep.records.service_sweep import ServiceSweep
from bertnado_sweep.resume import find_recorded, read_recorded
from bertnado_sweep.running.events import Note, SweepStarted, log_warnings

from .design import FINALIST, SEED, Design
from .finalists import choose_finalists, distinct_trials, fresh_seeds
from .record import confirmation_record
from .runs import ConfirmationOrder, ConfirmationRuns, FinalistTrainer, RunTable
from .text import describe_confirmation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_config import Trainer, TrialFunction

    from bertnado_sweep.backends import Backend
    from bertnado_sweep.plan import Plan
    from bertnado_sweep.records.recorded_sweep import RecordedSweep
    from bertnado_sweep.records.trial import Trial
    from bertnado_sweep.running.events import Event, Observer

DEFAULT_TOP, DEFAULT_SEEDS, DEFAULT_SEEDS_OF_FOLD = 3, 5, 1


class NotConfirmedError(NoEligibleTrialError):
    """No finalist has two values, or one in each fold. The message names each reason once."""

    are_folds: bool = False
    """True of a confirmation over folds."""

    def __str__(self) -> str:
        reasons = dict.fromkeys(trial.error or trial.state for trial in self.trials if not trial.is_eligible)
        values = "a value in every fold" if self.are_folds else "values with two seeds"
        lines = [f"no finalist has {values}, so none is confirmed:", *(f"  {reason}" for reason in reasons)]
        return "\n".join([*lines, "  --retry-failed tries them again"])


@dataclass(frozen=True)
class ConfirmationResult:
    """The result of a confirmation."""

    output_dir: Path
    """The output directory of the sweep."""
    confirmation: Confirmation | None
    """None if it ended before it was complete."""
    finished: int
    """The number of runs that completed or failed."""
    budget: int
    """The number of runs if no finalist is dropped."""
    ended_by: str | None = None
    """What ended it before it was complete, such as "the time limit"."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result in plain values: that of `best_so_far`, the finalists, and how far it came."""
        found = self.confirmation
        finalists = [] if found is None else [row.model_dump(exclude={"runs", "parameters"}) for row in found.finalists]
        return {
            **best_so_far(self.output_dir),
            "winner": None if found is None else found.winner,
            "finalists": finalists,
            "confirmation_path": None if found is None else str(self.output_dir / CONFIRMATION_FILE),
            "finished": self.finished,
            "budget": self.budget,
            "ended_by": self.ended_by,
        }


def confirm_sweep(
    trainer: Trainer | TrialFunction,
    output_dir: str | Path,
    *,
    top: int = DEFAULT_TOP,
    seeds: int | None = None,
    folds: str | None = None,
    is_top_exact: bool = True,
    observer: Observer | None = None,
    **options: Any,
) -> ConfirmationResult:
    """Train the best trials of a sweep anew with fresh seeds, and export the one with the best mean.

    All finalists have the same seeds, none of which the search has used. With `folds` they are trained and validated on
    other rows as well: for each group of a column, on all training and validation rows of the other groups, and on
    those of the group; every fold has its own seed. A finalist that is clearly behind after two seeds or folds
    gets no more, see `ranking`. The runs have their own directory and journal, so that neither the sampler nor
    the budget of the sweep sees them. A confirmation that was interrupted or killed continues when the call is
    repeated; one with more finalists or seeds adds to it.

    Args:
        trainer: The trainer of the sweep.
        output_dir: The output directory of the sweep.
        top: The number of finalists, at least 1. Trials that differ in the seed alone count once. A trial that was
            confirmed before is one more.
        seeds: The number of seeds, at least 2 and by default 5; with `folds`, of each fold, by default 1.
        folds: The column of the trainer's data, see `bertnado_config.FoldingTrainer`.
        is_top_exact: Refuse a sweep that has fewer trials with a value than `top`; otherwise all of them are confirmed.
        observer: Called with every event; the runs are trials to it.
        options: Options of this machine, see `SweepOptions`: `workers`, `trials_per_gpu`, `time_limit`,
            `save_state_every`, `retry_failed`, and the `storage` of the sweep.

    Raises:
        InvalidInputError: Something is wrong; every problem is in it, and nothing was started.
        NotConfirmedError: No finalist has two values, or with `folds` one in each.
        Interrupted: A signal interrupted it; what was finished is recorded.
        TooManyFailuresError: Its runs failed, so it ended early.
        WorkersLeftError: This machine fails.
        OSError: The record cannot be written.
    """
    listen = observer or log_warnings
    storage: str | None = options.pop("storage", None)
    recorded = require_confirmable(output_dir, storage=storage)
    with Turn(recorded.output_dir) as turn:  # the first process begins it, and the others join it

        def listen_and_end_turn(event: Event) -> None:
            if isinstance(event, SweepStarted):
                turn.end()
            listen(event)

        final = _Confirmation(recorded, as_trainer(trainer), top, seeds, folds, is_top_exact=is_top_exact)
        plan = final.plan(options)
        return final.run(plan, listen_and_end_turn)


class _Confirmation:
    """The confirmation of one sweep."""

    def __init__(
        self,
        recorded: RecordedSweep,
        trainer: Trainer,
        top: int,
        seeds: int | None,
        folds: str | None,
        *,
        is_top_exact: bool,
    ) -> None:
        """Choose the finalists, the seeds and the folds.

        Raises:
            InvalidInputError: There are too few trials, or seeds, or the column of the folds cannot be used.
        """
        seeds = (DEFAULT_SEEDS if folds is None else DEFAULT_SEEDS_OF_FOLD) if seeds is None else seeds
        self._recorded = recorded
        self._objective = recorded.objective
        self._output_dir = recorded.output_dir
        trials = self._search_trials()
        ranked = distinct_trials(trials, self._objective, trainer)
        if ranked and not is_top_exact:
            top = min(top, len(ranked))
        problems = _count_problems(recorded.output_dir, len(ranked), top, seeds, 1 if folds else FEWEST_SEEDS)
        if problems:
            raise InvalidInputError(problems)
        found = None if folds is None else find_folds(trainer, folds)
        earlier = read_confirmation(self._output_dir)
        self._finalists = choose_finalists(ranked, top, earlier.winner if earlier else None)
        count = seeds * (1 if found is None else len(found.groups))
        self._design = Design.of(fresh_seeds(count, recorded.record["seed"], trials), found)
        self._search_best = float(ranked[0].value or 0.0)
        numbered = {trial.number + 1: trial for trial in self._finalists}
        self._trainer = FinalistTrainer(trainer, numbered, self._design)

    def _search_trials(self) -> Sequence[Trial]:
        """Return the trials of the search; of a sweep at W&B, those of other machines too, if W&B can be used."""
        recorded, known = self._recorded, get_backend_type(self._recorded.backend).read_trials(self._recorded)[0]
        if recorded.path is None or not self._is_online:
            return known
        sweep = ServiceSweep(*recorded.path.split("/"))
        with quiet_wandb(self._output_dir):
            config = parse_sweep_config(recorded.record["config"])
            return merge_trials(sweep, config, self._objective, self._output_dir, known)

    @property
    def _numbers(self) -> tuple[int, ...]:
        return tuple(trial.number + 1 for trial in self._finalists)

    @property
    def _directory(self) -> Path:
        return self._output_dir / self._design.directory

    def plan(self, options: dict[str, Any]) -> Plan:
        """Check everything that can be checked before the first run.

        Raises:
            InvalidInputError: Something is wrong; every problem is in it.
        """
        record, before = self._recorded.record, read_recorded(self._directory)
        config = self._config()
        if before is not None:
            self._require_same_or_idle(before)
            options = {**options, "resume": True, "allow_config_change": True}
        recorded_options: dict[str, Any] = {
            "backend": "local",
            "seed": record["seed"],
            "project_name": record["project"],
            "sweep_count": self._budget,
            "keep_checkpoints": self._kept_checkpoints,
            "save_state_every": record.get("save_state_every"),
            "max_failures": record.get("max_failures"),
            "dry_run": False,
        }
        plan = plan_sweep(
            self._trainer,
            config,
            output_dir=self._directory,
            objective=self._objective,
            group=record["group"],
            record=record["application"],
            kind=ConfirmationRuns(
                job_type="confirm",
                is_online=self._is_online,
                exports_best=False,
                method=ConfirmationOrder(self._numbers, self._design),
                kept_checkpoints=len(self._finalists),
                trainer=self._trainer,
            ),
            **recorded_options | {name: value for name, value in options.items() if value is not None},
        )
        # nobody has chosen the number of runs, and it need not be reached
        return replace(plan, warnings=tuple(problem for problem in plan.warnings if problem.path != "sweep_count"))

    def _config(self) -> dict[str, Any]:
        """Return the sweep file of the runs."""
        path = self._recorded.path
        entity = path.split("/")[0] if path else self._recorded.record["config"].get("entity")
        named = {"entity": entity} if entity else {}
        return {"name": "confirm", "method": "grid", "parameters": self._design.space(self._numbers), **named}

    @property
    def _budget(self) -> int:
        """The number of runs that this confirmation may count, with those of other designs in its directory."""
        number, before = len(self._numbers) * len(self._design.blocks), read_recorded(self._directory)
        runs = () if before is None else get_backend_type(before.backend).read_trials(before)[0]
        return number + sum(run.is_counted and not self._has(run) for run in runs)

    def _has(self, run: Trial) -> bool:
        is_in_block = self._design.block_of(run.parameters) is not None
        return is_in_block and run.parameters[FINALIST] in self._numbers

    @property
    def _kept_checkpoints(self) -> str:
        """The checkpoints to keep: of the models of folds none, because no final model is made of one."""
        chosen = self._recorded.record["keep_checkpoints"]
        return "none" if chosen == "best" and self._design.folds is not None else chosen

    @cached_property
    def _is_online(self) -> bool:
        """True if the runs are sent to W&B: the sweep was there, and W&B can be used."""
        if self._recorded.backend != "wandb":
            return False
        try:
            require_wandb()
        except WandbUnavailableError:
            return False
        return True

    def _require_same_or_idle(self, before: RecordedSweep) -> None:
        """Check that no other process works on a confirmation of other finalists or seeds.

        Raises:
            InvalidInputError: One does.
        """
        if before.has_space_of(parse_sweep_config(self._config())) or _is_idle(self._directory):
            return
        space = before.record["config"]["parameters"]
        finalists, seeds = (space.get(name, {}).get("values", []) for name in (FINALIST, SEED))
        which = f"trials {', '.join(map(str, finalists))} with {len(seeds)} seeds"
        message = f"another process confirms {which} in {self._directory}; wait until it ends, or join it with the same"
        names = "{top} and {seeds}" if self._design.folds is None else "{top}, {seeds} and {folds}"
        raise InvalidInputError([ArgumentProblem("output_dir", f"{message} {names}")])

    def run(self, plan: Plan, listen: Observer) -> ConfirmationResult:
        """Train what is left, and record the result if nothing is left then."""
        kind = get_backend_type(plan.backend.name)
        with closing(kind.create(plan)) as backend:
            listen(self._started(plan, backend))
            early = work_and_tell(
                backend,
                plan.budget,
                listen,
                whole="confirmation",
                units="runs",
                again="the same command continues it",
            )
            runs, finished = backend.trials(), backend.count_finished()
        if early is not None:
            return ConfirmationResult(self._output_dir, None, finished, plan.budget, early.cause)
        confirmation = self._record(runs)
        if plan.options.keep_checkpoints == "best":
            for run in runs:
                if run.parameters[FINALIST] != confirmation.winner:
                    remove_checkpoint(run, self._directory)
        for line in (*describe_confirmation(confirmation), *self._lost_checkpoint(confirmation)):
            listen(Note(line))
        return ConfirmationResult(self._output_dir, confirmation, finished, plan.budget)

    def _lost_checkpoint(self, found: Confirmation) -> list[str]:
        """Return a line if checkpoints are kept, but none of the confirmed trial is left."""
        winner = next(trial for trial in self._finalists if trial.number + 1 == found.winner)
        is_left = kept_run(found.winning, self._objective, self._output_dir) or left_checkpoint(winner)
        if self._recorded.record["keep_checkpoints"] == "none" or is_left:
            return []
        return [f"  no checkpoint of trial {found.winner} is left: full-train trains it anew, without --from-sweep"]

    def _started(self, plan: Plan, backend: Backend) -> SweepStarted:
        what = f"the best {len(self._finalists)} trials" if len(self._finalists) > 1 else "the best trial"
        lines = [f"confirmation of sweep {self._recorded.sweep_id}: {what}, anew {self._design.describe()}"]
        lines += [f"  trial {trial.number + 1}: {trial.value:.4f} in the search" for trial in self._finalists]
        device = [f"device: {plan.device}"] if plan.device else []
        return SweepStarted(
            backend.sweep_id,
            plan.budget,
            plan.objective,
            plan.output_dir,
            plan.config,
            finished=backend.count_finished(),
            warnings=plan.warnings,
            notes=(*lines, *device, *backend.notes),
            whole="confirmation",
            unit="run",
        )

    def _record(self, runs: Sequence[Trial]) -> Confirmation:
        """Write `confirmation.json`, and export the confirmed trial.

        Raises:
            NotConfirmedError: No finalist has two values.
            OSError: They cannot be written.
        """
        table = RunTable.of(self._numbers, self._design, self._objective.goal, runs)
        sweep_id = self._recorded.sweep_id
        record = confirmation_record(sweep_id, self._objective, self._search_best, self._finalists, table)
        if record["winner"] is None:
            error = NotConfirmedError(list(table.runs.values()))
            error.are_folds = self._design.folds is not None
            raise error
        write_json(self._output_dir / CONFIRMATION_FILE, record)
        trials = self._search_trials()
        best = choose_best(trials, self._objective)
        if best is not None:
            export_if_better(trials, best, self._objective, self._output_dir, sweep_id)
        found = read_confirmation(self._output_dir)
        assert found is not None  # noqa: S101  (it was written a moment ago)
        return found


def _is_idle(directory: Path) -> bool:
    """Return True if no other process works in a directory."""
    presence = Presence(directory)
    try:
        return presence.is_alone()
    finally:
        presence.leave()


def require_confirmable(output_dir: str | Path, *, storage: str | None = None) -> RecordedSweep:
    """Return the sweep in an output directory.

    Raises:
        InvalidInputError: There is none, or it is a confirmation.
    """
    absolute, shown, message = named_directory(output_dir), Path(output_dir), None
    if absolute.name in (CONFIRMATION_DIRECTORY, FOLDS_DIRECTORY) and (absolute.parent / SWEEP_FILE).exists():
        message = f"{shown} holds the runs of a confirmation; pass the directory of its sweep, {shown.parent}"
    recorded = find_recorded(absolute, storage=storage)
    if recorded is None and message is None:
        below = sorted(path.parent for path in shown.glob(f"*/{SWEEP_FILE}"))
        hint = f"did you mean {below[0]}?" if below else "pass the output directory of a sweep"
        message = f"{shown} does not contain a sweep; {hint}"
    if recorded is None or message is not None:
        raise InvalidInputError([ArgumentProblem("output_dir", str(message))])
    return recorded


def _count_problems(output_dir: Path, available: int, top: int, seeds: int, fewest_seeds: int) -> list[Problem]:
    """Report numbers of finalists and seeds that cannot be had."""
    problems: list[Problem] = []
    if seeds < fewest_seeds:
        problems.append(ArgumentProblem("seeds", f"{{seeds}} must be at least {fewest_seeds}, got {seeds}"))
    if top < 1:
        problems.append(ArgumentProblem("top", f"{{top}} must be at least 1, got {top}"))
    elif not available:
        message = f"no trial of the sweep in {output_dir} has a value, so none can be confirmed"
        problems.append(ArgumentProblem("output_dir", message))
    elif top > available:
        rule = f"{{top}} must be at most {available}, the number of different trials with a value"
        problems.append(ArgumentProblem("top", f"{rule}, got {top}"))
    return problems
