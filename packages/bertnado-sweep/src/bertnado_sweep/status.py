"""The state of a sweep, running or ended, on disk, in a database or at W&B."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from bertnado_config import ArgumentProblem, InvalidInputError, value_key

from .backends import get_backend_type
from .backends.wandb.environment import quiet_wandb, require_wandb
from .backends.wandb.service import ServiceError, check_service_config, find_sweep, read_service_trials
from .records.best import (
    BEST_CONFIG_FILE,
    NoEligibleTrialError,
    choose_best,
    export_best,
    export_if_better,
    read_export,
)
from .records.confirmation import (
    CONFIRMATION_DIRECTORY,
    CONFIRMATION_FILE,
    FOLDS_DIRECTORY,
    Confirmation,
    is_damaged,
    read_confirmation,
    standing_confirmation,
)
from .records.files import SWEEP_FILE, named_directory
from .resume import find_recorded, read_recorded

if TYPE_CHECKING:
    from bertnado_metrics import Objective

    from .records.recorded_sweep import RecordedSweep
    from .records.trial import Trial


TrialOrder = Literal["number", "value"]
"""`number` is the order in which trials started; `value` puts the best trial first, and those without a value last."""


@dataclass(frozen=True)
class SweepStatus:
    """The state of a sweep."""

    sweep_id: str
    source: str
    """The source of the information: the output directory, or the page of the sweep at W&B."""
    objective: Objective
    trials: tuple[Trial, ...]
    """All of them, by number."""
    warnings: tuple[str, ...] = ()
    """Damaged parts of the record."""
    budget: int | None = None
    """The number of trials that the sweep has in all; None for one at W&B."""
    output_dir: Path | None = None
    """The directory that the directories of the trials lie in; None for a sweep at W&B."""
    confirmation: Confirmation | None = None
    """The confirmation of the best trials; None if there is none that is complete."""
    confirming: tuple[int, int] | None = None
    """The number of finished runs of a confirmation that is not complete, and of all of them; None if there is none."""
    record: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """The content of `sweep.json`; of a sweep at W&B only `config`, its sweep file."""

    @property
    def best(self) -> Trial | None:
        """The best trial so far; None if no trial has a value."""
        return choose_best(self.trials, self.objective)

    @property
    def finished(self) -> int:
        """The number of trials that count: those that completed, were stopped early or failed."""
        return len({trial.number for trial in self.trials if trial.is_counted})

    @property
    def is_done(self) -> bool:
        """True if all trials are finished, and so is the confirmation of the best if the sweep has one."""
        if self.budget is None or self.finished < self.budget:
            return False
        is_confirmed = self.confirmation is not None and self.confirming is None
        return is_confirmed or self.record.get("confirm_top") is None

    @property
    def constant_parameters(self) -> dict[str, Any]:
        """The parameters that all trials share, by path; empty with fewer than two trials."""
        known = [flat_parameters(trial.parameters) for trial in self.trials if trial.parameters]
        if len(known) < 2:
            return {}
        first, *others = known
        return {
            name: value
            for name, value in first.items()
            if all(name in other and value_key(other[name]) == value_key(value) for other in others)
        }

    def ordered(self, by: TrialOrder) -> list[Trial]:
        """Return the trials in an order."""
        if by == "number":
            return list(self.trials)
        sign = -1 if self.objective.greater_is_better else 1
        valued = [trial for trial in self.trials if trial.value is not None]
        rest = [trial for trial in self.trials if trial.value is None]
        return [*sorted(valued, key=lambda trial: (not trial.is_eligible, sign * cast("float", trial.value))), *rest]

    def place_of(self, trial: Trial) -> str | None:
        """Return the directory of a trial, its name if it lies in the output directory; None for a run at W&B."""
        if self.output_dir is None:
            return None
        is_inside = trial.directory.parent == self.output_dir
        return trial.directory.name if is_inside else str(trial.directory)

    def export(self, output_dir: str | Path) -> Path:
        """Write `best_sweep_config.json`, and the details beside it, into `output_dir`.

        An existing export of a better trial of this sweep is kept: the record of that trial was lost. A confirmed trial
        is written rather than the best one, until a further trial supersedes it.

        Raises:
            NoEligibleTrialError: No trial has a value.
            OSError: They cannot be written.
        """
        best = self.best
        if best is None:
            raise NoEligibleTrialError(self.trials)
        output = Path(output_dir)
        output.mkdir(parents=True, exist_ok=True)
        if self.confirmed_in(output) is not None:
            export_if_better(self.trials, best, self.objective, output, self.sweep_id)
        elif not self.has_better_export(output):
            export_best(best, self.objective, output, self.sweep_id)
        return output / BEST_CONFIG_FILE

    def confirmed_in(self, output_dir: str | Path) -> Confirmation | None:
        """Return the confirmation whose winner is to be exported in `output_dir`; None if there is none."""
        return standing_confirmation(Path(output_dir), self.sweep_id, self.objective, self.best)

    def has_better_export(self, output_dir: str | Path) -> bool:
        """Return True if a better trial of this sweep than any known one is exported in `output_dir`."""
        exported, best = read_export(Path(output_dir)), self.best
        if exported is None or best is None:
            return False
        return exported.is_better(self.trials, best, self.objective, self.sweep_id)


def flat_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters by path, nested ones as `training_args.max_grad_norm`, sorted."""
    return dict(sorted(_leaves(parameters, "")))


