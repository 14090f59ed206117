"""The record of a sweep's best trial, beside its best configuration."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from bertnado_config import InvalidInputError, read_json
from bertnado_metrics import Goal, Objective
from bertnado_sweep.records.best import BEST_DETAILS_FILE
from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeInt, PositiveInt, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bertnado_config import BestConfig


OPTIONS_OF_MODEL = ("head", "label_scaling")
"""Training inputs that the details of a trial have beside the dataset's."""


@dataclass(frozen=True)
class UnusableDetailsError(Exception):
    """The record cannot be used."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"


class _Objective(BaseModel):
    name: str
    goal: Goal


class ConfirmationRun(BaseModel):
    """The run of a confirmed trial whose checkpoint is kept. Its fields are those of `BestDetails`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    host: str | None = None
    directory: str
    checkpoint: str
    value: FiniteFloat
    step: PositiveInt | None = None
    seed: int | None = None
    details: dict[str, Any]


class _Confirmation(BaseModel):
    run: ConfirmationRun | None = None


class BestDetails(BaseModel):
    """What is recorded of the best trial. Further fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    sweep_id: str
    number: NonNegativeInt
    host: str | None = None
    directory: str
    """Its name, if it lies beside the record."""
    checkpoint: str | None
    objective: _Objective
    value: FiniteFloat
    step: PositiveInt | None = None
    """None for a run that W&B knows alone."""
    seed: int | None = None
    parameters: dict[str, Any]
    details: dict[str, Any]
    confirmation: _Confirmation | None = None
    """The confirmation of the trial; None if it is not confirmed."""

    @property
    def kept_run(self) -> ConfirmationRun | None:
        """The run over a fresh seed whose checkpoint is kept; None if the trial's own is all that there can be."""
        return None if self.confirmation is None else self.confirmation.run

    def of_kept_run(self) -> BestDetails:
        """Return the record with the fields of the kept run; the record itself if there is none."""
        run = self.kept_run
        return (
            self
            if run is None
            else self.model_copy(update={name: getattr(run, name) for name in type(run).model_fields})
        )

    @property
    def fingerprint(self) -> object:
        """The fingerprint of the dataset; None if it is not recorded."""
        return cast("dict[str, Any]", self.details.get("dataset") or {}).get("fingerprint")

    def resolve_objective(self) -> Objective:
        """Return the objective that selected the checkpoint."""
        return Objective(self.objective.name, self.objective.goal)


def read_best_details(best: BestConfig, best_config_path: Path) -> BestDetails:
    """Read the record of the trial that a best configuration comes from.

    Raises:
        UnusableDetailsError: It is missing, damaged or of other parameters.
    """
    path = best_config_path.with_name(BEST_DETAILS_FILE)
    if not path.exists():
        raise UnusableDetailsError(path, "does not exist")
    try:
        details = BestDetails.model_validate(read_json(path))
    except InvalidInputError as error:
        raise UnusableDetailsError(path, "; ".join(map(str, error.problems))) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        reason = f"{place}: {first['msg']}" if place else first["msg"]
        raise UnusableDetailsError(path, f"is damaged ({reason})") from None
    if details.parameters != best.parameters:
        raise UnusableDetailsError(path, f"is the record of other parameters than those of {best_config_path.name}")
    return details


def recorded_options(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the head and the scaling of labels that the sweep chose, and how it wrote and cut sequences.

    Raises:
        ValueError: The record of the dataset is damaged.
    """
    dataset = mapping_in(details, "dataset") if "dataset" in details else dict[str, Any]()
    options = dict(mapping_in(dataset, "options")) if "options" in dataset else {}
    return {**options, **{name: details[name] for name in OPTIONS_OF_MODEL if name in details}}


def mapping_in(content: Any, key: str) -> Mapping[str, Any]:
    """Return the object `key` of an object.

    Raises:
        ValueError: It is missing.
    """
    found = cast("dict[str, Any]", content).get(key) if isinstance(content, dict) else None
    if not isinstance(found, dict):
        msg = f"must contain the object {key!r}, got {reprlib.repr(cast('object', content))}"
        raise ValueError(msg)
    return cast("dict[str, Any]", found)
