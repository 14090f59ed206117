"""The live display of a sweep or a training run."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

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
from bertnado_sweep.status import flat_parameters
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

from bertnado.flags import flag_of
from bertnado.forecast_text import summarise_forecast
from bertnado.line_output import LineOutput
from bertnado.pace import Pace, describe_estimate, describe_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertnado_config import SweepConfig
    from bertnado_sweep import Trial
    from rich.console import Console

_QUIET_SECONDS, _SILENT_SECONDS = 10.0, 60.0
"""Without a terminal, an evaluation, or a step, is printed only if nothing was printed for this long."""

_TRAIN_LOG = logging.getLogger("bertnado_train")

_TEXT_COLUMNS = 50
"""The columns of a terminal that the text beside a bar needs."""

_NARROWEST_BAR, _WIDEST_BAR = 6, 24


class _NoteColumn(ProgressColumn):
    """Shows the text that the function in the field `note` returns, so that it changes between two events."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Return the current text."""
        return Text(task.fields["note"]())


class _ProgressHandler(logging.Handler):
    """Says what bertnado-train is doing before the first trial; its warnings have other ways."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self.addFilter(lambda record: record.levelno == logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say it."""
        self._say(f"{record.getMessage()} ...")


@dataclass
class _Running:
    """A running trial or training run."""

    task: TaskID
    total_steps: int | None = None
    value: str = ""


