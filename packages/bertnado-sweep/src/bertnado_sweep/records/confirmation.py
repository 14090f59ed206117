"""`confirmation.json`: the best trials of a sweep, trained anew with fresh seeds, and which of them is the best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertnado_config import ConfirmedValue, InvalidInputError, read_json
from bertnado_metrics import Goal, Objective
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, PositiveInt, ValidationError

from .record_format import NewerRecordError, require_known_format
from .trial import TrialState  # noqa: TC001 (pydantic reads the annotations)

if TYPE_CHECKING:
    from pathlib import Path

    from .trial import Trial

CONFIRMATION_FILE = "confirmation.json"
CONFIRMATION_DIRECTORY = "confirmation"
"""The directory of the runs of a confirmation over seeds, in the output directory of the sweep."""

FOLDS_DIRECTORY = "confirmation_folds"
"""The same of a confirmation over folds."""

_RECORD = ConfigDict(extra="ignore", frozen=True)


class _Objective(BaseModel):
    model_config = _RECORD

    name: str = Field(min_length=1)
    goal: Goal


class Folds(BaseModel):
    """The groups of a column of the dataset, each of which is validated on once with every seed of it."""

    model_config = _RECORD

    column: str
    groups: tuple[str, ...] = Field(min_length=2)


class ConfirmationRun(BaseModel):
    """One training of a finalist."""

    model_config = _RECORD

    seed: NonNegativeInt
    fold: str | None = None
    """The group that was validated on; None if it was the validation split."""
    value: FiniteFloat | None
    state: TrialState
    directory: str
    """Relative to the output directory of the sweep."""
    step: int | None
    error: str | None = None


class Finalist(BaseModel):
    """A trial of the search that was trained anew."""

    model_config = _RECORD

    trial: PositiveInt
    """Its number as it is shown, from 1."""
    id: str = Field(min_length=1)
    parameters: dict[str, Any]
    search_value: FiniteFloat
    """Its value in the search, by which it was selected."""
    runs: list[ConfirmationRun]
    mean: FiniteFloat | None
    """The mean of the values of its runs; None without any. Over folds, each fold counts once."""
    standard_error: FiniteFloat | None
    """That of the mean; None with fewer than two values. Over folds, that of the means of each."""
    n: NonNegativeInt
    """The number of runs that have a value."""
    probability_best: FiniteFloat
    """The share of bootstrap samples of the seeds, or of the folds, in which it has the best mean."""
    dropped_after: NonNegativeInt | None
    """The number of runs after which it was dropped, because it was clearly behind; None if it was not."""

    @property
    def units(self) -> int:
        """The number of values that the standard error is computed of: one for each run, or for each fold."""
        known = [run for run in self.runs if run.value is not None]
        return len({run.fold if run.fold is not None else run.seed for run in known})

    def value_in(self, fold: str) -> float | None:
        """Return the mean of the values in a fold; None without any."""
        values = [run.value for run in self.runs if run.fold == fold and run.value is not None]
        return sum(values) / len(values) if values else None


class Confirmation(BaseModel):
    """The content of `confirmation.json`. Further fields are ignored."""

    model_config = _RECORD

    format: NonNegativeInt
    sweep_id: str
    objective: _Objective
    seeds: list[NonNegativeInt]
    """All of them; over folds, one for each fold, and as many more if it is repeated."""
    folds: Folds | None = None
    """None if it was confirmed over seeds alone."""
    finalists: list[Finalist]
    winner: PositiveInt
    """The number of the confirmed trial, as it is shown."""
    search_best: FiniteFloat
    """The best value of the search when the finalists were chosen."""
    test: str = ""
    """The rule by which finalists were dropped, in words."""
    created: str = ""
    """When it was written, ISO 8601, UTC."""

    @property
    def winning(self) -> Finalist:
        """The confirmed trial."""
        return next(finalist for finalist in self.finalists if finalist.trial == self.winner)

    @property
    def confirmed(self) -> ConfirmedValue:
        """The value of the confirmed trial over the fresh seeds, or the folds."""
        winning = self.winning
        seeds = tuple(run.seed for run in winning.runs if run.value is not None)
        assert winning.mean is not None and winning.standard_error is not None  # noqa: PT018, S101  (see `is_whole`)
        folds = None if self.folds is None else self.folds.column
        return ConfirmedValue(winning.mean, winning.standard_error, seeds, folds)

    @property
    def is_whole(self) -> bool:
        """True if the winner is one of the finalists and has a value over seeds."""
        named = [finalist for finalist in self.finalists if finalist.trial == self.winner]
        return len(named) == 1 and named[0].mean is not None and named[0].standard_error is not None

    def is_of(self, sweep_id: str, objective: Objective) -> bool:
        """Return True if it confirms trials of that sweep by that objective."""
        return self.sweep_id == sweep_id and Objective(self.objective.name, self.objective.goal) == objective

    def is_superseded_by(self, best: Trial, objective: Objective) -> bool:
        """Return True if the best trial of the search is a further one that replaces the confirmed one.

        The value of a trial in the search is selected, and so too good. It is compared with its like: the trial must be
        better than all that the confirmation chose its finalists from, and better than the confirmed mean as well. A
        mean over folds is one of other rows, so it is not compared.
        """
        if not objective.is_better(best.value, self.search_best):
            return False
        return self.folds is not None or objective.is_better(best.value, self.confirmed.mean)


def read_confirmation(output_dir: Path) -> Confirmation | None:
    """Read the confirmation in the output directory of a sweep; return None if it is missing or damaged.

    Raises:
        NewerRecordError: It was written by a newer version.
    """
    path = output_dir / CONFIRMATION_FILE
    if not path.is_file():
        return None
    try:
        record = read_json(path)
        require_known_format(record, path)
        found = Confirmation.model_validate(record)
    except NewerRecordError:
        raise
    except (InvalidInputError, ValidationError):
        return None
    return found if found.is_whole else None


def is_damaged(output_dir: Path) -> bool:
    """Return True if there is a `confirmation.json` that cannot be read; another confirmation writes it anew."""
    return (output_dir / CONFIRMATION_FILE).exists() and read_confirmation(output_dir) is None


def standing_confirmation(
    output_dir: Path, sweep_id: str, objective: Objective, best: Trial | None
) -> Confirmation | None:
    """Return the confirmation of a sweep whose winner is the best trial to export; None if there is none.

    Args:
        output_dir: The output directory of the sweep.
        sweep_id: The sweep's.
        objective: The objective of the sweep.
        best: The best trial of the search; None if it has none.
    """
    found = read_confirmation(output_dir)
    if found is None or not found.is_of(sweep_id, objective):
        return None
    return None if best is not None and found.is_superseded_by(best, objective) else found