def _leaves(parameters: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _leaves(cast("Mapping[str, Any]", value), f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def trial_seconds(trial: Trial) -> float | None:
    """Return how long a trial took, or its latest attempt has been running; None if its end is not recorded."""
    if trial.is_counted and len(trial.attempts) > 1 and "total" in trial.timings:
        return trial.timings["total"]
    try:
        began = datetime.fromisoformat(trial.started)
        ended = datetime.fromisoformat(trial.ended) if trial.ended else None
    except ValueError:
        return None
    if ended is None and trial.is_over:
        return None
    if began.tzinfo is None:
        return None
    return max(((ended or datetime.now(UTC)) - began).total_seconds(), 0.0)


def recorded_status(output_dir: str | Path, *, storage: str | None = None) -> SweepStatus:
    """Return the state of a sweep as recorded in its output directory, or in the database that this names.

    Args:
        output_dir: The output directory.
        storage: The database, with the password that the output directory does not contain.

    Raises:
        InvalidInputError: No sweep is recorded there, or its record cannot be read.
    """
    named_directory(output_dir)
    directory = Path(output_dir)
    if read_recorded(directory.absolute()) is None:
        below = sorted(path.parent for path in directory.glob(f"*/{SWEEP_FILE}"))
        hint = f"did you mean {below[0]}?" if below else "pass the output directory of a sweep"
        raise InvalidInputError([ArgumentProblem("output_dir", f"{directory} does not contain a sweep; {hint}")])
    recorded = find_recorded(directory, storage=storage)
    if recorded is None:
        raise InvalidInputError(
            [ArgumentProblem("storage", f"the database no longer contains the sweep of {directory}")]
        )
    trials, warnings = get_backend_type(recorded.backend).read_trials(recorded)
    if is_damaged(recorded.output_dir):
        damaged = recorded.output_dir / CONFIRMATION_FILE
        warnings = [*warnings, f"{damaged} is damaged; bertnado confirm rewrites it from its runs"]
    return SweepStatus(
        recorded.sweep_id,
        str(directory),
        recorded.objective,
        tuple(trials),
        tuple(warnings),
        recorded.budget,
        recorded.output_dir,
        *_confirmation_of(recorded),
        record=recorded.record,
    )


def _confirmation_of(recorded: RecordedSweep) -> tuple[Confirmation | None, tuple[int, int] | None]:
    """Return the confirmation of a sweep, and how far one is that is not complete."""
    found = read_confirmation(recorded.output_dir)
    if found is not None and not found.is_of(recorded.sweep_id, recorded.objective):
        found = None
    for directory in (FOLDS_DIRECTORY, CONFIRMATION_DIRECTORY):
        runs = read_recorded(recorded.output_dir / directory)
        if runs is not None and (found is None or _began(runs) > found.created):
            counted = [trial for trial in get_backend_type(runs.backend).read_trials(runs)[0] if trial.is_counted]
            return found, (len(counted), runs.budget)
    return found, None


def _began(runs: RecordedSweep) -> str:
    """Return when a sweep was begun or continued last."""
    return str([runs.record["created"], *runs.record.get("resumed", [])][-1])


def service_status(
    sweep_id: str, *, entity: str | None = None, project: str | None = None, curves: bool = False
) -> SweepStatus:
    """Return the state of a sweep at W&B.

    Args:
        sweep_id: `[ENTITY/PROJECT/]ID`.
        entity: The W&B user or team, if the id does not contain it.
        project: The W&B project, if the id does not contain it.
        curves: Read the learning curves of the trials as well, which takes longer.

    Raises:
        InvalidInputError: W&B cannot be used, has no such sweep, or its sweep file is invalid.
    """
    here = Path.cwd()
    try:
        require_wandb()
        with quiet_wandb(here):
            sweep, document = find_sweep(sweep_id, entity=entity, project=project)
            config = check_service_config(document, sweep).require()
            objective = config.resolve_objective()
            trials = read_service_trials(sweep, config, objective, here, curves=curves)
            return SweepStatus(sweep.id, sweep.url, objective, tuple(trials), record={"config": config.to_wandb()})
    except InvalidInputError:
        raise
    except (ServiceError, ValueError) as error:
        raise InvalidInputError([ArgumentProblem("sweep_id", str(error))]) from None
