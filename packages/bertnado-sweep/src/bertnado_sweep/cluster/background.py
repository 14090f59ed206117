"""Jobs of this machine: background processes, which submitit describes, and which outlive the one that starts them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bertnado_config import VISIBLE_DEVICES
from submitit import LocalExecutor, LocalJob
from submitit.core.submission import process_job
from submitit.local.local import LOCAL_REQUEUE_RETURN_CODE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class BackgroundExecutor(LocalExecutor):
    """submitit's executor of this machine, but its jobs write to their logs alone, and go on for as long as they ask.

    submitit's own have the terminal of the process that starts them, know GPUs by number only, and end after six runs.
    """

    def __init__(self, folder: Path, setup: Sequence[str], gpus: Sequence[str], **options: Any) -> None:
        """Prepare to start jobs.

        Args:
            folder: The directory for their logs and files.
            setup: Shell commands to run first.
            gpus: The GPUs of a job, as CUDA names them.
            options: Those of `LocalExecutor`.
        """
        super().__init__(folder, **options)
        self._setup = setup
        self._gpus = gpus

    @property
    def _submitit_command_str(self) -> str:
        return shlex.join([sys.executable, "-u", "-m", __name__, str(self.folder)])

    def _submit_command(self, command: str) -> LocalJob[Any]:
        log = f"{shlex.quote(str(self.folder))}/$$_0_log.out"
        lines = [f"exec >>{log} 2>&1", "export SUBMITIT_LOCAL_JOB_ID=$$", *self._setup, f"exec {command}"]
        environment = {**os.environ, "SUBMITIT_EXECUTOR": "local", VISIBLE_DEVICES: ",".join(self._gpus)}
        process = subprocess.Popen(  # noqa: S603 (the user's own commands)
            [shutil.which("bash") or "/bin/sh", "-c", "\n".join(lines)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return LocalJob(folder=self.folder, job_id=str(process.pid), process=process)


def main(folder: str) -> None:
    """Run a job, and again whenever it asks to be queued again."""
    while True:
        try:
            return process_job(folder)
        except SystemExit as ended:
            if ended.code != LOCAL_REQUEUE_RETURN_CODE:
                raise


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(sys.argv[1])
