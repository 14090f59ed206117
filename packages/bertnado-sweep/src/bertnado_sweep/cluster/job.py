"""A job: runs a program that works on a sweep, warns it before the time is over, and has itself queued again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bertnado_config import InvalidInputError
from submitit import JobEnvironment
from submitit.helpers import DelayedSubmission

from bertnado_sweep.records.files import now
from bertnado_sweep.records.trial import JOB_VARIABLE
from bertnado_sweep.status import recorded_status

from .records import JobDirectory, JobRecord, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bertnado_sweep.status import SweepStatus

UNFINISHED, MISTAKE = 3, 2
"""Exit codes of the program: ended before its budget was met, and nothing was started because of a mistake."""

_PAUSE = 0.1
_MARGIN = 10.0
"""Seconds before the end of a job by which its program has been killed and its record written."""


@dataclass
class SweepJob:
    """What submitit runs in a job; picklable. Its time is announced by SIGUSR2, which calls `checkpoint`."""

    command: Sequence[str]
    """The program that works on the sweep, with its arguments. It takes `--time-limit`, and ends as run-sweep does."""
    output_dir: Path
    jobs: Path
    """The directory of the submission."""
    time: float | None
    """The time limit of the job in seconds."""
    notice: float
    """The seconds before its time limit at which it is warned."""
    needs: Sequence[str] = ()
    """Files and directories that must be readable."""
    progress_before: Any = None
    """The progress of the sweep when the job was last queued again."""
    runs: int = 0
    """How often the job has run before."""
    _runtime: _Runtime | None = field(default=None, init=False, repr=False)

    def __call__(self) -> None:
        """Work until there is nothing more to do; exit with the program's code otherwise."""
        self._runtime = runtime = _Runtime(self)
        try:
            code = runtime.work()
        finally:
            runtime.kill()
        if runtime.is_to_go_on(code):
            os.kill(os.getpid(), signal.SIGUSR2)  # submitit calls `checkpoint`, queues the job again and exits
            time.sleep(60)
        runtime.conclude(code)
        if code:
            sys.exit(code if code > 0 else 128 - code)

    def checkpoint(self) -> DelayedSubmission:
        """Let the running trials write their state; return the job that goes on when it is queued again."""
        runtime = self._runtime
        assert runtime is not None, "the job has not begun"  # noqa: S101
        runtime.end_early()
        progress = _progress(runtime.status)
        if progress is not None and progress == self.progress_before:
            runtime.record("failed", f"two runs in a row made no progress; raise the time limit ({self.time:g} s)")
            sys.exit(1)
        runtime.record("queued again", None)
        again = replace(self, progress_before=progress, runs=self.runs + 1)
        return DelayedSubmission(again)


class _Runtime:
    """One run of a job, in its process."""

    def __init__(self, job: SweepJob) -> None:
        self._job = job
        self._began = time.monotonic()
        self._directory = JobDirectory(job.jobs)
        self._id: str = JobEnvironment().job_id
        self._child: subprocess.Popen[bytes] | None = None
        self._is_over = False
        self._is_due = False
        self._is_terminated = False
        self._record = JobRecord(
            id=self._id,
            host=socket.gethostname(),
            node=os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
            gpus=os.environ.get("CUDA_VISIBLE_DEVICES"),
            run=job.runs + 1,
            started=now(),
        )

    @property
    def status(self) -> SweepStatus | None:
        """The state of the sweep; None if it cannot be read here."""
        try:
            return recorded_status(self._job.output_dir, storage=os.environ.get("BERTNADO_STORAGE"))
        except (InvalidInputError, RuntimeError, OSError):
            return None

    def work(self) -> int:
        """Run the program to its end, and return its exit code; 0 at once if there is nothing to do."""
        self._directory.write_job(self._record)
        signal.signal(signal.SIGTERM, self._terminate)
        if self._directory.is_cancelled or self._is_done():
            _say("nothing is left to do")
            return 0
        missing = [path for path in self._job.needs if not os.access(path, os.R_OK)]
        if missing:
            _say(f"Error: not readable on {self._record.node}: {', '.join(missing)}")
            return MISTAKE
        _say(f"job {self._id}, run {self._record.run}, on {self._record.node}: model and dataset are readable")
        limit = [] if self._time_left() is None else ["--time-limit", f"{self._time_left():.0f}s"]
        environment = {**os.environ, JOB_VARIABLE: self._id}
        command = [*self._job.command, *limit]
        self._child = subprocess.Popen(command, start_new_session=True, env=environment)  # noqa: S603 (our own command)
        threading.Thread(target=self._wait, daemon=True).start()
        while not self._is_over:
            time.sleep(_PAUSE)
        return self._child.returncode

    def _wait(self) -> None:
        assert self._child is not None  # noqa: S101
        self._child.wait()
        self._is_over = True

    def _is_done(self) -> bool:
        status = self.status
        return status is not None and status.budget is not None and status.finished >= status.budget

    def _time_left(self) -> float | None:
        """Return the seconds until the program should end; None without a limit."""
        if self._job.time is None:
            return None
        return max(self._job.time - self._job.notice - (time.monotonic() - self._began), 1.0)

    def _terminate(self, *_: object) -> None:
        self._is_terminated = True
        self._send(signal.SIGTERM)

    def _send(self, signum: int) -> None:
        if self._child is not None and not self._is_over:
            self._child.send_signal(signum)

    def end_early(self) -> None:
        """Let the program end, and its trials write their state; kill it if the job's end comes first."""
        self._is_due = True
        self._send(signal.SIGUSR2)
        deadline = time.monotonic() + max(self._job.notice - _MARGIN, self._job.notice / 2)
        while self._child is not None and not self._is_over and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        self.kill()

    def is_to_go_on(self, code: int) -> bool:
        """Return True if the program ended because the time of the job is over."""
        left = self._time_left()
        is_over = self._is_due or (left is not None and left <= 1.0)
        return is_over and not self._is_terminated and code not in (0, 1, MISTAKE)

    def conclude(self, code: int) -> None:
        """Record how the job ended."""
        outcome: Outcome = "done"
        if self._is_terminated:
            outcome = "interrupted"
        elif code == UNFINISHED:
            outcome = "stopped"
        elif code:
            outcome = "failed"
        self.record(outcome, self._last_words() if code else None)

    def _last_words(self) -> str | None:
        return self._directory.last_line(self._id)

    def record(self, outcome: Outcome, message: str | None) -> None:
        """Record the end of this run."""
        self._directory.write_job(
            self._record.model_copy(update={"ended": now(), "outcome": outcome, "message": message})
        )

    def kill(self) -> None:
        """Kill the program if it still runs, with its workers."""
        if self._child is not None and not self._is_over:
            os.killpg(self._child.pid, signal.SIGKILL)


def _say(text: str) -> None:
    """Print a line into the log of the job."""
    print(text, flush=True)  # noqa: T201


def _progress(status: SweepStatus | None) -> Any:
    """Return how far the trials of a sweep are; None if that is unknown."""
    if status is None:
        return None
    return sorted((trial.number, trial.state, [row["to_step"] for row in trial.attempts]) for trial in status.trials)
