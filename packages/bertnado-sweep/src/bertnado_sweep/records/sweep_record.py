"""The content of `sweep.json`."""

from typing import Any, Literal, cast

from bertnado_metrics import Goal
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, ValidationError

from .record_format import require_known_format


class _Objective(BaseModel):
    name: str = Field(min_length=1)
    goal: Goal


class _Study(BaseModel):
    """An Optuna study of a local sweep, and the search space that its trials come from."""

    name: str = Field(min_length=1)
    parameters: dict[str, Any]


class _SweepRecord(BaseModel):
    """The fields that are read again; others are kept as they are."""

    model_config = ConfigDict(extra="ignore")

    format: NonNegativeInt = 0

    sweep_id: str = Field(min_length=1)
    backend: str = Field(min_length=1)
    objective: _Objective
    budget: NonNegativeInt
    seed: NonNegativeInt
    config: dict[str, Any]
    keep_checkpoints: Literal["best", "all", "none"] = "best"
    save_state_every: PositiveFloat | Literal["never"] | None = None
    max_failures: int | None = None
    project: str | None = None
    group: str | None = None
    application: dict[str, Any] = {}
    created: str = ""
    resumed: list[str] = []
    storage: str | None = None
    study: str | None = None
    studies: list[_Study] = []
    start_points: list[dict[str, Any]] = []
    path: str | None = None


def complete_sweep_record(record: object) -> dict[str, Any]:
    """Check the record of a sweep, and return it with the fields that earlier versions did not write.

    Args:
        record: The record as read from JSON.

    Raises:
        ValueError: It is not the record of a sweep, or of a newer version; the message says which field is wrong.
    """
    require_known_format(record, "the record")
    try:
        known = _SweepRecord.model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(": ".join([".".join(map(str, first["loc"])), first["msg"]]).removeprefix(": ")) from None
    return {**known.model_dump(), **cast("dict[str, Any]", record)}
