"""The live display of a sweep or a training run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

from bertnado_config import parameter_label
from bertnado_sweep.running.events import (
    Event,
    Note,
    RunStarted,
    SweepStarted,
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

from bertnado.flags import flag_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bertnado_config import SweepConfig
    from bertnado_sweep import Trial

_QUIET_SECONDS = 10.0
"""Without a terminal, an evaluation is printed only if nothing was printed for this long."""


@dataclass
class _Running:
    """A running trial or training run."""

    task: TaskID
    began: float
    total_steps: int | None = None


class Display:
    """Shows progress bars for the sweep and each running trial on a terminal, plain lines elsewhere.

    Use it as a context manager and pass it to a sweep as its observer.
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
        self._running: dict[int, _Running] = {}
        self._objective = ""
        self._config: SweepConfig | None = None
        self._total: int | None = None
        self._done = self._done_before = 0
        self._began = self._spoke = clock()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case SweepStarted():
                self._sweep_started(event)
            case RunStarted():
                self._run_started(event)
            case Note():
                self._say(event.text)
            case TrialStarted():
                self._trial_started(event)
            case TrialProgress():
                self._trial_progressed(event)
            case TrialEvaluated():
                self._trial_evaluated(event)
            case TrialEnded():
                self._trial_ended(event)

    def _say(self, line: str) -> None:
        """Print one line, above the progress bars."""
        self._spoke = self._clock()
        self._console.print(line, markup=False, soft_wrap=True)

    def _start(self, number: int, description: str) -> None:
        task = self._progress.add_task(description, total=None, note="")
        self._running[number] = _Running(task, self._clock())

    def _sweep_started(self, event: SweepStarted) -> None:
        self._objective, self._total, self._config = event.objective.name, event.total, event.config
        self._done = self._done_before = event.done
        for warning in event.warnings:
            self._say(f"Warning: {warning.worded(flag_of)}")
        for note in event.notes:
            self._say(note)
        self._say(f"sweep {event.sweep_id}: {event.total} trials, {event.objective.goal} {event.objective.name}")
        self._trials = self._progress.add_task("trials", total=event.total, completed=event.done, note="")

    def _run_started(self, event: RunStarted) -> None:
        self._objective = event.objective.name
        for note in event.notes:
            self._say(note)
        self._say(f"training: {describe_parameters(event.parameters)}")
        self._start(0, "training")

    def _trial_started(self, event: TrialStarted) -> None:
        varied = describe_parameters(varied_parameters(self._config, event.parameters))
        is_counted = self._total is not None and event.number < self._total  # a joined sweep had trials before
        of = f" of {self._total}" if is_counted else ""
        self._say(f"trial {event.number + 1}{of}: {varied}")
        self._start(event.number, f"trial {event.number + 1}")

    def _trial_progressed(self, event: TrialProgress) -> None:
        running = self._running.get(event.number)
        if running is not None:
            running.total_steps = event.total_steps
            self._progress.update(running.task, completed=event.step, total=event.total_steps)

    def _trial_evaluated(self, event: TrialEvaluated) -> None:
        running = self._running.get(event.number)
        if running is None:
            return
        self._progress.update(running.task, note=f"{self._objective} {event.value:.4f}", refresh=True)
        if not self._console.is_terminal and self._clock() - self._spoke > _QUIET_SECONDS:
            which = f"trial {event.number + 1} " if len(self._running) > 1 else ""
            self._say(f"  {which}step {event.step} of {running.total_steps}: {self._objective} {event.value:.4f}")

    def _trial_ended(self, event: TrialEnded) -> None:
        running = self._running.pop(event.trial.number, None)
        which = f"trial {event.trial.number + 1} " if self._running else ""
        took = "" if running is None else f" ({describe_seconds(self._clock() - running.began)})"
        self._say(f"  {which}{describe_outcome(event.trial, self._objective)}{took}")
        if running is not None:
            self._progress.remove_task(running.task)
        self._done += event.trial.is_counted
        if self._trials is not None:
            self._progress.update(self._trials, completed=self._done, note=self._note(event.best))

    def _note(self, best: Trial | None) -> str:
        """Return the best value, and how long the rest takes at the pace so far."""
        shown = "" if best is None else f"best {best.value:.4f} (trial {best.number + 1}), "
        done = self._done - self._done_before
        if done == 0:
            return shown
        left = (self._clock() - self._began) / done * ((self._total or 0) - self._done)
        return f"{shown}{describe_seconds(left)} left,"


def varied_parameters(config: SweepConfig | None, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's parameters but for the constants of the sweep file; nested ones are named by their path."""
    if config is None:
        return dict(parameters)
    fixed = {parameter_label(path): form.from_unit(0.5) for path, form in config.space.items() if form.cardinality == 1}
    constants = list(_leaves(fixed))
    return dict(leaf for leaf in _leaves(parameters) if leaf not in constants)


def describe_parameters(parameters: Mapping[str, Any]) -> str:
    """Return parameters in one line, nested ones named by their path: `epochs=3 learning_rate=3.2e-05`."""
    return " ".join(f"{name}={_short(value)}" for name, value in sorted(_leaves(parameters)))


def describe_outcome(trial: Trial, objective: str) -> str:
    """Return the state of an ended trial, with its value or its error."""
    if trial.value is None:
        return f"{trial.state}: {trial.error}" if trial.error else trial.state
    return f"{trial.state}: {objective} {trial.value:.4f} at step {trial.step}"


def describe_seconds(seconds: float) -> str:
    """Return a duration in words: `42 s`, `3 min 10 s`, `2 h 05 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _leaves(parameters: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _leaves(cast("Mapping[str, Any]", value), f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
