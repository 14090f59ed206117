"""The files that record a sweep: `sweep.json` in the output directory, and a `trial.json` for each trial."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from bertnado_config import (
    ArgumentProblem,
    InvalidInputError,
    Problem,
    UnfitFileError,
    path_problem,
    read_json,
    require_regular_file,
    to_json_types,
    write_json,
)

from .presence import try_beginning
from .record_format import FORMAT, require_known_format
from .sweep_record import complete_sweep_record
from .trial import TRAINING_LOG, Trial, read_record

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

SWEEP_FILE = "sweep.json"
TRIAL_FILE = "trial.json"
ERROR_FILE = "error.txt"
JOURNAL_FILE = "journal.log"
LOGS = "logs"
"""The directory of the output of worker processes."""


class DamagedRecordError(InvalidInputError):
    """Part of a `sweep.json` is lost."""


_LIBRARIES = (
    *("bertnado", "bertnado-config", "bertnado-metrics", "bertnado-sweep", "bertnado-train"),
    *("datasets", "numpy", "optuna", "scikit-learn", "torch", "transformers", "wandb"),
)


def now() -> str:
    """Return the current time, ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


_TRIAL_DIRECTORY = re.compile(r"sweep_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(_\d+)?")


def make_trial_directory(output_dir: Path, at: datetime | None = None) -> Path:
    """Create the directory of a new trial, named after the local time: `sweep_2026-11-23_18-30-00`.

    If several trials start within one second, in whatever processes, their directories end in `_2`, `_3`, ...

    Raises:
        OSError: The directory cannot be created.
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


def is_trial_directory(directory: Path, output_dir: Path) -> bool:
    """Return True if `directory` has the name of a trial's directory and really lies in `output_dir`."""
    is_named_so = directory.parent == output_dir and _TRIAL_DIRECTORY.fullmatch(directory.name) is not None
    return is_named_so and not directory.is_symlink()


def trial_directories(output_dir: Path) -> list[Path]:
    """Return the directories of trials in an output directory, by name."""
    return sorted(path for path in output_dir.glob("sweep_*/") if is_trial_directory(path, output_dir))


def write_trial(trial: Trial) -> dict[str, Any]:
    """Write the trial's `trial.json`, atomically, and return its content in JSON types, without the training log.

    A directory that was removed is created again. A trial whose training log is unknown keeps the one that is there.

    Raises:
        OSError: It cannot be written.
    """
    trial.directory.mkdir(exist_ok=True)
    path = trial.directory / TRIAL_FILE
    if path.is_dir():
        set_aside(path)
    record: dict[str, Any] = to_json_types(trial.to_record())
    log = trial.training_log or read_training_log(trial.directory, trial.id)
    write_json(path, {**record, TRAINING_LOG: log} if log else record)
    return record


def read_training_log(directory: Path, trial_id: str | None = None) -> Sequence[Mapping[str, Any]]:
    """Return the training log in the `trial.json` of a directory; empty if there is none.

    Args:
        directory: The directory of a trial.
        trial_id: The id that the trial must have; by default any.
    """
    try:
        trial = read_trial(directory / TRIAL_FILE, directory.parent)
    except InvalidInputError:
        return ()
    return trial.training_log if trial_id in (None, trial.id) else ()


def read_trial(path: Path, output_dir: Path) -> Trial:
    """Read one `trial.json`.

    Raises:
        NewerRecordError: It was written by a newer version.
        InvalidInputError: It cannot be read, or it is not the record of a trial.
    """
    record = read_json(path)
    require_known_format(record, path)
    try:
        record = read_record(record)
    except ValueError as error:
        raise InvalidInputError([Problem("", f"is not the record of a trial: {error}")], source=str(path)) from None
    return Trial.from_record(record, output_dir)


def set_aside(path: Path) -> Path:
    """Rename a damaged file, see `free_name_aside`.

    Raises:
        OSError: It cannot be renamed.
    """
    return path.rename(free_name_aside(path))


