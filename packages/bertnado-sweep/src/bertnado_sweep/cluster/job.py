"""A job: runs a program that works on a sweep, warns it before the time is over, and has itself queued again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from submitit.helpers import DelayedSubmission

from .job_run import JobRun
from .progress import read_progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


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
    _run: JobRun | None = field(default=None, init=False, repr=False)

    def __call__(self) -> None:
        """Work until there is nothing more to do; exit with the program's code otherwise."""
        self._run = run = JobRun(self.jobs, self.output_dir, self.time, self.notice)
        try:
            code = run.work(self.command, self.needs)
            if run.is_to_go_on(code):
                os.kill(os.getpid(), signal.SIGUSR2)  # submitit calls `checkpoint`, queues the job again and exits
                time.sleep(60)
        except (subprocess.SubprocessError, OSError) as error:  # of `scontrol requeue`, or of the program's start
            run.record("failed", _describe(error, is_requeue=run.is_due))
            raise
        finally:
            run.kill()
        _end(run, code)

    def checkpoint(self) -> DelayedSubmission:
        """Let the running trials write their state; return the job that goes on when it is queued again."""
        run = self._run
        if run is None:  # it has not begun
            return DelayedSubmission(self)
        code = run.end_early()
        if not run.is_to_go_on(code):
            _end(run, code)
        progress = read_progress(self.output_dir)
        if progress is not None and progress == self.progress_before:
            limit = "" if self.time is None else f" ({self.time:g} s)"
            run.record("failed", f"two runs in a row made no progress; raise the time limit{limit}")
            sys.exit(1)
        run.record("queued again", None)
        return DelayedSubmission(replace(self, progress_before=progress))


def _end(run: JobRun, code: int) -> None:
    run.conclude(code)
    sys.exit(code if code >= 0 else 128 - code)


def _describe(error: Exception, *, is_requeue: bool) -> str:
    if is_requeue:
        return f"the scheduler did not queue the job again; submit again, and its trials continue ({error})"
    return f"the program could not be started: {error}"
