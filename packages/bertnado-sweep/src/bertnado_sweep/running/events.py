"""The events of a sweep, for an observer such as a progress display.

The library prints nothing; a display is made of these events. They come in the thread that trains, or, if several
processes train, in the one that waits for them. An observer must not raise an exception.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from bertnado_config import Problem, SweepConfig
    from bertnado_metrics import Objective

    from bertnado_sweep.records.trial import Trial

    from .forecast import SweepForecast

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweepStarted:
    """All checks passed; the first trial comes next."""

    sweep_id: str
    budget: int
    """The number of trials, unless the space is exhausted sooner."""
    objective: Objective
    output_dir: Path
    config: SweepConfig
    warnings: tuple[Problem, ...] = ()
    """Warnings about the sweep file and the options."""
    notes: tuple[str, ...] = ()
    """Further information: the backend and why it was chosen, where the sweep can be seen."""
    finished: int = 0
    """The number of trials that were finished before, if the sweep is resumed."""
    forecast: SweepForecast | None = None
    """How long the trials will probably take; None if it was not measured."""
    whole: str = "sweep"
    """The word for it."""
    unit: str = "trial"
    """The word for one of its trials."""


@dataclass(frozen=True)
class Note:
    """A piece of information, in one line."""

    text: str


@dataclass(frozen=True)
class RunStarted:
    """A training run outside a sweep begins; the events of trial 0 follow."""

    id: str
    objective: Objective
    parameters: Mapping[str, Any]
    directory: Path
    notes: tuple[str, ...] = ()
    """Information about the run, in lines."""


@dataclass(frozen=True)
class TrialStarted:
    """A trial has its parameters and its directory."""

    number: int
    id: str
    parameters: Mapping[str, Any]
    directory: Path
    description: str | None = None
    """What it trains, in words; None if its parameters say it."""


@dataclass(frozen=True)
class TrialProgress:
    """Optimizer steps were completed."""

    number: int
    step: int
    total_steps: int | None
    """None if the trainer did not report it."""


@dataclass(frozen=True)
class TrialEvaluated:
    """The trial was evaluated."""

    number: int
    step: int
    value: float
    """The objective; NaN if it is undefined."""
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class TrialEnded:
    """A trial has ended and is recorded.

    One that failed because of its machine, as later trials show, ends once more, as interrupted.
    """

    trial: Trial
    best: Trial | None
    """The best trial so far, this one included."""
    finished: int | None = None
    """The number of finished trials of the sweep, those of other processes included; None if it is unknown."""


Event = SweepStarted | RunStarted | Note | TrialStarted | TrialProgress | TrialEvaluated | TrialEnded
Observer = Callable[[Event], None]


def log_warnings(event: Event) -> None:
    """Log the warnings and notes: the observer of a sweep that is given none."""
    if isinstance(event, SweepStarted):
        for warning in event.warnings:
            _log.warning("%s", warning)
    elif isinstance(event, Note):
        _log.warning("%s", event.text)
