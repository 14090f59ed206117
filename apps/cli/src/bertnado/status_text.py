"""The text, the table and the JSON of `bertnado sweep-status`."""

from __future__ import annotations

import csv
import io
import json
import textwrap
from typing import TYPE_CHECKING, Any

from bertnado_config import to_json_types
from bertnado_sweep.confirmation.text import describe_confirmation, describe_replacement
from bertnado_sweep.status import flat_parameters, trial_seconds

from bertnado.display import describe_parameters
from bertnado.jobs_text import jobs_json
from bertnado.pace import describe_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bertnado_sweep import SweepStatus, Trial, TrialOrder
    from bertnado_sweep.cluster.watching import JobStatus

_COLUMNS = (
    *(
        "trial",
        "id",
        "state",
        "value",
        "step",
        "seconds",
        "started",
        "ended",
        "attempt",
        "host",
        "job",
        "directory",
        "error",
    ),
)


def describe_status(status: SweepStatus, order: TrialOrder = "number", width: int = 80) -> str:
    """Return what is known of a sweep in lines of at most `width` characters, unless a word is longer."""
    return "\n".join(_lines(status, order, width))


def _lines(status: SweepStatus, order: TrialOrder, width: int) -> Iterator[str]:
    best, name = status.best, status.objective.name
    count = f"{status.finished} of {status.budget}" if status.budget is not None else str(len(status.trials))
    yield f"sweep {status.sweep_id} ({status.source}): {count} trials, {status.objective.goal} {name}"
    constant = status.constant_parameters
    if constant:
        yield from _wrapped(f"the same in all trials: {describe_parameters(constant)}", "", width)
    for trial in status.ordered(order):
        yield _first_line(status, trial, is_best=best is not None and trial.id == best.id)
        varied = {key: value for key, value in flat_parameters(trial.parameters).items() if key not in constant}
        yield from _wrapped(describe_parameters(varied), " " * 7, width)
        yield from _wrapped(_progress(trial), " " * 7, width)
        yield from _wrapped(trial.error or "", " " * 7, width)
    best_line = (
        "no trial has a value yet" if best is None else f"best: trial {best.number + 1}, {name} {best.value:.4f}"
    )
    yield best_line
    if status.confirming is not None:
        finished, budget = status.confirming
        text = f"a confirmation has finished {finished} of {budget} runs; bertnado confirm continues it"
        yield from _wrapped(text, "", width)
    if status.confirmation is not None:
        for line in describe_confirmation(status.confirmation):
            indent = " " * (len(line) - len(line.lstrip()))
            yield from _wrapped(line.lstrip(), indent, width)
    if best is not None and status.confirmation is not None:
        for line in describe_replacement(status.confirmation, best, status.objective):
            yield from _wrapped(line, "", width)


def _first_line(status: SweepStatus, trial: Trial, *, is_best: bool) -> str:
    value = "" if trial.value is None else f"{trial.value:.4f}"
    seconds = trial_seconds(trial)
    time = "" if seconds is None else describe_seconds(seconds)
    place = status.place_of(trial) or trial.id
    return f"{'*' if is_best else ' '} {trial.number + 1:4} {trial.state:11} {value:>9} {time:>12}  {place}"


def _progress(trial: Trial) -> str:
    """Return which attempt of a trial it is, where it began, and how far it is if that is known and not the end."""
    if not trial.attempts:
        return ""
    first, last = (trial.attempts[-1][name] for name in ("from_step", "to_step"))
    began = f"attempt {trial.attempt}" + (f", which continued from step {first}" if first else "")
    known = "" if trial.is_counted or last is None else f"at step {last}"
    return "; ".join(filter(None, [began if trial.attempt > 1 else "", known]))


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def status_table(status: SweepStatus, order: TrialOrder = "number") -> str:
    """Return a table of the trials as CSV: a column for each field, and for each parameter `parameters.NAME`."""
    rows = [_flat_row(status, trial) for trial in status.ordered(order)]
    names = sorted({name for row in rows for name in row if name not in _COLUMNS})
    written = io.StringIO()
    table = csv.DictWriter(written, [*_COLUMNS, *names], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return written.getvalue().rstrip("\n")


def _flat_row(status: SweepStatus, trial: Trial) -> dict[str, Any]:
    parameters = flat_parameters(to_json_types(trial.parameters))
    return _row(status, trial) | {f"parameters.{name}": _cell(value) for name, value in parameters.items()}


def _cell(value: Any) -> Any:
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else json.dumps(value)


def status_json(status: SweepStatus, order: TrialOrder = "number", jobs: Sequence[JobStatus] = ()) -> str:
    """Return what is known of a sweep, and of the jobs that work on it, as JSON."""
    best = status.best
    content: Mapping[str, Any] = {
        "sweep_id": status.sweep_id,
        "source": status.source,
        "objective": {"name": status.objective.name, "goal": status.objective.goal},
        "finished": status.finished,
        "budget": status.budget,
        "best_trial": None if best is None else best.number + 1,
        "confirmation": None if status.confirmation is None else status.confirmation.model_dump(exclude={"format"}),
        "constant_parameters": status.constant_parameters,
        "trials": [_full_row(status, trial) for trial in status.ordered(order)],
        "jobs": jobs_json(jobs),
        "warnings": status.warnings,
    }
    return json.dumps(to_json_types(content), indent=2)


def _full_row(status: SweepStatus, trial: Trial) -> dict[str, Any]:
    return {**_row(status, trial), "parameters": trial.parameters, "attempts": trial.attempts}


def _row(status: SweepStatus, trial: Trial) -> dict[str, Any]:
    """Return the fields of a trial by the names of the columns; its number is the one that is shown, from 1."""
    seconds = trial_seconds(trial)
    return {
        "trial": trial.number + 1,
        "id": trial.id,
        "state": trial.state,
        "value": trial.value,
        "step": trial.step,
        "seconds": None if seconds is None else round(seconds, 3),
        "started": trial.started,
        "ended": trial.ended,
        "attempt": trial.attempt,
        "host": trial.host,
        "job": trial.job,
        "directory": status.place_of(trial),
        "error": trial.error,
    }
