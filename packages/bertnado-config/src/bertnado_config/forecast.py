"""What the trials of a sweep will probably cost, as a trainer has measured before the first one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .errors import Problem


@dataclass(frozen=True)
class TrialForecast:
    """The expected length of one trial that runs to its end."""

    seconds: float
    """All of the trial, evaluations included."""
    evaluations: int = 0
    """The number of evaluations."""
    evaluation_seconds: float = 0.0
    """The seconds of all evaluations together."""


@dataclass(frozen=True)
class Forecast:
    """The measured cost of the parts of a trial, and the expected length of trials. Every duration is in seconds."""

    trials: Sequence[TrialForecast]
    """The trials that the forecast was asked for, in their order."""
    shortest: TrialForecast
    """The shortest of all trials that the sweep file allows."""
    longest: TrialForecast
    """The longest of all trials that the sweep file allows."""
    measured: str = ""
    """What was measured, in words."""
    took: float = 0.0
    """How long measuring took."""
    batch: int | None = None
    """Rows in the largest batch that is trained at once and fits into memory."""
    median_step: float | None = None
    """An optimiser step with such a batch of rows of median length."""
    longest_step: float | None = None
    """An optimiser step with such a batch of the longest rows."""
    evaluation: float | None = None
    """One evaluation of the whole validation split."""
    checkpoint_bytes: int | None = None
    """The size of a trial's checkpoint on disk."""
    memory_bytes: int | None = None
    """The most memory that a trial takes: of its GPU, otherwise of its process."""
    trials_per_gpu: int | None = None
    """The number of trials whose memory fits on one GPU; None without a GPU."""
    problems: Sequence[Problem] = ()
    """What was found out: errors with which no trial can train, and warnings."""

    def to_record(self) -> dict[str, Any]:
        """Return everything but the single trials and the problems, in plain values; a trial is its length."""
        left_out = ("trials", "problems", "shortest", "longest")
        values = {name: value for name, value in asdict(self).items() if name not in left_out}
        return {"shortest_trial": self.shortest.seconds, "longest_trial": self.longest.seconds, **values}
