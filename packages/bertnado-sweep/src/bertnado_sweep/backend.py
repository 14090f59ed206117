"""What every backend is: the place where a sweep's trials come from and are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .events import Observer
    from .trial import Trial


class Backend(Protocol):
    """One sweep, seen by one worker. It is made with a `Plan`, which every worker can be handed."""

    @property
    def sweep_id(self) -> str:
        """The sweep's, the same for all of its workers."""
        ...

    def work(self, observer: Observer) -> None:
        """Run trials, one after the other, until the sweep has no more for this worker.

        Called once in each worker. It opens the trainer's session, writes each trial's record and replaces the
        exported best when a trial improves it. What a trial raises ends that trial alone.

        Raises:
            KeyboardInterrupt: The running trial is recorded as interrupted first.
            OSError: The record cannot be written.
        """
        ...

    def trials(self) -> tuple[Trial, ...]:
        """All trials of all workers as far as they are known, by number."""
        ...