class Display(LineOutput):
    """Shows progress bars for the sweep and each running trial on a terminal, lines with the time elsewhere.

    Use it as a context manager and pass it to a sweep as its observer.
    """

    def __init__(
        self,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Start with nothing to show; see `LineOutput`."""
        super().__init__(console, clock, now)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=min(max(self._console.width - _TEXT_COLUMNS, _NARROWEST_BAR), _WIDEST_BAR)),
            MofNCompleteColumn(),
            _NoteColumn(table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._handler, self._level_before = _ProgressHandler(self.say), logging.NOTSET
        self._trials: TaskID | None = None
        self._running: dict[int, _Running] = {}
        self._pace = Pace(clock)
        self._objective = ""
        self._unit = "trial"
        self._config: SweepConfig | None = None
        self._total: int | None = None
        self._done_before = self._done_elsewhere = 0
        self._ended: dict[int, Trial] = {}
        self._best: Trial | None = None

    def __enter__(self) -> Self:
        _TRAIN_LOG.addHandler(self._handler)
        self._level_before = _TRAIN_LOG.level
        _TRAIN_LOG.setLevel(logging.INFO)
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        _TRAIN_LOG.removeHandler(self._handler)
        _TRAIN_LOG.setLevel(self._level_before)
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
                self.say(event.text)
            case TrialStarted():
                self._trial_started(event)
            case TrialProgress():
                self._trial_progressed(event)
            case TrialEvaluated():
                self._trial_evaluated(event)
            case TrialEnded():
                self._trial_ended(event)

    def _start(self, number: int, description: str) -> None:
        self._pace.start(number)
        task = self._progress.add_task(description, total=None, note=lambda: self._note_of(number))
        self._running[number] = _Running(task)

    def _note_of(self, number: int) -> str:
        running, seconds = self._running.get(number), self._pace.seconds_of(number)
        parts = ["" if running is None else running.value, "" if seconds is None else describe_seconds(seconds)]
        return ", ".join(filter(None, parts))

    def _sweep_started(self, event: SweepStarted) -> None:
        self._objective, self._total, self._config = event.objective.name, event.budget, event.config
        self._done_before = event.finished
        for warning in event.warnings:
            self.say(f"Warning: {warning.worded(flag_of)}")
        for note in event.notes:
            self.say(note)
        if event.forecast is not None:
            self._pace.expect(event.forecast.trials, event.forecast.workers)
            self.say(summarise_forecast(event.forecast))
        self._unit, units = event.unit, f"{event.unit}s"
        goal = f"{event.objective.goal} {event.objective.name}"
        self.say(f"{event.whole} {event.sweep_id}: {event.budget} {units}, {goal}")
        self._trials = self._progress.add_task(
            units, total=event.budget, completed=event.finished, note=lambda: ", ".join(self._summary())
        )

    def _run_started(self, event: RunStarted) -> None:
        self._objective = event.objective.name
        for note in event.notes:
            self.say(note)
        self.say(f"training: {describe_parameters(event.parameters)}")
        self._start(0, "training")

    def _trial_started(self, event: TrialStarted) -> None:
        what = event.description or describe_parameters(varied_parameters(self._config, event.parameters))
        is_counted = self._total is not None and event.number < self._total  # a joined sweep had trials before
        of = f" of {self._total}" if is_counted else ""
        which = self._name(event.number)
        self.say(f"{which}{of}: {what}")
        self._start(event.number, which)

    def _name(self, number: int) -> str:
        return f"{self._unit} {number + 1}"

    def _trial_progressed(self, event: TrialProgress) -> None:
        running = self._running.get(event.number)
        if running is None:
            return
        running.total_steps = event.total_steps
        self._progress.update(running.task, completed=event.step, total=event.total_steps)
        if event.step and self._was_quiet_for(_SILENT_SECONDS):
            self._say_step(event.number, f"step {event.step} of {event.total_steps}")

    def _trial_evaluated(self, event: TrialEvaluated) -> None:
        running = self._running.get(event.number)
        if running is None:
            return
        running.value = f"{self._objective} {event.value:.4f}"
        self._progress.update(running.task, refresh=True)
        if self._was_quiet_for(_QUIET_SECONDS):
            self._say_step(event.number, f"step {event.step} of {running.total_steps}: {running.value}")

    def _say_step(self, number: int, text: str) -> None:
        which = f"{self._name(number)} " if len(self._running) > 1 else ""
        self.say(f"  {which}{text}")

    def _trial_ended(self, event: TrialEnded) -> None:
        trial = event.trial
        running = self._running.pop(trial.number, None)
        if running is not None:
            self._progress.remove_task(running.task)
        which = f"{self._name(trial.number)} " if self._running else ""
        seconds = self._pace.end(trial.number, is_counted=trial.is_counted)
        took = "" if seconds is None else f" ({describe_seconds(seconds)})"
        self._ended[trial.number] = trial
        if event.finished is not None:
            self._done_elsewhere += max(event.finished - self._done, 0)
        self._best = event.best
        self.say(f"  {which}{describe_outcome(trial, self._objective)}{took}")
        if self._trials is not None:
            self._progress.update(self._trials, completed=self._done)
            if not self._console.is_terminal:
                self.say(", ".join([f"{self._done} of {self._total} {self._unit}s", *self._summary()]))

    @property
    def _done(self) -> int:
        """The number of finished trials; a trial that ends more than once counts once."""
        return self._done_before + self._done_elsewhere + sum(trial.is_counted for trial in self._ended.values())

    @property
    def _failed(self) -> int:
        return sum(trial.state == "failed" for trial in self._ended.values())

    def _summary(self) -> list[str]:
        """Return the failures, the best value and the estimated time left, as far as they are known."""
        left = self._pace.seconds_left((self._total or 0) - self._done)
        return [
            *([f"{self._failed} failed"] if self._failed else []),
            *([f"best {self._best.value:.4f}"] if self._best is not None else []),
            *([f"{describe_estimate(left)} left"] if left else []),
        ]


def varied_parameters(config: SweepConfig | None, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's parameters but for the constants of the sweep file; nested ones are named by their path."""
    if config is None:
        return dict(parameters)
    fixed = {parameter_label(path): form.from_unit(0.5) for path, form in config.space.items() if form.cardinality == 1}
    constants = flat_parameters(fixed).items()
    return dict(leaf for leaf in flat_parameters(parameters).items() if leaf not in constants)


def describe_parameters(parameters: Mapping[str, Any]) -> str:
    """Return parameters in one line, nested ones named by their path: `epochs=3 learning_rate=3.2e-05`."""
    return " ".join(f"{name}={_short(value)}" for name, value in flat_parameters(parameters).items())


def describe_outcome(trial: Trial, objective: str) -> str:
    """Return the state of an ended trial, with its value or its error."""
    if trial.value is None:
        return f"{trial.state}: {trial.error}" if trial.error else trial.state
    return f"{trial.state}: {objective} {trial.value:.4f} at step {trial.step}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
