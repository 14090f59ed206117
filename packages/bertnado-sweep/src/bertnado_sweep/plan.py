"""A sweep that has been checked and not been started."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .options import SweepOptions
from .records.files import library_versions, now
from .search.bayes import START_TRIALS, BayesSearch
from .start import JoinedSweep, NewSweep, SweepStart

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from pathlib import Path

    from bertnado_config import Problem, SweepConfig, Trainer
    from bertnado_metrics import Objective

    from .records.recorded_sweep import RecordedSweep
    from .records.trial import Trial
    from .running.forecast import SweepForecast
    from .running.tracker import JobType
    from .search import SearchMethod


@dataclass(frozen=True)
class BackendChoice:
    """The name of a backend, and why it was chosen."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})"


@dataclass(frozen=True)
class Application:
    """The application's part of a sweep."""

    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Settings to record in `sweep.json`: model, dataset, task, ... JSON-serializable."""
    group: str | None = None
    """The W&B group of the runs: the task."""
    command: tuple[str, ...] = ()
    """The program, with its arguments, by which W&B's command-line agent starts a trial."""


@dataclass(frozen=True)
class RunKind:
    """The kind of the runs of a plan: how they are tracked, and what is kept of them. These are trials of a search."""

    job_type: JobType = "sweep"
    """The job type of the tracked runs."""
    is_online: bool = False
    """True if the local backend sends them to W&B as they go."""
    exports_best: bool = True
    """True if the best of them is exported."""
    method: SearchMethod | None = None
    """How the next one is chosen, if not by the method of the sweep file."""
    kept_checkpoints: int = 1
    """The number of checkpoints that are kept under `keep_checkpoints="best"`."""

    def tracked_parameters(self, trial: Trial) -> Mapping[str, Any]:
        """Return the parameters that a run is tracked with."""
        return trial.parameters

    def describe(self, trial: Trial) -> str | None:
        """Return what a run trains, in words; None if its parameters say it."""
        return None

    def group_of(self, trial: Trial) -> Hashable:
        """Return the group in which the best checkpoint is kept; all trials of a search are in one."""
        return None


@dataclass(frozen=True)
class Plan:
    """Everything a worker needs to run trials of one sweep; picklable if the trainer is."""

    trainer: Trainer
    config: SweepConfig
    method: SearchMethod
    """How the next trial is chosen."""
    objective: Objective
    output_dir: Path
    """Absolute."""
    budget: int
    """The number of trials that the sweep may count: those that completed, were stopped early or failed."""
    workers: int
    """The number of processes that train at once."""
    project: str
    """The W&B project."""
    entity: str | None
    """The W&B user or team."""
    backend: BackendChoice
    start: SweepStart = field(default_factory=NewSweep)
    options: SweepOptions = field(default_factory=SweepOptions)
    """As they were given, completed by what is recorded."""
    application: Application = field(default_factory=Application)
    kind: RunKind = field(default_factory=RunKind)
    config_path: Path | None = None
    began: str = field(default_factory=now)
    """When the plan was made, ISO 8601, UTC."""
    start_points: Sequence[Mapping[str, Any]] = ()
    """The parameters, nested, of points of the space that the search begins with."""
    start_source: str | None = None
    """Where these points were found, for the user; None if they are as recorded."""
    warnings: tuple[Problem, ...] = ()
    forecast: SweepForecast | None = None
    """How long the sweep will probably take; None if it was not measured."""

    @property
    def recorded(self) -> RecordedSweep | None:
        """The record of the sweep that continues here; None for a new one."""
        return self.start.recorded

    @property
    def is_joining(self) -> bool:
        """True if others may be working on the sweep right now, with the same record."""
        return isinstance(self.start, JoinedSweep)

    @property
    def search_notes(self) -> tuple[str, ...]:
        """Remarks on the search: the points that it begins with, and when a model proposes."""
        notes: list[str] = []
        if self.start_points:
            count, source = len(self.start_points), self.start_source
            points = "1 point" if count == 1 else f"{count} points"
            notes.append(f"the search begins with {points}" + (f" from {source}" if source else ""))
        is_local_bayes = self.method.name == BayesSearch().name and self.backend.name != "wandb"
        if is_local_bayes and self.budget <= START_TRIALS:
            notes.append(
                f"bayes spreads its first {START_TRIALS} trials evenly, without a model; "
                f"the model proposes from trial {START_TRIALS + 1} on"
            )
        return tuple(notes)

    @property
    def device(self) -> str | None:
        """The devices that trials train on here; None if the trainer does not say it."""
        return getattr(self.trainer, "device", None)

    @property
    def keeps_states(self) -> bool:
        """True if trials write their training state, from which another attempt goes on."""
        return self.options.states_every is not None and state_bytes_of(self.trainer) is not None

    def to_record(self, sweep_id: str) -> dict[str, Any]:
        """Return the content of `sweep.json`."""
        before = self.recorded.record if self.recorded else None
        return {
            "sweep_id": sweep_id,
            "backend": self.backend.name,
            "objective": {"name": self.objective.name, "goal": self.objective.goal},
            "budget": self.budget,
            **self.options.to_record(),
            "start_points": list(self.start_points),
            "project": self.project,
            "group": self.application.group,
            "config_path": self.config_path and str(self.config_path),
            "config": self.config.to_wandb(),
            "application": dict(self.application.settings),
            "versions": library_versions(),
            "created": before["created"] if before else self.began,
            "resumed": [*before.get("resumed", []), self.began] if before else [],
            "forecast": self.forecast.to_record() if self.forecast else before.get("forecast") if before else None,
        }


def state_bytes_of(trainer: Trainer) -> int | None:
    """Return the size of a trial's training state; None if the trainer writes none."""
    return getattr(trainer, "training_state_bytes", None)


def new_sweep_id() -> str:
    """Return eight characters, like W&B's ids."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
