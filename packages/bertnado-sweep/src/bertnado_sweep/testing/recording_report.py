"""A report that records what a trainer says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bertnado_config import TrainingStates
    from bertnado_metrics import Objective


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a trial."""

    step: int
    value: float
    metrics: Mapping[str, float]


@dataclass
class RecordingReport:
    """A `bertnado_config.Report` that records what a trainer says, and asks it to stop if it should."""

    directory: Path
    """The trial's directory; it must exist."""
    objective: Objective
    should_stop: Callable[[RecordingReport], bool] = lambda report: False
    """Asked at each step and each evaluation, after it was recorded."""
    total_steps: list[int] = field(default_factory=list[int])
    """Number of steps that each start announced: several if the trial started again."""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    steps: list[int] = field(default_factory=list[int])
    """The step of each report since the last start: of progress and of evaluations, in order."""
    evaluations: list[Evaluation] = field(default_factory=list[Evaluation])
    """The evaluations since the last start."""
    stopped_at: int | None = None
    """The step at which the trainer was first asked to stop."""
    training_states: TrainingStates | None = None
    """The training states of the trial; None if none are to be written."""

    def started(self, total_steps: int, details: Mapping[str, Any]) -> None:
        """Record a start; what was reported before no longer counts."""
        self.total_steps.append(total_steps)
        self.details = details
        self.steps.clear()
        self.evaluations.clear()

    def progress(self, step: int, metrics: Mapping[str, float] | None = None) -> bool:
        """Record a step."""
        self.steps.append(step)
        return self._answer(step)

    def __call__(self, step: int, value: float, metrics: Mapping[str, float] | None = None) -> bool:
        """Record an evaluation."""
        self.steps.append(step)
        self.evaluations.append(Evaluation(step, value, dict(metrics or {})))
        return self._answer(step)

    def _answer(self, step: int) -> bool:
        if self.stopped_at is None and self.should_stop(self):
            self.stopped_at = step
        return self.stopped_at is not None
