"""Which failed trials of a resumed sweep are tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertnado_config import ArgumentProblem

from .backends import get_backend_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_config import Problem

    from .options import SweepOptions
    from .records.recorded_sweep import RecordedSweep
    from .records.trial import Trial


def retry_problems(options: SweepOptions, recorded: RecordedSweep | None) -> Sequence[Problem]:
    """Return why failed trials cannot be tried again as `retry_failed` says.

    Args:
        options: The options.
        recorded: The sweep that continues; None for a new one.
    """
    if options.retry_failed is False:
        return []
    if recorded is None or not options.resume:
        return [ArgumentProblem("retry_failed", "{retry_failed} requires {resume}, with the {output_dir} of a sweep")]
    trials, _ = get_backend_type(recorded.backend).read_trials(recorded)
    if not isinstance(options.retry_failed, bool):
        problems = (_problem_with(number, trials) for number in options.retry_failed)
        return [ArgumentProblem("retry_failed", problem) for problem in problems if problem is not None]
    if any(trial.state == "failed" for trial in trials):
        return []
    message = f"{{retry_failed}} has no effect: none of the {len(trials)} trials has failed"
    return [ArgumentProblem("retry_failed", message, "warning")]


def _problem_with(number: int, trials: Sequence[Trial]) -> str | None:
    """Return why a trial cannot be tried again; None if it can."""
    states = {trial.number + 1: trial.state for trial in trials}
    failed = ", ".join(str(shown) for shown, state in states.items() if state == "failed")
    choices = f"failed are {failed}" if failed else "none has failed"
    if number not in states:
        return f"the sweep has no trial {number}; {choices}"
    if states[number] == "interrupted":
        return f"trial {number} is interrupted and is tried again anyway; {choices}"
    return None if states[number] == "failed" else f"trial {number} is {states[number]}; {choices}"
