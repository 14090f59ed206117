"""Several workers on one machine: processes that train one trial each at a time, alone or side by side on a GPU."""

from __future__ import annotations

import faulthandler
import logging
import math
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from bertnado_config import GPU_SHARE

from bertnado_sweep.records.files import now

from .environment_variables import environment_variables
from .error_text import one_line
from .events import Event, Note, Observer, TrialProgress
from .limits import StorageError
from .stop_request import GRACE, Interrupted, StopRequest, handled, interrupt_main

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from pathlib import Path
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
    log: Path
    process: BaseProcess
    heard: Connection
    is_over: bool = False
    has_said_so: bool = False
    """Whether it came to its end before its process was over."""
    error: BaseException | None = None
    """What it said that it ended with."""

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid or 0

    @property
    def exited(self) -> WorkerExit:
        """How the process ended, when it has."""
        code = self.process.exitcode or 0
        how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        if self.error is not None:
            how = one_line(self.error)
        return WorkerExit(self.pid, how, _last_lines(self.log), self.has_said_so)


@dataclass(frozen=True)
class WorkerExit:
    """The end of a worker's process."""

    pid: int
    how: str
    """The signal, the exit code, or the error that it ended with."""
    last_words: tuple[str, ...]
    """The last lines that it wrote."""
    has_said_so: bool
    """Whether it came to its end, be it by an error; otherwise it died."""


def run_workers(
    works: Sequence[Work],
    observer: Observer,
    handle_exit: Callable[[WorkerExit, bool], bool],
    log_dir: Path,
    stop: StopRequest | None = None,
) -> None:
    """Do each of `works` in a process of its own, and pass on what they tell.

    SIGINT and SIGTERM are handed on to the workers, which have `GRACE` seconds to end; the second ends them at once.
    SIGUSR1 is handed on as well.

    Args:
        works: What each worker does.
        observer: Hears of everything that happens, in this thread.
        handle_exit: Told of each worker that is over, and whether the sweep is being broken off; answers whether to
            start it again.
        log_dir: Where each worker's output goes, in a file of its own.
        stop: Is made when the sweep is broken off, for whoever else has to know.

    Raises:
        Interrupted: They were interrupted, and have ended.
        BaseException: What a worker ended with, or `handle_exit` raised; the others came to their end first.
    """
    log_dir.mkdir(exist_ok=True)
    workers = [
        _start(work, place, _free_log(log_dir, number))
        for number, (work, place) in enumerate(zip(works, places(len(works)), strict=True), start=1)
    ]
    errors: list[BaseException] = []
    is_broken = False
    stop = stop or StopRequest()
    patience_ends = math.inf
    try:
        with _handed_on(workers, stop):
            while running := [worker for worker in workers if not worker.is_over]:
                for heard in wait([worker.heard for worker in running], timeout=0.2):
                    worker = next(worker for worker in running if worker.heard is heard)
                    _listen(worker, observer)
                    if not worker.is_over:
                        continue
                    is_again, error = _settle(worker, handle_exit, stop.is_made or is_broken)
                    if error is not None:
                        errors.append(error)
                        is_broken = True
                        _send(workers, signal.SIGINT)
                    elif is_again and not stop.is_made and not is_broken:
                        workers.append(_start(worker.work, worker.place, worker.log))
                    elif worker.error is not None:
                        errors.append(worker.error)
                if stop.is_made:
                    patience_ends = min(patience_ends, time.monotonic() + GRACE + 1)
                if time.monotonic() > patience_ends:
                    break
    finally:
        left = [worker for worker in workers if not worker.is_over]
        for worker in left:
            worker.process.kill()
            worker.process.join()
        for worker in left:
            _settle(worker, handle_exit, True)
    if stop.is_made:
        raise Interrupted(stop.signum)
    if errors:
        raise errors[0]


