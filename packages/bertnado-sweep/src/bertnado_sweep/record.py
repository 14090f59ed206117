"""What is written down of a sweep: `sweep.json` in the output directory, a `trial.json` for each trial."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from bertnado_config import Problem, SweepConfigError, read_json, write_json

from .trial import Trial, latest_attempts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

SWEEP_FILE = "sweep.json"
TRIAL_FILE = "trial.json"
ERROR_FILE = "error.txt"
JOURNAL_FILE = "journal.log"
LOGS = "logs"
"""The directory of what workers print."""

_LIBRARIES = (
    *("bertnado", "bertnado-config", "bertnado-metrics", "bertnado-sweep", "bertnado-train"),
    *("datasets", "numpy", "optuna", "scikit-learn", "torch", "transformers", "wandb"),
)


def now() -> str:
    """The present, ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def make_trial_directory(output_dir: Path, at: datetime | None = None) -> Path:
    """Make a directory that no other trial has, named after the local time: `sweep_2026-11-23_18-30-00`.

    Trials that start within one second get `_2`, `_3`, ... at the end, whatever process they run in.

    Raises:
        OSError: The directory cannot be made.
    """
    name = (at or datetime.now(UTC).astimezone()).strftime("sweep_%Y-%m-%d_%H-%M-%S")
    attempt = 1
    while True:
        directory = output_dir / (name if attempt == 1 else f"{name}_{attempt}")
        try:
            directory.mkdir()
        except FileExistsError:
            attempt += 1
        else:
            return directory


def write_trial(trial: Trial) -> dict[str, Any]:
    """Replace the trial's `trial.json`, atomically; what comes back is its content as JSON has it.

    Raises:
        OSError: It cannot be written.
    """
    path = trial.directory / TRIAL_FILE
    write_json(path, trial.to_record())
    return json.loads(path.read_text(encoding="utf-8"))


def read_trials(output_dir: Path) -> list[Trial]:
    """Read every trial that is recorded in a sweep's output directory, each in its latest attempt, by number."""
    found = [read_trial(path, output_dir) for path in output_dir.glob(f"sweep_*/{TRIAL_FILE}")]
    return sorted(latest_attempts(found), key=lambda trial: (trial.number, trial.started, trial.id))


def read_trial(path: Path, output_dir: Path) -> Trial:
    """Read one `trial.json`.

    Raises:
        SweepConfigError: Its syntax is broken.
    """
    return Trial.from_record(read_json(path), output_dir)


def remove_leftovers(output_dir: Path, known: Collection[Path]) -> None:
    """Remove what a kill between two writes leaves: scratch files, and trial directories that no trial owns.

    Args:
        output_dir: A sweep's, that nobody is working on.
        known: The trials' directories.
    """
    for scratch in output_dir.rglob(".*.tmp"):
        scratch.unlink(missing_ok=True)
    for directory in output_dir.glob("sweep_*/"):
        if directory not in known:
            shutil.rmtree(directory, ignore_errors=True)


def library_versions() -> dict[str, str]:
    """The versions of Python and of the main libraries that are installed here."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def git_commit(directory: Path | None = None) -> str | None:
    """The commit that `directory` (the working directory unless given) is at; `None` where there is none."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        answer = subprocess.run(  # noqa: S603 (a fixed command)
            command, cwd=directory, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


def holds_record(directory: Path) -> bool:
    """Whether a sweep was recorded in the directory; other files in it do not matter."""
    return any((directory / name).exists() for name in (SWEEP_FILE, JOURNAL_FILE))


def read_sweep_id(output_dir: Path) -> str | None:
    """The id of the sweep that is recorded in the directory; `None` where there is none."""
    path = output_dir / SWEEP_FILE
    return read_sweep(path)["sweep_id"] if path.is_file() else None


def read_sweep(path: Path) -> dict[str, Any]:
    """Read a `sweep.json`.

    Raises:
        SweepConfigError: It is no record of a sweep.
    """
    record = read_json(path)
    if not isinstance(record, dict) or "sweep_id" not in record:
        message = f"{path} is no record of a sweep; name another --output-dir"
        raise SweepConfigError([_problem(message)])
    return cast("dict[str, Any]", record)


def output_problems(output_dir: Path, *, known: str | None = None) -> list[Problem]:
    """Why no sweep can be recorded in `output_dir`; empty where one can. Leaves nothing behind.

    Args:
        output_dir: Where the record would be.
        known: The id of the sweep that may be recorded there already.
    """
    if output_dir.exists() and not output_dir.is_dir():
        return [_problem(f"{output_dir} is a file; name a directory with --output-dir")]
    if holds_record(output_dir) and (known is None or read_sweep_id(output_dir) != known):
        ways = f"go on with it, --resume, or begin another, --output-dir {_free_neighbour(output_dir)}"
        return [_problem(f"{output_dir} holds the record of another sweep, which is kept; {ways}")]
    nearest = next(path for path in (output_dir, *output_dir.absolute().parents) if path.exists())
    if not nearest.is_dir():
        return [_problem(f"{nearest} is a file, so {output_dir} cannot be made; name another --output-dir")]
    try:
        with TemporaryFile(dir=nearest) as probe:
            probe.write(b"writable?")
    except OSError as error:
        reason = error.strerror or error
        return [_problem(f"{nearest} cannot be written ({reason}); name another --output-dir")]
    return []


def room_problems(output_dir: Path, checkpoint: int, count: int) -> list[Problem]:
    """Say so where a sweep's checkpoints need more than the disk has free.

    Args:
        output_dir: Where they will be; it need not exist.
        checkpoint: Bytes of one of them.
        count: How many are on disk at once.
    """
    nearest = next(path for path in (output_dir, *output_dir.absolute().parents) if path.exists())
    needed, free = count * checkpoint, shutil.disk_usage(nearest).free
    if needed <= free:
        return []
    ways = "free some, name an --output-dir elsewhere, lower --workers, or choose --keep-checkpoints best or none"
    message = (
        f"{count} checkpoints of {_size(checkpoint)} need {_size(needed)} there, and {_size(free)} are free; {ways}"
    )
    return [_problem(message)]


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _problem(message: str) -> Problem:
    return Problem("output_dir", message)


def _free_neighbour(output_dir: Path) -> Path:
    number = 2
    while (neighbour := output_dir.with_name(f"{output_dir.name}_{number}")).exists():
        number += 1
    return neighbour


def claim(output_dir: Path, record: Mapping[str, Any]) -> None:
    """Make `output_dir` this sweep's: write its `sweep.json` where there is none.

    Raises:
        FileExistsError: Another sweep claimed it at the same time.
        OSError: It cannot be written.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    path, scratch = output_dir / SWEEP_FILE, output_dir / f".{SWEEP_FILE}.{uuid4().hex}.tmp"
    try:
        write_json(scratch, record)
        path.hardlink_to(scratch)  # whole or not at all, and never over another's
    except FileExistsError:
        raise
    except OSError:
        if path.exists() or not scratch.exists():
            raise
        scratch.replace(path)  # the file system has no hard links
    finally:
        scratch.unlink(missing_ok=True)


def write_sweep(output_dir: Path, record: Mapping[str, Any]) -> None:
    """Write `sweep.json`, atomically.

    Raises:
        OSError: It cannot be written.
    """
    write_json(output_dir / SWEEP_FILE, record)
