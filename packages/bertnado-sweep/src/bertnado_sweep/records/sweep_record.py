"""What `sweep.json` holds, and how what is something else is told."""

from typing import Any, Literal, cast

from bertnado_metrics import Goal
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError


class _Objective(BaseModel):
    name: str = Field(min_length=1)
    goal: Goal


class _SweepRecord(BaseModel):
    """The fields that are read again; later versions may have more."""

    model_config = ConfigDict(extra="ignore")

    sweep_id: str = Field(min_length=1)
    backend: Literal["local", "wandb"]
    objective: _Objective
    budget: NonNegativeInt
    seed: NonNegativeInt
    config: dict[str, Any]
    keep_checkpoints: Literal["best", "all", "none"] = "best"
    max_failures: int | None = None
    project: str | None = None
    group: str | None = None
    application: dict[str, Any] = {}
    created: str = ""
    resumed: list[str] = []
    storage: str | None = None
    study: str | None = None
    path: str | None = None


def complete_sweep_record(record: object) -> dict[str, Any]:
    """Return what a sweep has written down of itself, with the fields that an earlier version did not write.

    Args:
        record: As it was read from JSON.

    Raises:
        ValueError: It is no such record; the message says what is wrong, with its place.
    """
    try:
        known = _SweepRecord.model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(": ".join([".".join(map(str, first["loc"])), first["msg"]]).removeprefix(": ")) from None
    return {**known.model_dump(), **cast("dict[str, Any]", record)}