def free_name_aside(path: Path) -> Path:
    """Return the first of `NAME.damaged-1`, `NAME.damaged-2`, ... that does not exist."""
    number = 1
    while (other := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return other


def require_journal(path: Path) -> None:
    """Check that a journal, if it exists, is a regular file.

    Raises:
        InvalidInputError: It is not.
    """
    try:
        if path.exists():
            require_regular_file(path)
    except UnfitFileError as error:
        raise InvalidInputError([_problem(f"{path} {error}; restore the journal, or remove it")]) from None


def library_versions() -> dict[str, str]:
    """Return the installed versions of Python and of the main libraries."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def git_commit(directory: Path | None = None) -> str | None:
    """Return the commit of `directory`, by default the working directory; None outside a repository."""
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


def named_directory(output_dir: str | Path) -> Path:
    """Return the absolute path of an output directory.

    Raises:
        InvalidInputError: No directory can have that name.
    """
    problem = path_problem(output_dir, "a directory")
    if problem is not None:
        raise InvalidInputError([_problem(problem)])
    return Path(output_dir).absolute()


def holds_record(directory: Path) -> bool:
    """Return True if a sweep is recorded in the directory; other files in it do not matter."""
    return any((directory / name).exists() for name in (SWEEP_FILE, JOURNAL_FILE))


def read_sweep_id(output_dir: Path) -> str | None:
    """Return the id of the sweep that is recorded in the directory; None if there is none."""
    path = output_dir / SWEEP_FILE
    return read_sweep(path)["sweep_id"] if path.is_file() else None


def read_place(output_dir: Path) -> str | None:
    """Return the id of this output directory among those of a shared sweep; None if nothing is recorded yet."""
    path = output_dir / SWEEP_FILE
    return read_sweep(path).get("place") if path.is_file() else None


def read_sweep(path: Path) -> dict[str, Any]:
    """Read a `sweep.json`.

    Raises:
        DamagedRecordError: Part of it is lost.
        NewerRecordError: It was written by a newer version.
        InvalidInputError: It is not the record of a sweep.
    """
    try:
        record = read_json(path)
    except InvalidInputError as error:
        what = "; ".join(str(problem) for problem in error.problems)
        raise DamagedRecordError([_problem(f"{path} is damaged ({what}); {_SWEEP_CURE}")]) from None
    require_known_format(record, path)
    if not isinstance(record, dict) or "sweep_id" not in record:
        raise InvalidInputError(
            [_problem(f"{path} must be the record of a sweep, got something else; choose another {{output_dir}}")]
        )
    try:
        return complete_sweep_record(cast("dict[str, Any]", record))
    except ValueError as error:
        raise DamagedRecordError([_problem(f"{path} is damaged ({error}); {_SWEEP_CURE}")]) from None


_SWEEP_CURE = "restore an undamaged copy, or choose another {output_dir}; the trials beside it stay unchanged"


def output_problems(output_dir: Path, *, known: str | None = None) -> list[Problem]:
    """Return why a sweep cannot be recorded in `output_dir`; empty if it can. Nothing is left behind.

    Args:
        output_dir: The directory for the record.
        known: The id of the sweep that may already be recorded there.
    """
    if output_dir.exists() and not output_dir.is_dir():
        return [_problem(f"{{output_dir}} must be a directory, got the file {output_dir}")]
    if holds_record(output_dir) and (known is None or read_sweep_id(output_dir) != known):
        return [_taken(output_dir)]
    nearest = next(path for path in (output_dir, *output_dir.absolute().parents) if path.exists())
    if not nearest.is_dir():
        return [_problem(f"{output_dir} cannot be created, because {nearest} is a file; choose another {{output_dir}}")]
    try:
        with TemporaryFile(dir=nearest) as probe:
            probe.write(b"writable?")
    except OSError as error:
        reason, cure = error.strerror or error, "choose another {output_dir}"
        cure = f"free some space there, or {cure}" if error.errno in (errno.ENOSPC, errno.EDQUOT) else cure
        return [_problem(f"{nearest} is not writable ({reason}); {cure}")]
    return []


@dataclass(frozen=True)
class Room:
    """The room that files of one kind and size take on the disk at the same time."""

    what: str
    size: int
    """Bytes of one file."""
    count: int

    def __str__(self) -> str:
        return f"{describe_bytes(self.size * self.count)} of {self.what} ({self.count} of {describe_bytes(self.size)})"


def room_problems(output_dir: Path, needs: Sequence[Room]) -> list[Problem]:
    """Return a problem if what a sweep writes does not fit on the disk.

    Args:
        output_dir: The directory of the sweep; it need not exist.
        needs: What is on the disk at the same time.
    """
    nearest = next(path for path in (output_dir, *output_dir.absolute().parents) if path.exists())
    needed, free = sum(room.size * room.count for room in needs), shutil.disk_usage(nearest).free
    if needed <= free:
        return []
    rule = f"{{output_dir}} must have room for {' and '.join(map(str, needs))}, got {describe_bytes(free)}"
    ways = "free some space, choose another {output_dir}, lower {workers}, or set {keep_checkpoints} to best or none"
    if any(room.what == "training states" for room in needs):
        ways = ways.replace(", or set", ", set") + ", or {save_state_every} to never"
    return [_problem(f"{rule}; {ways}")]


def describe_bytes(count: int) -> str:
    """Return a size in a few characters: `12.3 MB`, `4.1 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _problem(message: str) -> Problem:
    return ArgumentProblem("output_dir", message)


def _taken(output_dir: Path) -> Problem:
    ways = f"continue it with {{resume}} or choose another {{output_dir}} (for example {_free_neighbour(output_dir)})"
    return _problem(f"{output_dir} already contains a sweep; {ways}")


def _free_neighbour(output_dir: Path) -> Path:
    number = 2
    while (neighbour := output_dir.with_name(f"{output_dir.name}_{number}")).exists():
        number += 1
    return neighbour


def claim(output_dir: Path, record: Mapping[str, Any]) -> None:
    """Claim `output_dir` for a sweep: write its `sweep.json`, unless the sweep has already done so.

    Raises:
        InvalidInputError: It belongs to another sweep; nothing was changed.
        OSError: It cannot be written.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        if not holds_record(output_dir):
            _write_first(output_dir / SWEEP_FILE, record)
    require_own(output_dir, record["sweep_id"])


def unclaim(output_dir: Path, sweep_id: str) -> None:
    """Undo `claim` for a sweep that could not start."""
    if read_sweep_id(output_dir) == sweep_id:
        (output_dir / SWEEP_FILE).unlink()


def require_own(output_dir: Path, sweep_id: str) -> None:
    """Check that no other sweep is recorded in an output directory.

    Raises:
        InvalidInputError: One is.
    """
    if holds_record(output_dir) and read_sweep_id(output_dir) != sweep_id:
        raise InvalidInputError([_taken(output_dir)])


@contextmanager
def beginning_alone(output_dir: Path) -> Generator[None]:
    """Keep other processes from starting a sweep in an existing directory while the block runs.

    Raises:
        InvalidInputError: Another process is starting one, or a sweep is recorded there.
    """
    with try_beginning(output_dir) as is_ours:
        if not is_ours or holds_record(output_dir):
            raise InvalidInputError([_taken(output_dir)])
        yield


def _write_first(path: Path, record: Mapping[str, Any]) -> None:
    """Write a file that does not exist yet, completely or not at all.

    Raises:
        FileExistsError: It exists; another process may have been faster.
        OSError: It cannot be written.
    """
    scratch = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        write_json(scratch, {"format": FORMAT, **record})
        path.hardlink_to(scratch)
    except FileExistsError:
        raise
    except OSError:
        if not scratch.exists():
            raise
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))  # the file system has no hard links
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def write_sweep(output_dir: Path, record: Mapping[str, Any]) -> None:
    """Write `sweep.json`, atomically.

    Raises:
        OSError: It cannot be written.
    """
    write_json(output_dir / SWEEP_FILE, {"format": FORMAT, **record})
