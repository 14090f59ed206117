"""Running one trial, whatever backend it comes from."""

from __future__ import annotations

import copy
import json
import math
import operator
import os
import time
import traceback
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from bertnado_config import to_json_types

from bertnado_sweep.records.files import ERROR_FILE, now, read_training_log, write_trial
from bertnado_sweep.records.trial import read_record

from .blame import NOT_A_NUMBER, Blame, blame_for
from .error_text import message_of, one_line
from .events import Observer, TrialEvaluated, TrialProgress
from .training_log import TrainingLog
from .training_states import TrialStates

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from bertnado_config import Report, TrialResult
    from bertnado_metrics import Objective

    from bertnado_sweep.records.trial import Trial, TrialState

    from .tracker import Tracker


@dataclass
class TrialReport:
    """The report that one trial is given: keeps its history and informs tracker, observer and judge."""

    trial: Trial
    objective: Objective
    tracker: Tracker
    observer: Observer
    judge: Callable[[Sequence[float]], bool] = lambda values: False
    """Called with the values of all evaluations so far; returns True if early termination stops the trial."""
    is_stopped: Callable[[], bool] = lambda: False
    """Called at each step and evaluation; returns True if the trial was asked to stop."""
    history: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    training_log: TrainingLog = field(default_factory=TrainingLog)
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    total_steps: int | None = None
    broken: BaseException | None = None
    """The first exception of storage, tracker or observer: it is not the trial's fault."""
    blame: Blame = NOT_A_NUMBER
    """Whose failure it is if the trial has failed."""
    training_states: TrialStates | None = None
    """The training states of the trial; None if none are written."""
    first_step: float = 0
    """The optimizer steps that were done when this attempt began."""
    last_step: float | None = None
    """The optimizer steps that are done; None before the first report."""
    earlier_seconds: float = 0.0
    """The time that was spent on the trial before this attempt."""

    @property
    def directory(self) -> Path:
        """The directory of the trial."""
        return self.trial.directory

    @property
    def name(self) -> str:
        """The name of the trial in notes."""
        return f"trial {self.trial.number + 1}"

    def started(self, total_steps: int, details: Mapping[str, Any]) -> None:
        """Track the details of the trial, and forget the history of an earlier attempt of the trainer."""
        self.history.clear()
        self.training_log.continue_from(())
        self.first_step, self.last_step, self.earlier_seconds = 0, None, 0.0
        self.total_steps, self.details = _number(total_steps), dict(details)
        with self._machinery():
            self.tracker.describe(self.details)
            self.observer(TrialProgress(self.trial.number, 0, self.total_steps))

    def progress(self, step: int, metrics: Mapping[str, float] | None = None) -> bool:
        """Track what training logged; return True if the trial must stop."""
        step, metrics = _number(step), dict(metrics or {})
        self.last_step = step
        self.training_log.add(step, metrics)
        with self._machinery():
            if metrics:
                self.tracker.log(metrics, step)
            self.observer(TrialProgress(self.trial.number, step, self.total_steps))
            return self.is_stopped()

    def __call__(self, step: int, value: float, metrics: Mapping[str, float] | None = None) -> bool:
        """Track one evaluation; return True if the trial must stop."""
        step, reported = _number(step), {**(metrics or {}), self.objective.name: value}
        numbers = {name: float(number) for name, number in reported.items()}
        self.history.append({"step": step, **numbers})
        with self._machinery():
            self.tracker.log(numbers, step)
            self.observer(TrialEvaluated(self.trial.number, step, numbers[self.objective.name], numbers))
            return self.judge([row[self.objective.name] for row in self.history]) or self.is_stopped()

    def keep_states(self, every: float | None, is_interrupted: Callable[[], bool]) -> None:
        """Let the trainer write training states, if the trial has a file for them.

        Args:
            every: The seconds between two states; None for none.
            is_interrupted: Returns True once the trial is interrupted, and will be tried again.
        """
        path = self.trial.training_state
        if path is not None and every is not None:
            self.training_states = TrialStates(self, path, every, is_interrupted)

    def resumed(self, step: int, history: Sequence[Mapping[str, Any]], seconds: float) -> None:
        """Go on with a trial of which so many steps were done, with its history and training log so far.

        Its evaluations are judged again, so that they are recorded for this attempt; they do not stop it.
        """
        self.first_step = self.last_step = step
        self.earlier_seconds = seconds
        self.history[:] = [dict(row) for row in history]
        self.training_log.continue_from(self._earlier_log(step))
        values = [row[self.objective.name] for row in self.history]
        with self._machinery():
            self.tracker.replay(self.history)
            for count in range(1, len(values) + 1):
                self.judge(values[:count])
            self.observer(TrialProgress(self.trial.number, step, self.total_steps))
        self.state_written(step)

    def _earlier_log(self, step: int) -> list[Mapping[str, Any]]:
        """Return the training log of the earlier attempt up to the step of its training state."""
        if self.trial.resumed_from is None:
            return []
        return [row for row in read_training_log(self.trial.resumed_from.parent) if row["step"] <= step]

    def state_written(self, step: int) -> None:
        """Record how far the trial has come, in `trial.json` alone."""
        reached = self.trial.with_steps(self.first_step, step)
        with suppress(OSError):  # the disk may be full
            write_trial(replace(reached, total_steps=self.total_steps, training_log=self.training_log.rows))

    @contextmanager
    def _machinery(self) -> Generator[None]:
        """Remember an exception: a trainer may catch it and report it as its own."""
        try:
            yield
        except BaseException as error:
            self.broken = self.broken or error
            raise

    def finish_tracking(self, ended: Trial) -> None:
        """End the tracked run; its summary has the trial's value."""
        summary = {} if ended.value is None else {self.objective.name: ended.value}
        self.tracker.describe({"state": ended.state})
        self.tracker.finish(summary, failed=not ended.is_eligible)


