"""Baselines in another process, so that training does not wait for them."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bertnado_sweep.records.baselines import read_baselines

if TYPE_CHECKING:
    from bertnado_sweep.records.baselines import RecordedBaselines

    from bertnado.baseline_data import BaselineData

_CHILD = "import sys; from bertnado.baseline_process import serve; serve(sys.argv[1])"
_DATA, _FOUND, _ERRORS = "data.pickle", "baselines.json", "errors.txt"
_LOW_PRIORITY = 10


class BaselinesFailedError(Exception):
    """The process ended without baselines."""


class BaselineProcess:
    """Computes baselines with one thread; `close` it in any case."""

    def __init__(self, data: BaselineData) -> None:
        """Start it.

        Raises:
            OSError: It cannot be started, or its files cannot be written.
            Exception: The task cannot be sent to another process.
        """
        self._directory = Path(tempfile.mkdtemp(prefix="bertnado-baselines-"))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            (self._directory / _DATA).write_bytes(pickle.dumps(data))
            self._process = self._start()
        except BaseException:
            self.close()
            raise

    def wait(self, seconds: float) -> RecordedBaselines | None:
        """Wait for the baselines; return None if they take longer.

        Raises:
            BaselinesFailedError: The process ended without them; the message is the last line that it wrote.
        """
        assert self._process is not None  # noqa: S101  (it was started)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        found, _ = read_baselines(self._directory / _FOUND)
        if found is None:
            lines = (self._directory / _ERRORS).read_text("utf-8", "replace").strip().splitlines()
            raise BaselinesFailedError(lines[-1] if lines else f"exit code {self._process.returncode}")
        return found

    def step_back(self) -> None:
        """Give it a low priority from now on: training begins."""
        if self._process is not None and not self.has_ended:
            with suppress(OSError):  # it has ended at this moment
                os.setpriority(os.PRIO_PROCESS, self._process.pid, _LOW_PRIORITY)

    @property
    def has_ended(self) -> bool:
        """True if it computes nothing any more."""
        return self._process is None or self._process.poll() is not None

    def close(self) -> None:
        """End it, and remove its files."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self) -> subprocess.Popen[bytes]:
        with (self._directory / _ERRORS).open("wb") as errors:
            return subprocess.Popen(  # noqa: S603 (our own code)
                [sys.executable, "-P", "-c", _CHILD, str(self._directory)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,  # a Ctrl-C is for the sweep, which ends this process
                env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            )


def serve(directory: str) -> None:
    """Be the process: read the data, compute, and write what was found."""
    data: BaselineData = pickle.loads((Path(directory) / _DATA).read_bytes())  # noqa: S301 (of our own process)
    data.compute().write(Path(directory) / _FOUND)
