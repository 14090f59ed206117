"""Asking running trials to stop, by a signal, a deadline or W&B, without raising exceptions inside them."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

StopReason = Literal["stopped", "interrupted", "out of time"]
"""`stopped` is W&B's early termination or its stop button; the others end the whole sweep."""

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
"""The signals that interrupt a sweep within `GRACE_SECONDS`."""

NOTICES = (signal.SIGUSR1, signal.SIGUSR2)
"""The signals that end a sweep early: SIGUSR1 with its running trials, SIGUSR2 once they have written their state."""

GRACE_SECONDS = 8.0
"""Seconds for a trial to stop when the whole sweep is interrupted."""

_PAUSE = 0.02
"""Seconds between two checks if the trial has ended."""

_Result = TypeVar("_Result")


class Interrupted(KeyboardInterrupt):
    """The sweep was interrupted by a signal.

    Attributes:
        signum: The number of the signal.
    """

    def __init__(self, signum: int = signal.SIGINT) -> None:
        super().__init__(signum)
        self.signum = signum


class StopRequest:
    """A request to stop, with its reason; the first reason counts."""

    def __init__(self) -> None:
        self.reason: StopReason | None = None
        self.signum: int = signal.SIGINT
        """The signal behind the request, if there was one."""
        self.notice: signal.Signals | None = None
        """The signal after which no further trial may start: SIGUSR1, or SIGUSR2."""

    def set(self, reason: StopReason) -> None:
        """Request that the trial stops at its next step or evaluation."""
        self.reason = self.reason or reason

    @property
    def is_set(self) -> bool:
        """True if the trial must stop."""
        return self.reason is not None

    @property
    def is_last(self) -> bool:
        """True if no further trial may start."""
        return self.notice is not None

    def give_notice(self, signum: int) -> None:
        """Let no further trial start; after SIGUSR2 the running one must stop as well, as at a time limit."""
        self.notice = signal.Signals(signum)
        if self.notice == signal.SIGUSR2:
            self.set("out of time")


@contextmanager
def stop_on_signals(stop: StopRequest) -> Generator[None]:
    """Turn SIGINT and SIGTERM into a stop request, and SIGUSR1 and SIGUSR2 into a notice, while the block runs.

    A second SIGINT or SIGTERM raises `Interrupted` in the main thread, except in a worker: its parent may have been
    sent the same signal and handles it. Outside the main thread the block runs unchanged.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    is_worker = multiprocessing.parent_process() is not None

    def interrupt(signum: int, frame: FrameType | None) -> None:
        if stop.reason == "interrupted" and not is_worker:
            raise Interrupted(signum)
        if not stop.is_set:
            stop.signum = signum
        stop.set("interrupted")

    def end_soon(signum: int, frame: FrameType | None) -> None:
        stop.give_notice(signum)

    with signal_handlers({**dict.fromkeys(INTERRUPTS, interrupt), **dict.fromkeys(NOTICES, end_soon)}):
        yield


@contextmanager
def signal_handlers(handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]]) -> Generator[None]:
    """Install signal handlers while the block runs, in the main thread."""
    before = {signum: signal.signal(signum, handler) for signum, handler in handlers.items()}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def interrupt_main() -> None:
    """Interrupt the main thread as Ctrl-C does, even while it waits for a lock."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def run_shielded(work: Callable[[], _Result], stop: StopRequest) -> _Result:
    """Run `work` in a new thread, and turn exceptions that arrive in this one meanwhile into a stop request.

    W&B's function-mode agent stops a trial by raising one bare `Exception` in the thread that it started,
    at any point (`_terminate_thread` in wandb's `agents/pyagent.py`). Code there that catches `Exception`, as the
    standard library's logging does, would swallow the request for good. So only this loop runs there. Ctrl-C arrives
    here too, and so never in the middle of writing a record.

    Raises:
        BaseException: The exception of `work`.
        Interrupted: It was interrupted, and `work` did not end within `GRACE_SECONDS`; its thread is abandoned.
    """
    results: list[_Result] = []
    errors: list[BaseException] = []

    def do() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 (it is raised again where somebody waits for it)
            errors.append(error)

    thread = threading.Thread(target=do, name="trial", daemon=True)
    thread.start()
    patience_ends: float | None = None
    while True:
        try:
            while not results and not errors:
                time.sleep(_PAUSE)
                if stop.reason == "interrupted":
                    patience_ends = patience_ends or time.monotonic() + GRACE_SECONDS
                    if time.monotonic() > patience_ends:
                        raise Interrupted(stop.signum)
            break
        except Interrupted:
            raise
        except KeyboardInterrupt:
            stop.set("interrupted")
        except Exception as error:
            if type(error) is not Exception:
                raise
            stop.set("stopped")
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