def run_trial(train: Callable[[Mapping[str, Any], Report], TrialResult], report: TrialReport) -> Trial:
    """Train `report.trial` with a session's `run`; return the ended trial.

    An exception of training, SystemExit included, makes it a failed trial, with the traceback in `error.txt` in its
    directory; so does a result that cannot be recorded.

    Raises:
        KeyboardInterrupt: It was interrupted.
        Exception: The report failed, which is not the trial's fault; the trial has not ended.
    """
    begin, process = time.perf_counter(), os.getpid()
    try:
        try:
            result = train(copy.deepcopy(dict(report.trial.parameters)), report)
        finally:
            if os.getpid() != process:  # a child process that training has forked must not record the trial as well
                os._exit(1)
        ended = _recordable(_with_result(report, result), report)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 (whatever a trainer raises ends its trial, and no more)
        if report.broken is not None:
            raise report.broken from None
        report.blame = blame_for(error)
        with suppress(OSError):  # the disk may be full
            text = "".join(traceback.format_exception(error))
            (report.directory / ERROR_FILE).write_text(text, encoding="utf-8", errors="backslashreplace")
        ended = _recordable(end_trial(report, "failed", error=one_line(error)), report)
    total = report.earlier_seconds + time.perf_counter() - begin
    return replace(ended, timings={**ended.timings, "total": total})


def _number(given: Any) -> int:
    """Return a number of steps as an int or float, whatever numeric type it has.

    Raises:
        TypeError, ValueError: It is not a number.
    """
    try:
        return int(operator.index(given))
    except TypeError:
        return cast("int", float(given))  # a fraction, from a trainer that counts epochs


def _recordable(ended: Trial, report: TrialReport) -> Trial:
    """Return the trial if it can be recorded; otherwise as failed, with what can be recorded."""
    problem = _problem_with(ended)
    if problem is None:
        return ended
    error = ended.error or f"its result cannot be recorded: {problem}"
    state = "interrupted" if ended.state == "interrupted" else "failed"
    bare = replace(end_trial(report, state, error=error), details={})
    described = replace(bare, details=ended.details)
    return described if _problem_with(described) is None else bare


def _problem_with(ended: Trial) -> str | None:
    """Return why a trial cannot be recorded; None if it can."""
    try:
        read_record(json.loads(json.dumps(to_json_types(ended.to_record()))))
    except Exception as error:  # noqa: BLE001 (a trainer's objects raise what they like when they are looked at)
        return message_of(error)
    return None


def end_trial(report: TrialReport, state: TrialState, *, error: str | None = None) -> Trial:
    """Return the trial, ended in `state` without a value, with what it has reported."""
    return replace(
        report.trial.with_steps(report.first_step, report.last_step),
        state=state,
        ended=now(),
        history=tuple(report.history),
        details=report.details,
        error=error,
        total_steps=report.total_steps,
        training_log=report.training_log.rows,
    )


def _with_result(report: TrialReport, result: TrialResult) -> Trial:
    """Return the trial, ended with the result of the trainer."""
    known = replace(
        end_trial(report, "stopped" if result.stopped else "completed"),
        step=result.step,
        seed=result.seed if result.seed is not None else report.trial.seed,
        timings=dict(result.timings),
        checkpoint=result.checkpoint,
    )
    known = replace(
        known,
        history=tuple(dict(row) for row in result.history) or known.history,
        details=dict(result.details) or known.details,
    )
    if result.value is not None and math.isfinite(result.value):
        return replace(known, value=float(result.value))
    count = len(known.history)
    if count == 0 and result.stopped:
        return replace(known, state="interrupted", error="stopped before its first evaluation")
    return replace(
        known,
        state="failed",
        error=f"no finite value: {report.objective.name} was {result.value} after {count} evaluations",
    )
