"""What every backend is: the place where a sweep's trials come from and are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_sweep.records.trial import Trial
    from bertnado_sweep.running.events import Observer


class Backend(Protocol):
    """One sweep, worked on by this machine. It is made with a `Plan`."""

    @property
    def sweep_id(self) -> str:
        """The sweep's, the same for all of its workers."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the sweep before its first trial."""
        ...

    def work(self, observer: Observer) -> None:
        """Run trials until the sweep has no more for this machine.

        Called once. It opens the trainer's session, writes each trial's record and replaces the exported best
        when a trial improves it. What a trial raises ends that trial alone.

        Raises:
            KeyboardInterrupt: The running trial is recorded as interrupted first.
            OSError: The record cannot be written.
            ServiceError: The service that the trials come from no longer answers.
        """
        ...

    def conclude(self, trials: Sequence[Trial], best: Trial) -> tuple[str, ...]:
        """Say what a person should know of the choice of the best."""
        ...

    def trials(self) -> tuple[Trial, ...]:
        """All trials of all workers as far as they are known, by number."""
        ...

    def close(self) -> None:
        """Give up what the backend holds. Called once, at the end, whatever that is."""
        ...