def _settle(
    worker: _Worker, handle_exit: Callable[[WorkerExit, bool], bool], is_over: bool
) -> tuple[bool, Exception | None]:
    """Have settled what a worker has left: whether to start it again, and what kept that from being written down."""
    try:
        return handle_exit(worker.exited, is_over), None
    except (OSError, StorageError) as error:  # nobody can write now, so the sweep ends; the record is settled later
        return False, error


def _send(workers: Sequence[_Worker], signum: int) -> None:
    for worker in workers:
        if worker.process.is_alive():
            os.kill(worker.pid, signum)


def _listen(worker: _Worker, observer: Observer) -> None:
    """Take what a worker has said; its last word may be an error."""
    try:
        said: Event | _Ended = worker.heard.recv()
    except (EOFError, OSError):  # it is gone; a message that it had begun to send is gone with it
        worker.process.join()
        worker.is_over = True
        return
    if isinstance(said, _Ended):
        worker.has_said_so, worker.error = True, said.error
    else:
        observer(said)


@contextmanager
def _handed_on(workers: Sequence[_Worker], stop: StopRequest) -> Generator[None]:
    """Hand signals on to the workers. An exception in mid-message would lose what follows, so none is raised."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        if stop.is_made:
            _send(workers, signal.SIGKILL)
            return
        stop.signum = signum
        stop.make("interrupted")
        _send(workers, signal.SIGINT)

    def end_soon(signum: int, frame: FrameType | None) -> None:
        _send(workers, signal.SIGUSR1)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with handled({signal.SIGINT: interrupt, signal.SIGTERM: interrupt, signal.SIGUSR1: end_soon}):
        yield


def _start(work: Work, place: Mapping[str, str], log: Path) -> _Worker:
    context = multiprocessing.get_context("spawn")
    heard, told = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, told, log))
    with environment_variables({"WANDB_SERVICE": None, **place}):  # a client service of its own as well
        process.start()
    told.close()  # the worker's end is the only one, so that its death is the end of what is heard
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
    """Return where a worker's output goes: behind that of earlier workers, never through a link or into a pipe.

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
        self._lock = threading.Lock()

    def __call__(self, event: Event | _Ended) -> None:
        if isinstance(event, TrialProgress):
            if time.monotonic() - self._spoke < _PROGRESS_SECONDS:
                return
            self._spoke = time.monotonic()
        with self._lock, suppress(OSError):  # the parent may be gone, and the interrupt on its way
            self._connection.send(event)


class _Warnings(logging.Handler):
    """Tells the parent what libraries warn of."""

    def __init__(self, tell: _Teller) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Make a note of it."""
        self._tell(Note(self.format(record)))


def _work(work: Work, connection: Connection, log: Path) -> None:
    """Do one worker's work, in its process."""
    os.setpgrp()  # the terminal's Ctrl-C goes to the parent, which hands it on
    _write_to(log)
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    tell = _Teller(connection)
    logging.getLogger().addHandler(_Warnings(tell))
    error: BaseException | None = None
    try:
        work(tell)
    except BaseException as raised:  # noqa: BLE001 (it is raised again in the parent)
        error = _sendable(raised)
    tell(_Ended(error))


_HEADER = "== worker process "
"""How the part of a log begins that one process has written."""


def _write_to(log: Path) -> None:
    """Send what this process prints, and the stack of a crash, to the end of a file."""
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{_HEADER}{os.getpid()}, {now()}\n")
        file.flush()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
    faulthandler.enable()


def _sendable(error: BaseException) -> BaseException:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (made a moment ago)
    except Exception:  # noqa: BLE001 (pickle raises whatever the object does)
        return RuntimeError(one_line(error))
    return error


def why_not_sendable(trainer: Any) -> str | None:
    """Why an object cannot be handed to a worker's process; `None` where it can."""
    try:
        pickle.dumps(trainer)
    except Exception as error:  # noqa: BLE001 (pickle raises whatever the object does)
        return str(error)
    return None
