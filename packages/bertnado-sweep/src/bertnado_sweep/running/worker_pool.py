"""Several workers on one machine: processes that each train one trial at a time, alone on a GPU or sharing it."""

from __future__ import annotations

import faulthandler
import logging
import math
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from bertnado_config import GPU_SHARE, VISIBLE_DEVICES, visible_gpus

from bertnado_sweep.records.files import now

from .environment_variables import environment_variables
from .error_text import one_line
from .events import Event, Note, Observer, TrialProgress
from .limits import ProcessSpentError, StorageError, WorkersLeftError
from .stop_request import GRACE_SECONDS, INTERRUPTS, NOTICES, Interrupted, StopRequest, interrupt_main, signal_handlers

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from pathlib import Path
    from types import FrameType

    Work = Callable[[Observer], None]
    """Trains trials in a worker process and reports to an observer. Picklable."""

_PROGRESS_SECONDS = 0.1
"""The shortest time between two progress events of a worker."""


@dataclass(frozen=True)
class _Ended:
    """The last message of a worker."""

    error: BaseException | None


@dataclass
class _Worker:
    """A worker process as seen by its parent."""

    work: Work
    place: Mapping[str, str]
    log: Path
    process: BaseProcess
    heard: Connection
    is_over: bool = False
    is_clean: bool = False
    """True if it sent its last message; otherwise it died."""
    error: BaseException | None = None
    """The exception in its last message, if any."""

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid or 0

    @property
    def has_finished(self) -> bool:
        """True if it worked until the sweep had no more for it."""
        return self.is_clean and self.error is None

    @property
    def is_spent(self) -> bool:
        """True if it goes on in a new process."""
        return isinstance(self.error, ProcessSpentError)

    @property
    def exited(self) -> WorkerExit:
        """How the process ended."""
        code = self.process.exitcode or 0
        how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        if self.error is not None:
            how = one_line(self.error)
        return WorkerExit(self.pid, how, _last_lines(self.log), self.is_clean)


@dataclass(frozen=True)
class WorkerExit:
    """The end of a worker process."""

    pid: int
    how: str
    """The signal, the exit code, or the exception that ended it."""
    last_lines: tuple[str, ...]
    """The last lines of its output."""
    is_clean: bool
    """True if it ended by itself, possibly with an exception; False if it died."""


def run_workers(
    works: Sequence[Work],
    observer: Observer,
    handle_exit: Callable[[WorkerExit, bool], bool],
    log_dir: Path,
    stop: StopRequest | None = None,
) -> None:
    """Run each of `works` in its own process and forward the events to the observer.

    SIGINT and SIGTERM are forwarded to the workers, which have `GRACE_SECONDS` to end; a second one kills them. SIGUSR1
    and SIGUSR2 are forwarded as well. A worker that raises `ProcessSpentError` goes on in a new process; after one that
    raises `WorkersLeftError` the others go on alone.

    Args:
        works: The work of each worker.
        observer: Called with every event, in this thread.
        handle_exit: Called for each worker that has ended, with True if the sweep is being interrupted; returns True
            to start the worker again.
        log_dir: The directory of the workers' output, one file each.
        stop: Is set when the sweep is interrupted, or is to end soon, for others to see.

    Raises:
        Interrupted: They were interrupted, and have ended.
        WorkersLeftError: All of them have left.
        BaseException: The exception of a worker, or of `handle_exit`, after the other workers have ended.
    """
    log_dir.mkdir(exist_ok=True)
    workers = [
        _start(work, place, _free_log(log_dir, number))
        for number, (work, place) in enumerate(zip(works, worker_environments(len(works)), strict=True), start=1)
    ]
    errors: list[BaseException] = []
    left: list[str] = []
    is_broken = False
    stop = stop or StopRequest()
    patience_ends = math.inf
    try:
        with _forwarded_signals(workers, stop):
            while running := [worker for worker in workers if not worker.is_over]:
                for heard in wait([worker.heard for worker in running], timeout=0.2):
                    worker = next(worker for worker in running if worker.heard is heard)
                    _receive(worker, observer)
                    if not worker.is_over:
                        continue
                    is_again, error = _settle(worker, handle_exit, stop.is_set or is_broken)
                    if error is not None:
                        errors.append(error)
                        is_broken = True
                        _send(workers, signal.SIGINT)
                    elif (is_again or worker.is_spent) and not stop.is_set and not is_broken:
                        workers.append(_start(worker.work, worker.place, worker.log))
                    elif isinstance(worker.error, WorkersLeftError):
                        left += worker.error.reasons
                        _say_who_left(worker, worker.error.reasons, observer)
                    elif worker.error is not None:
                        errors.append(worker.error)
                if stop.is_set:
                    patience_ends = min(patience_ends, time.monotonic() + GRACE_SECONDS + 1)
                if time.monotonic() > patience_ends:
                    break
    finally:
        alive = [worker for worker in workers if not worker.is_over]
        for worker in alive:
            worker.process.kill()
            worker.process.join()
        for worker in alive:
            _settle(worker, handle_exit, True)
    if stop.is_set:
        raise Interrupted(stop.signum)
    if errors:
        raise errors[0]
    if left and not any(worker.has_finished for worker in workers):
        raise WorkersLeftError(left)


def _say_who_left(worker: _Worker, reasons: Sequence[str], observer: Observer) -> None:
    gpu = worker.place.get(VISIBLE_DEVICES)
    who = f"the worker on GPU {gpu}" if gpu else f"worker process {worker.pid}"
    observer(Note(f"{who} has left the sweep, and others go on: {'; '.join(reasons)}"))


