"""One run of a job, in its process: the program that works on the sweep, and the record of the job."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from bertnado_config import VISIBLE_DEVICES, InvalidInputError
from submitit import JobEnvironment

from bertnado_sweep.records.files import now
from bertnado_sweep.records.trial import JOB_VARIABLE
from bertnado_sweep.status import SweepStatus, recorded_status

from .records import JobDirectory, JobRecord, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FAILED, MISTAKE, UNFINISHED = 1, 2, 3
"""Exit codes of the program: the sweep failed, nothing was started because of a mistake, and it ended before its budget
was met."""

_PAUSE = 0.1
_MARGIN = 10.0
"""Seconds before the end of a job by which its program has been killed and its record written."""

_WITH_PARENT = (
    "import ctypes, os, signal, sys\n"
    "if sys.platform == 'linux': ctypes.CDLL(None).prctl(1, signal.SIGTERM)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Runs a program that is sent SIGTERM when its parent is killed (PR_SET_PDEATHSIG, see `man prctl`)."""


class JobRun:
    """One run of a job."""

    def __init__(self, jobs: Path, output_dir: Path, limit: float | None, notice: float) -> None:
        """Begin.

        Args:
            jobs: The directory of the submission.
            output_dir: That of the sweep.
            limit: The time limit of the job in seconds.
            notice: The seconds before the limit at which it is warned.
        """
        self._began = time.monotonic()
        self._directory = JobDirectory(jobs)
        self._output_dir = output_dir
        self._limit = limit
        self._notice = notice
        self._id: str = JobEnvironment().job_id
        self._child: subprocess.Popen[bytes] | None = None
        self._is_over = False
        self.is_due = False
        """True once the end of its time was announced."""
        self._is_terminated = False
        self._node = os.environ.get("SLURMD_NODENAME") or socket.gethostname()
        before = self._directory.read_job(self._id)
        self._record = JobRecord(
            id=self._id,
            host=socket.gethostname(),
            node=self._node,
            gpus=os.environ.get(VISIBLE_DEVICES),
            run=before.run + 1 if before else 1,
            started=now(),
        )

    def work(self, command: Sequence[str], needs: Sequence[str]) -> int:
        """Run the program to its end, and return its exit code; 0 at once if there is nothing to do."""
        signal.signal(signal.SIGTERM, self._terminate)
        self._directory.write_job(self._record)
        if self._directory.is_cancelled or self._is_done():
            _say("nothing is left to do")
            return 0
        missing = [path for path in needs if not os.access(path, os.R_OK)]
        if missing:
            _say(f"Error: not readable on {self._node}: {', '.join(missing)}")
            return MISTAKE
        _say(f"job {self._id}, run {self._record.run}, on {self._node}: model and dataset are readable")
        self._start(command)
        while not self._is_over:
            time.sleep(_PAUSE)
        return self._code

    def _start(self, command: Sequence[str]) -> None:
        left = self._time_left()
        limit = [] if left is None else ["--time-limit", f"{left:.0f}s"]
        self._child = subprocess.Popen(  # noqa: S603 (our own command)
            [sys.executable, "-c", _WITH_PARENT, *command, *limit],
            start_new_session=True,
            env={**os.environ, JOB_VARIABLE: self._id},
        )
        threading.Thread(target=self._wait, daemon=True).start()
        if self._is_terminated:  # meanwhile
            self._send(signal.SIGUSR2)

    def _wait(self) -> None:
        assert self._child is not None  # noqa: S101
        self._child.wait()
        self._is_over = True

    @property
    def _code(self) -> int:
        """The exit code of the program; `UNFINISHED` if it was not started."""
        code = None if self._child is None else self._child.returncode
        return UNFINISHED if code is None else code

    @property
    def _status(self) -> SweepStatus | None:
        """The state of the sweep; None if it cannot be read here."""
        try:
            return recorded_status(self._output_dir, storage=os.environ.get("BERTNADO_STORAGE"))
        except (InvalidInputError, RuntimeError, OSError):
            return None

    def _is_done(self) -> bool:
        status = self._status
        return status is not None and status.is_done

    def _time_left(self) -> float | None:
        """Return the seconds until the program should end; None without a limit."""
        if self._limit is None:
            return None
        return max(self._limit - self._notice - (time.monotonic() - self._began), 1.0)

    def _terminate(self, *_: object) -> None:
        self._is_terminated = True
        self._send(signal.SIGUSR2)  # SLURM itself sends SIGTERM to every process; a second one would cut trials short

    def _send(self, signum: int) -> None:
        if self._child is not None and not self._is_over:
            self._child.send_signal(signum)

    def end_early(self) -> int:
        """Let the program end, and its trials write their state; kill it if the job's end comes first.

        Returns:
            Its exit code.
        """
        self.is_due = True
        self._send(signal.SIGUSR2)
        deadline = time.monotonic() + max(self._notice - _MARGIN, self._notice / 2)
        while self._child is not None and not self._is_over and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        self.kill()
        return self._code

    def is_to_go_on(self, code: int) -> bool:
        """Return True if the program ended because the time of the job is over, rather than for another reason.

        An agent of W&B also ends as if its time were over when W&B has no more trials for it.
        """
        if self._is_terminated or code in (0, FAILED, MISTAKE):
            return False
        left = self._time_left()
        if self.is_due or (left is not None and left <= 1.0):
            return True
        status = self._status
        is_local = status is not None and status.record["backend"] == "local"
        return self._limit is not None and code == UNFINISHED and is_local

    def conclude(self, code: int) -> None:
        """Record how the job ended."""
        outcome: Outcome = "done"
        if self._is_terminated:
            outcome = "interrupted"
        elif code == UNFINISHED:
            outcome = "stopped"
        elif code:
            outcome = "failed"
        self.record(outcome, self._directory.last_line(self._id) if outcome in ("failed", "stopped") else None)

    def record(self, outcome: Outcome, message: str | None) -> None:
        """Record the end of this run."""
        self._directory.write_job(
            self._record.model_copy(update={"ended": now(), "outcome": outcome, "message": message})
        )

    def kill(self) -> None:
        """Kill the program if it still runs, with its workers."""
        if self._child is not None and not self._is_over:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()


def _say(text: str) -> None:
    """Print a line into the log of the job."""
    print(text, flush=True)  # noqa: T201
