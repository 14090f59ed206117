"""The files of other commands beside a sweep that a report shows: confirmation and baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from bertnado_config import InvalidInputError, read_json
from bertnado_metrics import Goal  # noqa: TC002 (pydantic needs it when the class is made)
from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeInt, PositiveInt, ValidationError

if TYPE_CHECKING:
    from pathlib import Path

CONFIRMATION_FILE = "confirmation.json"
BASELINES_FILE = "baselines.json"

FORMAT = 1


class _Content(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ObjectiveOf(_Content):
    """An objective."""

    name: str
    goal: Goal


class ConfirmationRun(_Content):
    """One training of a finalist."""

    seed: int | None = None
    fold: str | int | None = None
    value: FiniteFloat | None = None
    state: str = ""
    directory: str | None = None


class Finalist(_Content):
    """A trial that was trained anew."""

    trial: PositiveInt
    """Its number as it is shown, from 1."""
    parameters: dict[str, Any] = {}
    search_value: FiniteFloat | None = None
    runs: tuple[ConfirmationRun, ...] = ()
    mean: FiniteFloat | None = None
    standard_error: FiniteFloat | None = None
    n: NonNegativeInt = 0
    probability_best: FiniteFloat | None = None
    dropped_after: int | None = None


class Folds(_Content):
    """The groups of a column, each once the validation split."""

    column: str
    groups: tuple[str | int, ...] = ()


class Confirmation(_Content):
    """The content of `confirmation.json`."""

    format: NonNegativeInt = 0
    sweep_id: str
    objective: ObjectiveOf
    seeds: tuple[int, ...] = ()
    folds: Folds | None = None
    finalists: tuple[Finalist, ...]
    winner: int | None = None
    test: str | None = None


class Baseline(_Content):
    """One baseline."""

    name: str
    description: str = ""
    seconds: FiniteFloat | None = None
    metrics: dict[str, dict[str, FiniteFloat | None]] = {}
    """By split, then by the name of the metric."""


class Baselines(_Content):
    """The content of `baselines.json`."""

    format: NonNegativeInt = 0
    objective: ObjectiveOf
    task: str | None = None
    dataset_fingerprint: str | None = None
    baselines: tuple[Baseline, ...]


Companion = TypeVar("Companion", Confirmation, Baselines)


def read_companion(path: Path, kind: type[Companion]) -> tuple[Companion | None, str | None]:
    """Read a file, if it is there.

    Returns:
        Its content, and why it cannot be shown; both are None if there is no such file.
    """
    if not path.exists():
        return None, None
    try:
        content = kind.model_validate(read_json(path))
    except InvalidInputError as error:
        return None, f"{path.name} is left out: {'; '.join(problem.message for problem in error.problems)}"
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return None, f"{path.name} is left out: {f'{where}: ' if where else ''}{first['msg']}"
    if content.format > FORMAT:
        return None, f"{path.name} is left out: it was written by a newer version; upgrade bertnado-sweep"
    return content, None
