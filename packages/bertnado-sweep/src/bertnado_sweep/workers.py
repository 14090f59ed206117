"""Several workers on one machine: processes that train one trial each at a time, alone or side by side on a GPU."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from bertnado_config import GPU_SHARE

from .events import Event, Observer, TrialProgress
from .stopping import interrupt_main
from .wandb_environment import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from types import FrameType

    Work = Callable[[Observer], None]
    """What a worker does in its process: it trains trials, and tells an observer. Picklable."""

_PROGRESS_SECONDS = 0.1
"""A worker tells no more often than this how far a trial is."""


@dataclass(frozen=True)
class _Ended:
    """The last that a worker says."""

    error: BaseException | None


@dataclass
class _Worker:
    """A worker's process as the parent sees it."""

    work: Work
    place: Mapping[str, str]
    process: BaseProcess
    heard: Connection
    is_over: bool = False

    @property
    def death(self) -> str | None:
        """How the process died; `None` where it came to its end."""
        code = self.process.exitcode or 0
        if code >= 0:
            return f"exit code {code}" if code else None
        return f"signal {signal.Signals(-code).name}"


def run_workers(
    works: Sequence[Work],
    observer: Observer,
    buried: Callable[[int, str], bool],
) -> None:
    """Do each of `works` in a process of its own, and pass on what they tell.

    Args:
        works: What each worker does.
        observer: Hears of everything that happens, in this thread.
        buried: Told the process id and the kind of death of a worker that died; answers whether to start it again.

    Raises:
        KeyboardInterrupt: Somebody interrupted them; they were handed the interrupt and have ended.
        BaseException: What a worker ended with; the others came to their end first.
    """
    workers = [_start(work, place) for work, place in zip(works, places(len(works)), strict=True)]
    errors: list[BaseException] = []
    try:
        with _interrupts(workers) as interrupts:
            while running := [worker for worker in workers if not worker.is_over]:
                for heard in wait([worker.heard for worker in running], timeout=0.2):
                    worker = next(worker for worker in running if worker.heard is heard)
                    error = _listen(worker, observer)
                    errors += [error] if error is not None else []
                    died = worker.is_over and worker.death
                    if died and buried(worker.process.pid or 0, died) and not interrupts:
                        workers.append(_start(worker.work, worker.place))
                if len(interrupts) > 1:
                    break  # the second time, at once
    finally:
        for worker in workers:
            if worker.process.is_alive():
                worker.process.kill()
            worker.process.join()
    if interrupts or any(isinstance(error, KeyboardInterrupt) for error in errors):
        raise KeyboardInterrupt
    if errors:
        raise errors[0]


def _listen(worker: _Worker, observer: Observer) -> BaseException | None:
    """Take what a worker has said; its last word may be an error."""
    try:
        said: Event | _Ended = worker.heard.recv()
    except (EOFError, OSError):  # it is gone; a message that it had begun to send is gone with it
        worker.process.join()
        worker.is_over = True
        return None
    if isinstance(said, _Ended):
        return said.error
    observer(said)
    return None


@contextmanager
def _interrupts(workers: Sequence[_Worker]) -> Generator[list[int]]:
    """Hand each Ctrl-C on to the workers, and count it. An exception in mid-message would lose what follows."""
    seen: list[int] = []

    def hand_on(signum: int, frame: FrameType | None) -> None:
        seen.append(signum)
        for worker in workers:
            if worker.process.is_alive():
                os.kill(worker.process.pid or 0, signal.SIGINT)

    if threading.current_thread() is not threading.main_thread():
        yield seen
        return
    before = signal.signal(signal.SIGINT, hand_on)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)


def _start(work: Work, place: Mapping[str, str]) -> _Worker:
    context = multiprocessing.get_context("spawn")
    heard, told = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, told))
    with environment({"WANDB_SERVICE": None, **place}):  # a client service of its own as well
        process.start()
    told.close()  # the worker's end is the only one, so that its death is the end of what is heard
    return _Worker(work, place, process, heard)


def places(workers: int) -> list[dict[str, str]]:
    """The environment of each worker: its GPU, its share of the GPU's memory, its number of threads."""
    gpus = visible_gpus()
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(len(os.sched_getaffinity(0)) // workers, 1))
    found: list[dict[str, str]] = []
    for worker in range(workers):
        place = {"OMP_NUM_THREADS": threads}
        if gpus:
            beside = len(range(worker % len(gpus), workers, len(gpus)))
            place["CUDA_VISIBLE_DEVICES"] = gpus[worker % len(gpus)]
            place[GPU_SHARE] = f"{1 / beside:.4f}"
        found.append(place)
    return found


def visible_gpus() -> Sequence[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, "--query-gpu=index", "--format=csv,noheader"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (a fixed command)
    return listed.stdout.split() if listed.returncode == 0 else []


def _follow_parent() -> None:
    """Interrupt this worker when its parent has died: nobody waits for it any more."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        interrupt_main()


class _Teller:
    """An observer that tells the parent; of progress, only now and then."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._spoke = 0.0

    def __call__(self, event: Event | _Ended) -> None:
        if isinstance(event, TrialProgress):
            if time.monotonic() - self._spoke < _PROGRESS_SECONDS:
                return
            self._spoke = time.monotonic()
        try:
            self._connection.send(event)
        except OSError:
            return  # the parent is gone, and the interrupt on its way


def _work(work: Work, connection: Connection) -> None:
    """Do one worker's work, in its process."""
    os.setpgrp()  # the terminal's Ctrl-C goes to the parent, which hands it on
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    tell = _Teller(connection)
    error: BaseException | None = None
    try:
        work(tell)
    except (Exception, KeyboardInterrupt) as raised:  # noqa: BLE001 (it is raised again in the parent)
        error = _sendable(raised)
    tell(_Ended(error))


def _sendable(error: BaseException) -> BaseException:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (made a moment ago)
    except Exception:  # noqa: BLE001 (pickle raises whatever the object does)
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def why_not_sendable(trainer: Any) -> str | None:
    """Why an object cannot be handed to a worker's process; `None` where it can."""
    try:
        pickle.dumps(trainer)
    except Exception as error:  # noqa: BLE001 (pickle raises whatever the object does)
        return str(error)
    return None
