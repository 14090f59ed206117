"""The protocol of backends, which propose and record the trials of a sweep."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bertnado_sweep.running.events import Note
from bertnado_sweep.running.stop_request import Interrupted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bertnado_config import Problem, SweepConfig

    from bertnado_sweep.options import SweepOptions
    from bertnado_sweep.plan import Plan
    from bertnado_sweep.records.recorded_sweep import RecordedSweep
    from bertnado_sweep.records.trial import Trial
    from bertnado_sweep.running.events import Observer


@dataclass(frozen=True)
class EarlyEnd:
    """The end of a sweep before its budget was met, if neither its own rules nor an error ended it."""

    cause: str
    """What ended it: "the time limit", for example."""
    prospect: str = "--resume goes on"
    """How it can go on."""


class Backend(Protocol):
    """One sweep, worked on by this machine. A `BackendType` creates it from a `Plan`."""

    @property
    def sweep_id(self) -> str:
        """The id of the sweep, the same for all of its workers."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Information to show before the first trial, in lines."""
        ...

    def work(self, observer: Observer) -> EarlyEnd | None:
        """Run trials until there are no more for this machine.

        Called once. It opens the trainer's session, writes the record of each trial and replaces the exported best
        when a trial improves it. An exception from a trial ends that trial only.

        Returns:
            What ended the sweep before its budget was met; None if nothing did, or if the sweep's own rules ended it:
            its space is spent, or its target reached.

        Raises:
            KeyboardInterrupt: The running trial is recorded as interrupted first.
            OSError: The record cannot be written.
            ServiceError: The service that the trials come from no longer answers.
        """
        ...

    def conclude(self, trials: Sequence[Trial], best: Trial) -> tuple[str, ...]:
        """Return remarks on the end of the sweep and the choice of the best trial, in lines."""
        ...

    def count_finished(self) -> int:
        """Return the number of trials that count towards the plan's budget."""
        ...

    def trials(self) -> tuple[Trial, ...]:
        """Return all known trials of all workers, by number."""
        ...

    def close(self) -> None:
        """Release what the backend holds. Called once, at the end, however the sweep ended."""
        ...


def work_and_tell(
    backend: Backend, budget: int, observer: Observer, *, whole: str = "sweep", units: str = "trials", again: str = ""
) -> EarlyEnd | None:
    """Let a backend work, and tell how far it came if that is not to the end.

    Args:
        backend: The backend.
        budget: The number of trials that it is to count.
        observer: Called with every event.
        whole: The word for what ends.
        units: The word for its trials.
        again: How it can go on; by default only what ended it early says so.

    Raises:
        BaseException: What `Backend.work` raises.
    """
    try:
        early = backend.work(observer)
    except (Interrupted, RuntimeError, OSError):
        with suppress(RuntimeError, OSError):  # the record may be out of reach
            way = f"; {again}" if again else ""
            observer(Note(f"{backend.count_finished()} of {budget} {units} are finished{way}"))
        raise
    if early is not None:
        count, way = backend.count_finished(), again or early.prospect
        observer(Note(f"{early.cause} ended the {whole} after {count} of {budget} {units}; {way}"))
    return early


class BackendType(Protocol):
    """One kind of backend: checks what concerns it, and creates it."""

    @property
    def name(self) -> str:
        """The name by which `backend` asks for it."""
        ...

    def is_meant_by(self, options: SweepOptions) -> bool:
        """Return True if `backend="auto"` means this one, because of an option that only it has."""
        ...

    def check_options(self, options: SweepOptions) -> Sequence[Problem]:
        """Return what is wrong with the options for this backend."""
        ...

    def require(self) -> str:
        """Return a few words on the address that it uses, if it can be used.

        Raises:
            ValueError: It cannot be used now; the message is the reason and the cure.
        """
        ...

    def check_file(self, config: SweepConfig, command: Sequence[str]) -> Sequence[Problem]:
        """Return warnings about a sweep file that only this backend has reason for."""
        ...

    def size_of(self, config: SweepConfig, *, is_exhaustive: bool) -> int | None:
        """Return the number of different trials that it draws from a space; None if there is no limit."""
        ...

    def prepared(self, output_dir: Path) -> AbstractContextManager[None]:
        """Return the context in which the sweep is created and runs."""
        ...

    def create(self, plan: Plan) -> Backend:
        """Create the sweep of a plan, or join it, and record it in the output directory."""
        ...

    def read_trials(self, recorded: RecordedSweep) -> tuple[list[Trial], list[str]]:
        """Return the recorded trials of a sweep, each in its latest attempt, by number; and what is damaged."""
        ...
