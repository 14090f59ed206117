"""A trainer made of a plain function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertnado_config import TrialResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bertnado_config import Problem, Report, SweepConfig, TrainingStates, TrialFunction
    from bertnado_metrics import Objective


@dataclass(frozen=True)
class FunctionTrainer:
    """A trainer around `function(parameters, report)`, which returns the objective or a `TrialResult`.

    It can be pickled if the function can.
    """

    function: TrialFunction

    def check(self, config: SweepConfig, objective: Objective) -> Sequence[Problem]:
        """Return no problems: a function cannot be checked beforehand."""
        return ()

    def open(self) -> FunctionTrainer:
        """Return itself: there is nothing to read."""
        return self

    def run(self, parameters: Mapping[str, Any], report: Report) -> TrialResult:
        """Call the function; the trial counts as stopped early if a report returned True.

        Raises:
            TypeError: It returned neither a number nor a `TrialResult`.
        """
        listener = _StopWatcher(report)
        returned: object = self.function(parameters, listener)
        if isinstance(returned, TrialResult):
            return returned
        try:
            value = float(returned)  # pyright: ignore[reportArgumentType] (anything but a number is refused)
        except (TypeError, ValueError):
            kind = type(returned).__name__
            raise TypeError(f"a trial function must return a number or a TrialResult, got {kind}") from None
        return TrialResult(value, stopped=listener.was_told_to_stop)


class _StopWatcher:
    """Forwards everything, and remembers whether the trial was asked to stop."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.was_told_to_stop = False

    @property
    def directory(self) -> Path:
        return self._report.directory

    @property
    def objective(self) -> Objective:
        return self._report.objective

    @property
    def training_states(self) -> TrainingStates | None:
        return self._report.training_states

    def started(self, total_steps: int, details: Mapping[str, Any]) -> None:
        self._report.started(total_steps, details)

    def progress(self, step: int, metrics: Mapping[str, float] | None = None) -> bool:
        answer = self._report.progress(step, metrics)
        self.was_told_to_stop |= answer
        return answer

    def __call__(self, step: int, value: float, metrics: Mapping[str, float] | None = None) -> bool:
        answer = self._report(step, value, metrics)
        self.was_told_to_stop |= answer
        return answer
