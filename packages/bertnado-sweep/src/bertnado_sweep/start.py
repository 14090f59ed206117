"""The ways a sweep can start on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .records.recorded_sweep import RecordedSweep
    from .records.service_sweep import ServiceSweep


@dataclass(frozen=True)
class NewSweep:
    """A new sweep, in a new output directory."""

    @property
    def recorded(self) -> RecordedSweep | None:
        """None: nothing is recorded yet."""
        return None


@dataclass(frozen=True)
class ResumedSweep:
    """A recorded sweep that continues, possibly with other options."""

    recorded: RecordedSweep


@dataclass(frozen=True)
class JoinedSweep:
    """A recorded sweep that this machine works on beside others, with exactly what is recorded."""

    recorded: RecordedSweep


@dataclass(frozen=True)
class JoinedWandbSweep:
    """A sweep at W&B that this machine starts agents for."""

    sweep: ServiceSweep
    recorded: RecordedSweep | None = None
    """Its record in the output directory; None if this machine has not worked on it before."""


SweepStart = NewSweep | ResumedSweep | JoinedSweep | JoinedWandbSweep
