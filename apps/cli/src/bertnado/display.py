"""What a person sees while a sweep or a training run is under way."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from bertnado_config import flatten_parameters, parameter_label
from bertnado_sweep import (
    Event,
    RunStarted,
    SweepStarted,
    Trial,
    TrialEnded,
    TrialEvaluated,
    TrialProgress,
    TrialStarted,
)
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertnado_config import SweepConfig

_QUIET_SECONDS = 10.0
"""Without a terminal, an evaluation is a line of its own only after so long a silence."""


class Display:
    """Shows what happens: two bars on a terminal, plain lines elsewhere.

    Use it as a context manager, and hand it to a sweep as its observer.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._clock = clock
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._trials: TaskID | None = None
        self._steps: TaskID | None = None
        self._objective = ""
        self._config: SweepConfig | None = None
        self._total = 0
        self._total_steps: int | None = None
        self._began = self._trial_began = self._spoke = clock()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case SweepStarted():
                self._sweep_started(event)
            case RunStarted():
                self._run_started(event)
            case TrialStarted():
                self._trial_started(event)
            case TrialProgress():
                self._trial_progressed(event)
            case TrialEvaluated():
                self._trial_evaluated(event)
            case TrialEnded():
                self._trial_ended(event)

    def _say(self, line: str) -> None:
        """Print one line, above the bars where there are some."""
        self._spoke = self._clock()
        self._console.print(line, markup=False, soft_wrap=True)

    def _sweep_started(self, event: SweepStarted) -> None:
        self._objective, self._total, self._config = event.objective.name, event.total, event.config
        for warning in event.warnings:
            self._say(f"Warning: {warning}")
        self._say(f"sweep {event.sweep_id}: {event.total} trials, {event.objective.goal} {event.objective.name}")
        self._trials = self._progress.add_task("trials", total=event.total, note="")

    def _run_started(self, event: RunStarted) -> None:
        self._objective = event.objective.name
        for note in event.notes:
            self._say(note)
        self._say(f"training: {describe_parameters(event.parameters)}")
        self._steps = self._progress.add_task("training", total=None, note="")

    def _trial_started(self, event: TrialStarted) -> None:
        self._trial_began = self._clock()
        varied = describe_parameters(varied_parameters(self._config, event.parameters))
        self._say(f"trial {event.number + 1} of {self._total}: {varied}")
        self._steps = self._progress.add_task(f"trial {event.number + 1}", total=None, note="")

    def _trial_progressed(self, event: TrialProgress) -> None:
        self._total_steps = event.total_steps
        if self._steps is not None:
            self._progress.update(self._steps, completed=event.step, total=event.total_steps)

    def _trial_evaluated(self, event: TrialEvaluated) -> None:
        if self._steps is not None:
            self._progress.update(self._steps, note=f"{self._objective} {event.value:.4f}", refresh=True)
        if not self._console.is_terminal and self._clock() - self._spoke > _QUIET_SECONDS:
            self._say(f"  step {event.step} of {self._total_steps}: {self._objective} {event.value:.4f}")

    def _trial_ended(self, event: TrialEnded) -> None:
        seconds = self._clock() - self._trial_began
        self._say(f"  {describe_outcome(event.trial, self._objective)} ({describe_seconds(seconds)})")
        if self._steps is not None:
            self._progress.remove_task(self._steps)
            self._steps = None
        if self._trials is not None:
            self._progress.update(self._trials, completed=event.trial.number + 1, note=self._note(event))

    def _note(self, event: TrialEnded) -> str:
        """Say how good the best trial is, and how long the rest will take at the pace so far."""
        done = event.trial.number + 1
        left = (self._clock() - self._began) / done * (self._total - done)
        best = "" if event.best is None else f"best {event.best.value:.4f} (trial {event.best.number + 1}), "
        return f"{best}{describe_seconds(left)} left,"


def varied_parameters(config: SweepConfig | None, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is the same in every trial; a nested parameter is named by its path."""
    if config is None:
        return dict(parameters)
    values = flatten_parameters(config, parameters)
    return {parameter_label(path): value for path, value in values.items() if config.space[path].cardinality != 1}


def describe_parameters(parameters: Mapping[str, Any]) -> str:
    """Write parameters in one line, numbers short: `learning_rate=3.2e-05 epochs=3`."""
    return " ".join(f"{name}={_short(value)}" for name, value in sorted(parameters.items()))


def describe_outcome(trial: Trial, objective: str) -> str:
    """Say what became of a trial: its state, and its value or what went wrong."""
    if trial.value is None:
        return f"{trial.state}: {trial.error}"
    return f"{trial.state}: {objective} {trial.value:.4f} at step {trial.step}"


def describe_seconds(seconds: float) -> str:
    """Write a duration as a person says it: `42 s`, `3 min 10 s`, `2 h 05 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
