"""One trial of a sweep: its parameters and its result."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from bertnado_config import value_key
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, PositiveInt, ValidationError

from .record_format import FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

TrialState = Literal["running", "completed", "stopped", "failed", "interrupted"]
"""A `stopped` trial was stopped early and has a value. An `interrupted` trial will be tried again."""

TRAINING_LOG = "training_log"

JOB_VARIABLE = "BERTNADO_JOB"
"""The environment variable that tells a trial the id of its job."""


@dataclass(frozen=True)
class Trial:
    """One trial. A finished trial never changes."""

    number: int
    """From 0, in the order in which trials start."""
    id: str
    """Unique among the trials of all sweeps; also the id of the tracked run."""
    state: TrialState
    parameters: Mapping[str, Any]
    """The sampled parameters and nothing else, nested as in the sweep file."""
    directory: Path
    """The directory of the trial's files."""
    started: str
    """ISO 8601, UTC."""
    ended: str | None = None
    """ISO 8601, UTC; None while it runs."""
    value: float | None = None
    """The objective at the best checkpoint, always finite; None if there is none."""
    step: int | None = None
    """The optimizer step of the best checkpoint."""
    history: Sequence[Mapping[str, Any]] = ()
    """One row for each evaluation: `step`, and every metric by its reported name."""
    seed: int | None = None
    """The seed of the training."""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further information from the trainer: effective arguments, the fingerprint of the dataset, ..."""
    timings: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds spent on each part of the trial."""
    error: str | None = None
    """The reason of a failure, in one line; the traceback is in `error.txt` in its directory."""
    attempt: int = 1
    """From 1. An interrupted trial is attempted again, with the same number and parameters."""
    host: str | None = None
    """The host name of the machine that trained it; None if it is not recorded."""
    job: str | None = None
    """The id of the scheduler's job that trained it; None outside of jobs that BertNado submitted."""
    checkpoint: Path | None = None
    """The directory of the best checkpoint, which is removed once it need not be kept."""
    training_state: Path | None = None
    """The file for its training state, which need not exist; None if none is written, or the trial has ended."""
    resumed_from: Path | None = None
    """The training state of an earlier attempt that it was given to continue from."""
    attempts: Sequence[Mapping[str, Any]] = ()
    """One row for each attempt up to this one: `attempt`, `host`, `place`, `directory`, and the optimizer steps that it
    did, from `from_step` to `to_step`, None if its end was not seen."""
    sweep_id: str | None = None
    """The id of the sweep; None in some records of version 0.1.0."""
    place: str | None = None
    """The id of its output directory, if each machine has its own; see `sweep.json`."""
    total_steps: int | None = None
    """The optimizer steps of the whole trial, had it not been stopped; None if the trainer did not say it."""
    training_log: Sequence[Mapping[str, Any]] = field(default=(), compare=False, repr=False)
    """Rows of what training logged, `step`, `train/loss`, ...; empty unless it was read from its `trial.json`."""

    @cached_property
    def parameters_key(self) -> str:
        """A key that two trials share if and only if their parameters are equal."""
        return value_key(self.parameters)

    @property
    def is_eligible(self) -> bool:
        """True if it may be the best trial: it completed or was stopped early, and has a value."""
        return self.state in ("completed", "stopped") and self.value is not None and math.isfinite(self.value)

    @property
    def is_counted(self) -> bool:
        """True if the budget counts it: it completed, was stopped early or failed."""
        return self.state in ("completed", "stopped", "failed")

    @property
    def is_over(self) -> bool:
        """True unless it is running."""
        return self.state != "running"

    def with_steps(self, first: float, last: float | None) -> Trial:
        """Return the attempt with the steps that it did.

        If the end of the attempt before it was not seen, it did at least the steps that this one continues from.

        Args:
            first: The steps that were done when it began.
            last: The steps that are done now, if known.
        """
        before = [dict(row) for row in self.attempts if row["attempt"] < self.attempt]
        if first and before and before[-1]["to_step"] is None:
            before[-1]["to_step"] = first
        own: dict[str, Any] = {"attempt": self.attempt, "host": self.host, "place": self.place}
        own |= {"directory": self.directory.name, "from_step": first, "to_step": last}
        return replace(self, attempts=(*before, own))

    def is_of(self, sweep_id: str) -> bool:
        """Return True if it provably belongs to a local sweep; in old records only the beginning of the id tells."""
        return self.sweep_id == sweep_id or (self.sweep_id is None and self.id.startswith(f"{sweep_id}-"))

    def to_record(self) -> dict[str, Any]:
        """Return every field by name but the training log.

        Paths are relative to the output directory if they lie in it. The training log is in
        `trial.json` alone: a study is read often, and as a whole.
        """
        record: dict[str, Any] = {"format": FORMAT}
        record |= {item.name: getattr(self, item.name) for item in fields(self) if item.name != TRAINING_LOG}
        above = self.directory.parent
        return {key: _relative(value, above) if key in _PATHS else value for key, value in record.items()}

    def absolute_paths(self) -> dict[str, str | None]:
        """Return every path by the name of its field, for a record that other machines read."""
        return {key: value and str(value) for key in _PATHS for value in (getattr(self, key),)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any], above: Path) -> Trial:
        """Return the trial of a record; `above` is the directory that contains the trial's. See `read_record`."""
        known: dict[str, Any] = {item.name: record[item.name] for item in fields(cls) if item.name in record}
        known |= {key: above / known[key] for key in _PATHS if known.get(key) is not None}
        known |= {key: tuple(known.get(key, ())) for key in ("history", "attempts", TRAINING_LOG)}
        return cls(**known)


