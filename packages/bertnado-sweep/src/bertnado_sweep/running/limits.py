"""What ends a sweep before its budget is spent: too many failures, too little time, a database that is gone."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_sweep.records.trial import Trial

FIRST_FAILURES = 3
"""The first so many trials that all fail for one reason end the sweep."""


class StorageError(RuntimeError):
    """A database that a sweep is recorded in no longer answers, or refuses."""


class TooManyFailuresError(RuntimeError):
    """A sweep that ended because its trials fail. It names each reason once.

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
        return "\n".join([f"{self.args[0]}, so the sweep ends here:", *lines, where])


def check_failures(trials: Sequence[Trial], most: int | None) -> None:
    """End a sweep whose trials fail.

    Args:
        trials: All trials so far.
        most: How many may fail before the sweep ends, at least 1; `None` for any number.

    Raises:
        TooManyFailuresError: So many failed, or the first ones that ended all failed for the same reason.
    """
    failed = [trial for trial in trials if trial.state == "failed"]
    if most is not None and len(failed) >= most:
        raise TooManyFailuresError(f"{len(failed)} trials failed", failed)
    ended = [trial for trial in trials if trial.is_counted][:FIRST_FAILURES]
    outcomes = {(trial.state, trial.error) for trial in ended}
    if len(ended) == FIRST_FAILURES and len(outcomes) == 1 and ended[0].state == "failed":
        raise TooManyFailuresError(f"the first {FIRST_FAILURES} trials failed for the same reason", ended)


def is_too_late(trials: Sequence[Trial], deadline: float | None) -> bool:
    """Whether a trial that starts now would not end in time, judging by those that were finished.

    Args:
        trials: All trials so far.
        deadline: When the time is over, by the machine's monotonic clock; `None` for never.
    """
    if deadline is None:
        return False
    taken = [trial.timings["total"] for trial in trials if trial.state == "completed" and "total" in trial.timings]
    return time.monotonic() + (statistics.median(taken) if taken else 0.0) > deadline