def _settle(
    worker: _Worker, handle_exit: Callable[[WorkerExit, bool], bool], is_over: bool
) -> tuple[bool, Exception | None]:
    """Handle the exit of a worker; return whether to start it again, and why that could not be recorded, if so."""
    try:
        return handle_exit(worker.exited, is_over), None
    except (
        OSError,
        StorageError,
    ) as error:  # nothing can be written now, so the sweep ends; resuming it completes the record
        return False, error


def _send(workers: Sequence[_Worker], signum: int) -> None:
    for worker in workers:
        if worker.process.is_alive():
            os.kill(worker.pid, signum)


def _receive(worker: _Worker, observer: Observer) -> None:
    """Receive one message of a worker."""
    try:
        said: Event | _Ended = worker.heard.recv()
    except (EOFError, OSError):  # it has died, perhaps in the middle of a message
        worker.process.join()
        worker.is_over = True
        return
    if isinstance(said, _Ended):
        worker.is_clean, worker.error = True, said.error
    else:
        observer(said)


@contextmanager
def _forwarded_signals(workers: Sequence[_Worker], stop: StopRequest) -> Generator[None]:
    """Forward signals to the workers. No exception is raised: it would cut a message in two."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        if stop.is_set:
            _send(workers, signal.SIGKILL)
            return
        stop.signum = signum
        stop.set("interrupted")
        _send(workers, signal.SIGINT)

    def end_soon(signum: int, frame: FrameType | None) -> None:
        stop.notice = signal.Signals(signum)
        _send(workers, signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with signal_handlers({**dict.fromkeys(INTERRUPTS, interrupt), **dict.fromkeys(NOTICES, end_soon)}):
        yield


def _start(work: Work, place: Mapping[str, str], log: Path) -> _Worker:
    context = multiprocessing.get_context("spawn")
    heard, told = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, told, log))
    with environment_variables({"WANDB_SERVICE": None, **place}):  # the worker starts W&B's service process itself
        process.start()
    told.close()  # so that the worker holds the only sending end, and its death closes the pipe
    return _Worker(work, place, log, process, heard)


_LAST_LINES = 100


def _last_lines(log: Path) -> tuple[str, ...]:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    begin = max((number for number, line in enumerate(lines, start=1) if line.startswith(_HEADER)), default=0)
    return tuple(line for line in lines[begin:] if line.strip())[-_LAST_LINES:]


def _free_log(log_dir: Path, number: int) -> Path:
    """Return the file for a worker's output, which is appended to; never a link or a pipe.

    Raises:
        OSError: It cannot be written.
    """
    attempt = 1
    while True:
        log = log_dir / (f"worker-{number}.log" if attempt == 1 else f"worker-{number}_{attempt}.log")
        if not log.is_symlink() and (log.is_file() or not log.exists()):
            log.open("a").close()
            return log
        attempt += 1


def worker_environments(workers: int) -> list[dict[str, str]]:
    """Return the environment of each worker: its GPU, its share of the GPU's memory, its number of threads."""
    gpus = visible_gpus()
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(len(os.sched_getaffinity(0)) // workers, 1))
    found: list[dict[str, str]] = []
    for worker in range(workers):
        place = {"OMP_NUM_THREADS": threads}
        if gpus:
            beside = len(range(worker % len(gpus), workers, len(gpus)))
            place[VISIBLE_DEVICES] = gpus[worker % len(gpus)]
            place[GPU_SHARE] = f"{1 / beside:.4f}"
        found.append(place)
    return found


def _exit_with_parent() -> None:
    """Interrupt this worker when its parent has died: its results would be lost."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        interrupt_main()


class _EventSender:
    """An observer that sends events to the parent; progress only now and then."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._spoke = 0.0
        self._lock = threading.Lock()

    def __call__(self, event: Event | _Ended) -> None:
        if isinstance(event, TrialProgress):
            if time.monotonic() - self._spoke < _PROGRESS_SECONDS:
                return
            self._spoke = time.monotonic()
        with self._lock, suppress(OSError):  # the parent may be gone, and the interrupt on its way
            self._connection.send(event)


class _WarningForwarder(logging.Handler):
    """Forwards the warnings of libraries to the parent."""

    def __init__(self, tell: _EventSender) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Send it as a note."""
        self._tell(Note(self.format(record)))


def _work(work: Work, connection: Connection, log: Path) -> None:
    """Run the work of one worker, in its process."""
    os.setpgrp()  # the terminal's Ctrl-C goes to the parent only, which forwards it
    _redirect_output(log)
    threading.Thread(target=_exit_with_parent, name="parent", daemon=True).start()
    tell = _EventSender(connection)
    logging.getLogger().addHandler(_WarningForwarder(tell))
    error: BaseException | None = None
    try:
        work(tell)
    except BaseException as raised:  # noqa: BLE001 (it is raised again in the parent)
        error = _picklable(raised)
    tell(_Ended(error))


_HEADER = "== worker process "
"""The first words of each process's part of a log."""


def _redirect_output(log: Path) -> None:
    """Append everything that this process prints, and the stack of a crash, to a file."""
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{_HEADER}{os.getpid()}, {now()}\n")
        file.flush()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
    faulthandler.enable()


def _picklable(error: BaseException) -> BaseException:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (made a moment ago)
    except Exception:  # noqa: BLE001 (pickle raises whatever the object does)
        return RuntimeError(one_line(error))
    return error


def pickling_problem(trainer: Any) -> str | None:
    """Return why an object cannot be sent to a worker process; None if it can."""
    try:
        pickle.dumps(trainer)
    except Exception as error:  # noqa: BLE001 (pickle raises whatever the object does)
        return str(error)
    return None
