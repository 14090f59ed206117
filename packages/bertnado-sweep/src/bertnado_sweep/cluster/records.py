"""The record of submitted jobs: a directory for each submission, `jobs/1`, `jobs/2`, ..., with a file for each job.

The process that submits writes `submission.json`, and each job writes `job-ID.json`, so that no file has two writers.
The logs and the files of submitit lie beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from bertnado_config import InvalidInputError, read_json, write_json
from pydantic import BaseModel, ConfigDict, ValidationError

from .options import Scheduler  # noqa: TC001 (pydantic reads the annotations)

if TYPE_CHECKING:
    from pathlib import Path

JOBS = "jobs"
SUBMISSION_FILE = "submission.json"
CANCELLED_FILE = "cancelled"

Outcome = Literal["done", "failed", "queued again", "interrupted", "stopped"]
"""How a job ended: `done` if it found nothing more to do, `stopped` if something else than its time ended it."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Submission(_Record):
    """Jobs that were submitted at once."""

    format: int = 1
    scheduler: Scheduler
    jobs: tuple[str, ...]
    """Their ids, as the scheduler has them."""
    processes: tuple[str, ...] = ()
    """The name of each job's process, for jobs of this machine; see `process_identity`."""
    time: float | None = None
    """The time limit of a job in seconds."""
    submitted: str
    """ISO 8601, UTC."""


class JobRecord(_Record):
    """One job, as it last described itself."""

    format: int = 1
    id: str
    host: str
    node: str
    """The scheduler's name for the host."""
    gpus: str | None = None
    """The GPUs that it sees, as CUDA names them."""
    run: int = 1
    """How often it has been started."""
    started: str
    """ISO 8601, UTC, of this run."""
    ended: str | None = None
    outcome: Outcome | None = None
    """None while it runs, or if it was killed."""
    message: str | None = None
    """Why it ended, in a line."""

    @property
    def is_over(self) -> bool:
        """True if it said that it ended, and not that it is queued again."""
        return self.outcome not in (None, "queued again")


class JobDirectory:
    """The directory of one submission."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, output_dir: Path) -> JobDirectory:
        """Make the next free directory."""
        above = output_dir / JOBS
        above.mkdir(exist_ok=True)
        number = 1
        while True:
            try:
                (above / str(number)).mkdir()
            except FileExistsError:
                number += 1
            else:
                return cls(above / str(number))

    def write_submission(self, submission: Submission) -> None:
        """Record what was submitted."""
        write_json(self.path / SUBMISSION_FILE, submission.model_dump())

    def read_submission(self) -> Submission | None:
        """Return what was submitted; None if it cannot be read."""
        return _read(Submission, self.path / SUBMISSION_FILE)

    def write_job(self, job: JobRecord) -> None:
        """Record the state of a job."""
        write_json(self._job_file(job.id), job.model_dump())

    def read_job(self, job_id: str) -> JobRecord | None:
        """Return how a job last described itself; None if it has not started, or its record cannot be read."""
        return _read(JobRecord, self._job_file(job_id))

    def log_of(self, job_id: str) -> Path:
        """Return the file of a job's output."""
        return self.path / f"{job_id}_0_log.out"

    def last_line(self, job_id: str) -> str | None:
        """Return the last line of a job's output; None if there is none."""
        try:
            with self.log_of(job_id).open("rb") as file:
                file.seek(0, 2)
                file.seek(max(file.tell() - 4096, 0))
                lines = file.read().decode(errors="replace").replace("\r", "\n").splitlines()
        except OSError:
            return None
        return next((line.strip() for line in reversed(lines) if line.strip()), None)

    def cancel(self) -> None:
        """Record that these jobs were cancelled, so that one that starts again ends."""
        (self.path / CANCELLED_FILE).touch()

    @property
    def is_cancelled(self) -> bool:
        """True if these jobs were cancelled."""
        return (self.path / CANCELLED_FILE).exists()

    def _job_file(self, job_id: str) -> Path:
        return self.path / f"job-{job_id}.json"


def submissions_of(output_dir: Path) -> list[tuple[JobDirectory, Submission]]:
    """Return all submissions of a sweep with their directories, the first one first."""
    numbered = [path for path in (output_dir / JOBS).glob("*/") if path.name.isdecimal()]
    directories = [JobDirectory(path) for path in sorted(numbered, key=lambda path: int(path.name))]
    found = [(directory, directory.read_submission()) for directory in directories]
    return [(directory, submission) for directory, submission in found if submission is not None]


def _read(model: type[Any], path: Path) -> Any:
    try:
        return model.model_validate(read_json(path))
    except (InvalidInputError, ValidationError):
        return None
