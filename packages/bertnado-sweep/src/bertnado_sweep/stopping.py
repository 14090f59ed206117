"""How a running trial is asked to stop from outside: the flag, and the thread that keeps the asking out of it."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

StopReason = Literal["stopped", "interrupted"]
"""`stopped` is W&B's early termination or its stop button; `interrupted` is the end of the whole sweep."""

_PAUSE = 0.02
"""Seconds between two looks at whether the trial has ended."""

_Result = TypeVar("_Result")


class StopRequest:
    """Whether one trial has to stop, and why; the first reason stays."""

    def __init__(self) -> None:
        self.reason: StopReason | None = None

    def make(self, reason: StopReason) -> None:
        """Ask the trial to stop at its next step or evaluation."""
        self.reason = self.reason or reason

    @property
    def is_made(self) -> bool:
        """Whether the trial has to stop."""
        return self.reason is not None


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
        KeyboardInterrupt: A second Ctrl-C arrived; nothing waits for `work` any more.
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
    while True:
        try:
            while not results and not errors:
                time.sleep(_PAUSE)
            break
        except KeyboardInterrupt:
            if stop.reason == "interrupted":
                raise  # the second time, at once
            stop.make("interrupted")
        except Exception as error:
            if type(error) is not Exception:
                raise
            stop.make("stopped")
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
