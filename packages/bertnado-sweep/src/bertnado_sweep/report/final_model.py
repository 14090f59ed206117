"""The final model of a sweep, as the files in its directory tell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bertnado_config import ArgumentProblem, InvalidInputError, path_problem, read_json
from bertnado_metrics import Goal  # noqa: TC002 (pydantic needs it when the class is made)
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, ValidationError

from bertnado_sweep.records.looks import LOOKS_FILE, Look, read_looks
from bertnado_sweep.records.record_format import invalid_content

from .predictions import PREDICTIONS_FILE, Predictions, UnfitPredictionsError, read_predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

METRICS_FILE = "metrics.json"


class _Content(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Objective(_Content):
    name: str
    goal: Goal


class FinalThreshold(_Content):
    """The thresholds of the probabilities, and where they were chosen."""

    values: tuple[FiniteFloat, ...]
    chosen_on: str | None = None
    """The split; None if they are the default."""
    criterion: str | None = None
    reason: str | None = None


class ClassQuality(_Content):
    """The quality of the predictions of one class or label."""

    name: str = Field(alias="class")
    rows: NonNegativeInt
    predicted: NonNegativeInt
    precision: FiniteFloat | None = None
    recall: FiniteFloat | None = None
    f1: FiniteFloat | None = None
    roc_auc: FiniteFloat | None = None
    average_precision: FiniteFloat | None = None


class Confusion(_Content):
    """The rows of each true class by the class that is predicted."""

    classes: tuple[str, ...]
    rows: tuple[tuple[NonNegativeInt, ...], ...]


class FinalMetrics(_Content):
    """What the report needs of the `metrics.json` of a final model. Further fields are ignored."""

    objective: _Objective
    validation: dict[str, FiniteFloat | None] = {}
    test: dict[str, FiniteFloat | None] | None = None
    test_interval: dict[str, tuple[FiniteFloat, FiniteFloat] | None] = {}
    test_interval_over: str = "rows"
    threshold: FinalThreshold | None = None
    test_at_threshold: dict[str, FiniteFloat | None] = {}
    per_class: tuple[ClassQuality, ...] = ()
    confusion: Confusion | None = None
    baselines: dict[str, dict[str, FiniteFloat | None]] = {}
    test_looks: tuple[Look, ...] = ()
    seed: int | None = None
    trained_on: tuple[str, ...] = ("train",)
    details: dict[str, object] = {}

    @property
    def task(self) -> str:
        """The kind of the predictions: `binary`, `multiclass`, `multilabel` or `regression`."""
        if not self.per_class:
            return "regression"
        if self.confusion is None:
            return "multilabel"
        return "binary" if self.threshold is not None else "multiclass"


@dataclass(frozen=True)
class FinalModel:
    """A final model."""

    directory: Path
    metrics: FinalMetrics
    predictions: Predictions | None = None
    """Its predictions of the test split."""


@dataclass(frozen=True)
class Finals:
    """What is known of the final models of a sweep."""

    looks: tuple[Look, ...] = ()
    """All recorded looks at a test split, the last one last."""
    model: FinalModel | None = None
    """The one that is shown: the one that was named, otherwise that of the last look."""
    problems: tuple[str, ...] = ()
    """Why it, or a part of it, is not shown."""

    @property
    def looks_at_split(self) -> tuple[Look, ...]:
        """The looks at the test split of the model that is shown, or else at that of the last look."""
        shown = self.model.metrics.test_looks if self.model else ()
        last = (shown or self.looks)[-1:]
        return tuple(look for look in self.looks if last and look.dataset == last[0].dataset)


def find_finals(record_directory: Path | None, named: Path | str | None = None) -> Finals:
    """Find the final model to show.

    Args:
        record_directory: The directory with the record of looks, that of the sweep; None if it has none.
        named: The directory of a final model, or the `model` within it; None for that of the last look.

    Raises:
        InvalidInputError: There is no final model in the named directory.
    """
    path = None if record_directory is None else record_directory / LOOKS_FILE
    looks, reason = ([], None) if path is None else read_looks(path)
    model, problems = None, [] if reason is None else [f"{LOOKS_FILE} {reason}"]
    if named is not None:
        model, more = _read_named(named)
        problems += more
    elif path is not None and looks:
        model, more = _of_look(looks[-1], path)
        problems += more
    known = [*looks, *(model.metrics.test_looks if model else ())]
    unique = {(look.time, look.configuration, look.dataset): look for look in reversed(known)}
    return Finals(tuple(sorted(unique.values(), key=lambda look: look.time)), model, tuple(problems))


def _read_named(named: Path | str) -> tuple[FinalModel, Sequence[str]]:
    problem = path_problem(named, "the directory of a final model")
    if problem is not None:
        raise InvalidInputError([ArgumentProblem("model", f"{{model}} {problem}")])
    directory = Path(named)
    found = next((place for place in (directory, directory.absolute().parent) if _is_final(place)), None)
    if found is None:
        message = f"{{model}} must be the output directory of full-train, got {directory}, which has no {METRICS_FILE}"
        raise InvalidInputError([ArgumentProblem("model", message)])
    try:
        metrics = _read_metrics(found / METRICS_FILE)
    except (InvalidInputError, ValidationError) as error:
        message = f"{{model}}: {found / METRICS_FILE} is damaged: {invalid_content(error)}"
        raise InvalidInputError([ArgumentProblem("model", message)]) from None
    return _with_predictions(found, metrics)


def _is_final(directory: Path) -> bool:
    return (directory / METRICS_FILE).is_file()


def _read_metrics(path: Path) -> FinalMetrics:
    return FinalMetrics.model_validate(read_json(path))


def _of_look(look: Look, record: Path) -> tuple[FinalModel | None, Sequence[str]]:
    """Return the final model of a look, and what is missing."""
    problems: list[str] = []
    for place in look.places(record):
        if not _is_final(place):
            continue
        try:
            metrics = _read_metrics(place / METRICS_FILE)
        except (InvalidInputError, ValidationError) as error:
            problems.append(f"{place / METRICS_FILE} is damaged: {invalid_content(error)}")
            continue
        if any(look.is_same(known) for known in metrics.test_looks[-1:]):
            return _with_predictions(place, metrics)
        problems.append(f"{place} holds another final model than the one that was evaluated at {look.time}")
    cure = "name its directory with --model"
    return None, problems or [f"the final model is not in {look.output_dir} any more; {cure} if it was moved"]


def _with_predictions(directory: Path, metrics: FinalMetrics) -> tuple[FinalModel, Sequence[str]]:
    if metrics.test is None:
        return FinalModel(directory, metrics), ()
    try:
        found = read_predictions(directory / PREDICTIONS_FILE)
        rows = sum(map(sum, metrics.confusion.rows)) if metrics.confusion else None
        if rows is not None and rows != found.count:
            raise UnfitPredictionsError(f"it has {found.count:,} rows, and {METRICS_FILE} was made of {rows:,}")
    except UnfitPredictionsError as error:
        return FinalModel(directory, metrics), [f"{PREDICTIONS_FILE} is left out: {error}"]
    return FinalModel(directory, metrics, found), ()
