"""How running trials are asked to stop from outside, and what keeps the asking out of them."""

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
"""`stopped` is W&B's early termination or its stop button; the others are the end of the whole sweep."""

GRACE = 8.0
"""Seconds that a trial has to stop in, when the whole sweep is broken off."""

_PAUSE = 0.02
"""Seconds between two looks at whether the trial has ended."""

_Result = TypeVar("_Result")


class Interrupted(KeyboardInterrupt):
    """The sweep was broken off by a signal.

    Attributes:
        signum: Which signal.
    """

    def __init__(self, signum: int = signal.SIGINT) -> None:
        super().__init__(signum)
        self.signum = signum


class StopRequest:
    """Whether a trial has to stop, and why; the first reason stays."""

    def __init__(self) -> None:
        self.reason: StopReason | None = None
        self.signum: int = signal.SIGINT
        """The signal that asked for it, if one did."""
        self.is_last = False
        """Whether no trial may follow the running one."""

    def make(self, reason: StopReason) -> None:
        """Ask the trial to stop at its next step or evaluation."""
        self.reason = self.reason or reason

    @property
    def is_made(self) -> bool:
        """Whether the trial has to stop."""
        return self.reason is not None


@contextmanager
def signals_stop(stop: StopRequest) -> Generator[None]:
    """Let SIGINT and SIGTERM ask for a stop, and SIGUSR1 for no further trial, while the block runs.

    The second SIGINT or SIGTERM raises `Interrupted` where the main thread waits; a worker leaves that to its parent,
    since both may be sent the same signal. Outside of the main thread it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    is_worker = multiprocessing.parent_process() is not None

    def interrupt(signum: int, frame: FrameType | None) -> None:
        if stop.reason == "interrupted" and not is_worker:
            raise Interrupted(signum)
        if not stop.is_made:
            stop.signum = signum
        stop.make("interrupted")

    def end_soon(signum: int, frame: FrameType | None) -> None:
        stop.is_last = True

    with handled({signal.SIGINT: interrupt, signal.SIGTERM: interrupt, signal.SIGUSR1: end_soon}):
        yield


@contextmanager
def handled(handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]]) -> Generator[None]:
    """Handle signals while the block runs, in the main thread."""
    before = {signum: signal.signal(signum, handler) for signum, handler in handlers.items()}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def interrupt_main() -> None:
    """Interrupt the main thread as Ctrl-C does, also where it waits for a lock."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def run_shielded(work: Callable[[], _Result], stop: StopRequest) -> _Result:
    """Do `work` in a thread of its own, and turn what arrives in this one meanwhile into a request to stop.

    W&B's function-mode agent stops a trial by raising one bare `Exception` in the thread that it started,
    wherever that is (`_terminate_thread` in wandb's `agents/pyagent.py`). Whatever code catches `Exception` there,
    the standard library's logging does, would swallow the stop for good. So nothing but this loop runs there.
    A Ctrl-C as well arrives here, and so never in the middle of writing something down.

    Raises:
        BaseException: What `work` raised.
        Interrupted: It was interrupted, and `work` did not end within `GRACE`; nothing waits for it any more.
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
                    patience_ends = patience_ends or time.monotonic() + GRACE
                    if time.monotonic() > patience_ends:
                        raise Interrupted(stop.signum)
            break
        except Interrupted:
            raise
        except KeyboardInterrupt:
            stop.make("interrupted")
        except Exception as error:
            if type(error) is not Exception:
                raise
            stop.make("stopped")
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