_LONGEST_PATH = 4096

Place = Annotated[str, Field(min_length=1, max_length=_LONGEST_PATH, pattern=r"^[^\x00]+$")]
"""A path as a record has it."""


class _Attempt(BaseModel):
    """A row of `attempts` in `trial.json`."""

    model_config = ConfigDict(extra="ignore")

    attempt: PositiveInt
    host: str | None = None
    place: str | None = None
    directory: Place
    from_step: NonNegativeInt | FiniteFloat = 0
    to_step: NonNegativeInt | FiniteFloat | None = None


class _LogRow(BaseModel):
    """A row of `training_log` in `trial.json`: a step, and metrics by name."""

    model_config = ConfigDict(extra="allow")

    step: NonNegativeInt | FiniteFloat


class _Record(BaseModel):
    """The content of `trial.json`. Further fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    format: NonNegativeInt = 0
    number: NonNegativeInt
    id: str = Field(min_length=1)
    state: TrialState
    parameters: dict[str, Any]
    directory: Place
    started: str
    ended: str | None = None
    value: FiniteFloat | None = None
    step: int | None = None
    history: list[dict[str, Any]] = []
    seed: int | None = None
    details: dict[str, Any] = {}
    timings: dict[str, float] = {}
    error: str | None = None
    attempt: PositiveInt = 1
    host: str | None = None
    job: str | None = None
    checkpoint: Place | None = None
    training_state: Place | None = None
    resumed_from: Place | None = None
    attempts: list[_Attempt] = []
    sweep_id: str | None = None
    place: str | None = None
    total_steps: NonNegativeInt | FiniteFloat | None = None
    training_log: list[_LogRow] = []


def read_record(record: object) -> dict[str, Any]:
    """Check the record of a trial that was read from JSON, and return it with every field in its type.

    Raises:
        ValueError: It is not the record of a trial; the message says which field is wrong.
    """
    try:
        return _Record.model_validate(record).model_dump()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None


def latest_attempts(trials: Iterable[Trial]) -> list[Trial]:
    """Leave out the attempts that were followed by another; the order stays."""
    trials = list(trials)
    last: dict[int, int] = {}
    for trial in trials:
        last[trial.number] = max(trial.attempt, last.get(trial.number, 0))
    return [trial for trial in trials if trial.attempt == last[trial.number]]


_PATHS = ("directory", "checkpoint", "training_state", "resumed_from")


def _relative(path: Path | None, above: Path) -> str | None:
    if path is None:
        return None
    return str(path.relative_to(above) if path.is_relative_to(above) else path)
