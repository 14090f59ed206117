"""What ends a sweep before its budget is spent: failures, of trials or machines, time, an unreachable database."""

from __future__ import annotations

import socket
import statistics
import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_sweep.records.trial import Trial

FIRST_FAILURES = 3
"""If this many trials, the first that ended, all failed for the same reason, the sweep ends."""


class StorageError(RuntimeError):
    """The database that a sweep is recorded in no longer answers, or refuses a request."""


class TooManyFailuresError(RuntimeError):
    """The sweep ended because its trials failed. The message names each reason once.

    Attributes:
        trials: The trials that failed.
    """

    def __init__(self, why: str, trials: Sequence[Trial]) -> None:
        self.trials: tuple[Trial, ...] = tuple(trials)
        super().__init__(why, self.trials)

    def __str__(self) -> str:
        reasons = Counter(trial.error for trial in self.trials)
        lines = [f"  {count} of {len(self.trials)}: {reason}" for reason, count in reasons.most_common()]
        where = f"  see {self.trials[0].directory / 'error.txt'}"
        return "\n".join([f"{self.args[0]}, so the sweep ends:", *lines, where])


class WorkersLeftError(RuntimeError):
    """Every worker of this machine has left the sweep, because the machine fails. The message names each reason once.

    Attributes:
        reasons: Why each of them left.
    """

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons: tuple[str, ...] = tuple(reasons)
        super().__init__(self.reasons)

    def __str__(self) -> str:
        count = len(self.reasons)
        who = "its only worker has" if count == 1 else f"all {count} workers have"
        lines = [f"  {times} of {count}: {reason}" for reason, times in Counter(self.reasons).most_common()]
        cure = (
            "check the machine: its GPUs (nvidia-smi), its disks and its log; then --resume goes on with what is left, "
            "or --join while other machines work on it"
        )
        return "\n".join([f"the sweep ends on {socket.gethostname()}, because {who} left:", *lines, cure])


class ProcessSpentError(RuntimeError):
    """A worker process cannot use its GPU any more; its worker goes on in a new process."""


def check_failures(trials: Sequence[Trial], most: int | None) -> None:
    """Raise an error if too many trials failed.

    Args:
        trials: All trials so far.
        most: The number of failures that ends the sweep, at least 1; None for no limit.

    Raises:
        TooManyFailuresError: That many failed, or the first ones that ended all failed for the same reason.
    """
    failed = [trial for trial in trials if trial.state == "failed"]
    if most is not None and len(failed) >= most:
        raise TooManyFailuresError(f"{len(failed)} trial{'s' * (len(failed) > 1)} failed", failed)
    ended = [trial for trial in trials if trial.is_counted][:FIRST_FAILURES]
    outcomes = {(trial.state, trial.error) for trial in ended}
    if len(ended) == FIRST_FAILURES and len(outcomes) == 1 and ended[0].state == "failed":
        raise TooManyFailuresError(f"the first {FIRST_FAILURES} trials failed for the same reason", ended)


def is_too_late(trials: Sequence[Trial], deadline: float | None, keeps_states: bool = False) -> bool:
    """Return True if a trial that starts now would probably be in vain, judging by the completed ones.

    Without training states, it would if it did not end in time. With them, the next attempt continues from there, so it
    would if most of the time until then were spent before its first step.

    Args:
        trials: All trials so far.
        deadline: The end, by the machine's monotonic clock; None for no limit.
        keeps_states: Trials write their training state when they are interrupted.
    """
    if deadline is None:
        return False
    key, factor = ("prepare", 2.0) if keeps_states else ("total", 1.0)
    taken = [trial.timings[key] for trial in trials if trial.state == "completed" and key in trial.timings]
    return time.monotonic() + (factor * statistics.median(taken) if taken else 0.0) > deadline
