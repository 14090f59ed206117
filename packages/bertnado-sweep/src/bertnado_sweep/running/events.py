"""What an observer hears while a sweep runs, a progress display for example.

The library prints nothing; whatever is to be shown is made of these. Events come in the thread that trains, or,
where several processes train, in the one that waits for them. An observer must not raise.
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

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweepStarted:
    """Everything was checked; the first trial comes next."""

    sweep_id: str
    total: int
    """How many trials there will be, unless the space is spent sooner."""
    objective: Objective
    output_dir: Path
    config: SweepConfig
    warnings: tuple[Problem, ...] = ()
    """What is worth knowing about the sweep file and is no error."""
    notes: tuple[str, ...] = ()
    """What else a person should know: the backend and why it is that one, where to look at the sweep."""
    done: int = 0
    """How many of the trials were finished before, where the sweep goes on."""


@dataclass(frozen=True)
class Note:
    """Something that a person should know, in one line."""

    text: str


@dataclass(frozen=True)
class RunStarted:
    """A training run outside of any sweep begins; what follows are the events of trial 0."""

    id: str
    objective: Objective
    parameters: Mapping[str, Any]
    directory: Path
    notes: tuple[str, ...] = ()
    """What a person should know of it beforehand."""


@dataclass(frozen=True)
class TrialStarted:
    """A trial has its parameters and its directory."""

    number: int
    id: str
    parameters: Mapping[str, Any]
    directory: Path


@dataclass(frozen=True)
class TrialProgress:
    """Optimiser steps were done."""

    number: int
    step: int
    total_steps: int | None
    """`None` where the trainer did not say."""


@dataclass(frozen=True)
class TrialEvaluated:
    """The trial was evaluated."""

    number: int
    step: int
    value: float
    """The objective; NaN where it is not defined."""
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class TrialEnded:
    """A trial is over and recorded."""

    trial: Trial
    best: Trial | None
    """The best trial so far, this one included."""


Event = SweepStarted | RunStarted | Note | TrialStarted | TrialProgress | TrialEvaluated | TrialEnded
Observer = Callable[[Event], None]


def log_warnings(event: Event) -> None:
    """An observer for where nobody watches: it keeps the warnings and notes at least."""
    if isinstance(event, SweepStarted):
        for warning in event.warnings:
            _log.warning("%s", warning)
    elif isinstance(event, Note):
        _log.warning("%s", event.text)
