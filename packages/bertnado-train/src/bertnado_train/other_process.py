"""Another process for what may take all memory, or crash."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .loading_errors import first_line
from .new_thread import run_in_new_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess

    Function = Callable[..., Any]
    """A function of a module, of a trainer, further arguments, and last a function that tells something meanwhile."""

_CHILD = "import sys; from bertnado_train.other_process import serve; serve(int(sys.argv[1]))"


class ProcessDiedError(RuntimeError):
    """The process died before it had an answer.

    Attributes:
        signum: The signal that ended it; None if it exited.
    """

    def __init__(self, exitcode: int) -> None:
        self.signum = -exitcode if exitcode < 0 else None
        how = f"signal {-exitcode}" if exitcode < 0 else f"exit code {exitcode}"
        super().__init__(f"{how} ended its process")


class UnreachableProcessError(RuntimeError):
    """The trainer cannot be sent to another process."""


@dataclass(frozen=True)
class _Answer:
    value: Any = None
    error: Exception | None = None


class OtherProcess:
    """Runs functions on a trainer in another process, one after the other.

    Without a GPU each call forks this process, which has read the dataset and the model already. With a GPU a process
    is started for the first call and stays a while, because one that uses a GPU cannot be forked; it reads both anew.
    """

    def __init__(self, trainer: Any, *, forks: bool | None = None) -> None:
        """Start nothing yet.

        Args:
            trainer: The first argument of every function.
            forks: Fork this process; by default on Linux without a GPU.
        """
        self._trainer = trainer
        self._forks = forks if forks is not None else sys.platform == "linux" and not torch.cuda.is_available()
        self._connection: Connection | None = None
        self._process: BaseProcess | subprocess.Popen[bytes] | None = None

    @property
    def heard(self) -> Connection:
        """The connection to wait for before `hear`."""
        assert self._connection is not None  # noqa: S101  (nothing was asked)
        return self._connection

    def ask(self, function: Function, *args: Any) -> None:
        """Begin to run a function there.

        Raises:
            UnreachableProcessError: The trainer cannot be sent to a process that is started.
        """
        if self._forks:
            self.close()
            self._fork(function, args)
            return
        if isinstance(self._process, subprocess.Popen) and self._process.poll() is not None:
            self.close()  # nobody had asked it anything for a while
        if self._process is None:
            self._start()
        try:
            self.heard.send((function, args))
        except OSError:  # `hear` says how it died
            return

    def hear(self) -> tuple[bool, Any]:
        """Wait for the function to tell something; return whether it was its answer, and that.

        Raises:
            Exception: What the function raised there.
            ProcessDiedError: The process died.
            UnreachableProcessError: The trainer could not be read there.
        """
        try:
            told = self.heard.recv()
        except (EOFError, OSError):
            raise self._died() from None
        if isinstance(told, _Answer):
            if told.error is not None:
                raise told.error
            return True, told.value
        return False, told

    def answer(self, function: Function, *args: Any) -> Any:
        """Run a function there, and return its answer; what it tells meanwhile is lost.

        Raises:
            Exception: See `hear` and `ask`.
        """
        self.ask(function, *args)
        while True:
            is_answer, told = self.hear()
            if is_answer:
                return told

    def close(self) -> None:
        """End the process."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if connection is not None:
            connection.close()
        if process is not None:
            process.kill()
            process.join() if not isinstance(process, subprocess.Popen) else process.wait()

    def _fork(self, function: Function, args: tuple[Any, ...]) -> None:
        context: Any = multiprocessing.get_context("fork")
        heard, told = context.Pipe(duplex=False)
        self._connection = heard
        child = (heard, told, function, self._trainer, args)
        process = context.Process(target=_answer_once, args=child, daemon=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of threads and their locks
            run_in_new_thread(process.start)  # a thread that has computed cannot compute again in the fork
        self._process = process
        told.close()

    def _start(self) -> None:
        try:
            trainer = pickle.dumps(self._trainer)
        except Exception as error:  # noqa: BLE001 (pickle raises whatever an object raises)
            raise UnreachableProcessError(first_line(error)) from None
        here, there = multiprocessing.Pipe()
        self._connection = here
        self._process = subprocess.Popen(  # noqa: S603 (our own code)
            [sys.executable, "-c", _CHILD, str(there.fileno())],
            pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        there.close()
        here.send_bytes(trainer)

    def _died(self) -> RuntimeError:
        process = self._process
        assert process is not None  # noqa: S101  (something was asked)
        if isinstance(process, subprocess.Popen):
            code = process.wait()
        else:
            process.join()
            code = process.exitcode or 0
        self.close()
        if isinstance(process, subprocess.Popen) and code == _UNREADABLE:
            return UnreachableProcessError("it cannot be read in another process")
        return ProcessDiedError(code)


_IDLE = 20.0
"""Seconds without a function after which a process that was started ends, so that trials get its memory."""

_UNREADABLE = 3
"""The exit code of a process that cannot read its trainer."""


def serve(descriptor: int) -> None:
    """Be the other process that was started: read a trainer, then run functions until nobody asks any more."""
    connection = Connection(descriptor)
    _be_expendable()
    try:
        trainer = pickle.loads(connection.recv_bytes())  # noqa: S301 (of our own process)
    except Exception:  # noqa: BLE001 (pickle raises whatever an object raises)
        sys.exit(_UNREADABLE)
    while connection.poll(_IDLE):
        try:
            function, args = connection.recv()
        except EOFError:
            return
        connection.send(_run(function, trainer, args, connection.send))


def _answer_once(heard: Connection, told: Connection, function: Function, trainer: Any, args: tuple[Any, ...]) -> None:
    """Be the other process that was forked."""
    heard.close()  # so that telling fails when the parent has died
    _be_expendable()
    with Path(os.devnull).open("w") as nowhere:
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)
    told.send(_run(function, trainer, args, told.send))


def _run(function: Function, trainer: Any, args: tuple[Any, ...], tell: Callable[[Any], None]) -> _Answer:
    try:
        return _Answer(function(trainer, *args, tell))
    except Exception as error:  # noqa: BLE001 (it is raised again in the process that asked)
        return _Answer(error=_sendable(error))


def _sendable(error: Exception) -> Exception:
    """Return an exception that another process can read: the same, or one with its first line."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (made a moment ago)
    except Exception:  # noqa: BLE001 (pickle raises whatever an object raises)
        return RuntimeError(first_line(error))
    return error


def _be_expendable() -> None:
    """Let the kernel end this process first if the machine runs out of memory."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    except OSError:
        return
