"""What the trials of one worker process show of its machine, compared with those of all others.

- A failure of the machine by its kind, see `blame`, interrupts the trial, and the worker leaves the sweep. Others take
  the trial.
- A trial must not drive out one worker after another. If it was interrupted like that before, and this worker has
  completed a trial, so that its machine is known to work, the trial has failed, and the worker stays. It has failed as
  well at the third time, whatever the workers have completed.
- A worker whose last three trials failed for one reason of an unclear kind leaves too, and the three are interrupted,
  if another worker has completed a trial. The reason is the trials' own, though, if some worker that it made a trial
  of fail has completed one afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .blame import MACHINE_FAILURE, is_left_behind, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bertnado_sweep.records.trial import Trial

    from .blame import Blame

    Attempts = Sequence[tuple[str | None, Trial]]
    """Every attempt of every trial in the order of the start, with the name of its process, if that is known."""

FAILURES_IN_A_ROW = 3
"""A worker may leave when this many of its trials have failed for one reason."""

MOST_MACHINE_FAILURES = 3
"""A trial has failed when it met this many failures of machines: it may be the cause."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of a trial that has ended, and of its worker."""

    trial: Trial
    """The trial as it is to be recorded."""
    leaves: str | None = None
    """Why the worker must leave the sweep; None if it stays."""
    needs_new_process: bool = False
    """True if the worker stays, in a new process."""
    others: tuple[Trial, ...] = ()
    """Earlier trials of the worker, recorded as failed, that are tried elsewhere as well."""


@dataclass
class WorkerHistory:
    """The trials of one worker process so far."""

    process: str
    """The name of the process."""
    has_completed: bool = False
    """True once a trial has shown that the machine works."""
    _failures: list[Trial] = field(default_factory=list["Trial"])
    """The last trials, if they failed for one unclear reason."""

    def judge(self, ended: Trial, blame: Blame, read_attempts: Callable[[], Attempts]) -> Verdict:
        """Return what becomes of a trial that this process has ended, and of this worker.

        Args:
            ended: The trial.
            blame: Whose failure it is by its kind, if it has failed.
            read_attempts: Reads every attempt that is recorded.
        """
        if ended.state != "failed":
            self.has_completed |= ended.is_eligible
            self._failures.clear()
            return Verdict(ended)
        if blame.culprit == "machine":
            return self.judge_machine_failure(ended, [trial for _, trial in read_attempts()])
        is_alike = blame.culprit == "unclear" and all(trial.error == ended.error for trial in self._failures)
        self._failures = [*self._failures, ended] if is_alike else [ended] * (blame.culprit == "unclear")
        last = self._failures[-FAILURES_IN_A_ROW:]
        if len(last) < FAILURES_IN_A_ROW or not self._trains_elsewhere(ended.error, read_attempts()):
            return Verdict(ended, needs_new_process=blame.ends_process)
        *before, current = map(left_behind, last)
        reason = f"its last {FAILURES_IN_A_ROW} trials failed, but not those of other workers: {ended.error}"
        return Verdict(current, leaves=reason, others=tuple(before))

    def judge_machine_failure(self, ended: Trial, attempts: Iterable[Trial]) -> Verdict:
        """Return what becomes of a trial with which the machine has failed, and of this worker.

        Args:
            ended: The trial.
            attempts: The attempts of all trials, in the order of the start.
        """
        before = machine_failures(trial for trial in attempts if trial.number == ended.number)
        if before and self.has_completed:
            return Verdict(ended, needs_new_process=True)
        trial = ended if before + 1 >= MOST_MACHINE_FAILURES else left_behind(ended)
        return Verdict(trial, leaves=ended.error or "")

    def _trains_elsewhere(self, error: str | None, attempts: Attempts) -> bool:
        """Return True if another worker has completed a trial, and none that failed for this reason did afterwards."""
        failed: set[str] = set()
        is_elsewhere = False
        for process, trial in attempts:
            if trial.is_eligible and process in failed:
                return False
            is_elsewhere = is_elsewhere or (trial.is_eligible and process != self.process)
            if process is not None and not trial.is_eligible and reason_of(trial.error) == error:
                failed.add(process)
        return is_elsewhere


def left_behind(failed: Trial) -> Trial:
    """Return a failed trial as interrupted because of its machine."""
    return replace(failed, state="interrupted", error=f"{MACHINE_FAILURE}{failed.error}")


def machine_failures(attempts: Iterable[Trial]) -> int:
    """Return how many attempts of a trial were interrupted because of their machines since it last failed."""
    count = 0
    for attempt in attempts:
        count = 0 if attempt.state == "failed" else count + is_left_behind(attempt.error)
    return count
