"""Uploading the runs that were tracked offline, one after the other."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bertnado_config import ArgumentProblem, InvalidInputError

from .backends.wandb.environment import WandbUnavailableError, require_server
from .records.confirmation import CONFIRMATION_DIRECTORY, FOLDS_DIRECTORY
from .records.files import SWEEP_FILE, named_directory
from .records.presence import Presence
from .running.environment_variables import environment_variables
from .running.offline_runs import OfflineRun, offline_runs
from .running.wandb_client import ONE_RUN
from .status import recorded_status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .records.trial import Trial

Outcome = Literal["uploaded", "uploaded before", "incomplete", "empty", "running", "failed"]

_NOT_FOR_UPLOADS = ("WANDB_MODE", "WANDB_DISABLED", "WANDB_SILENT", *ONE_RUN)
"""Variables that are about training, and that the client would obey."""


@dataclass(frozen=True)
class SyncedRun:
    """One offline run, after the attempt to upload it."""

    id: str
    directory: Path
    trial: Trial | None
    """The trial that it tracked; None for a run without a known trial."""
    outcome: Outcome
    """`incomplete`: its process was killed, and everything up to then is uploaded. `empty`: it was killed so early that
    there is nothing to upload. `running`: its trial is running, so it is left for later."""
    reason: str = ""
    """The client's words, if it failed."""


def sync_runs(output_dir: str | Path, *, storage: str | None = None) -> Iterator[SyncedRun]:
    """Upload the offline runs of a sweep or a final training with `wandb sync`, and yield each as soon as it is done.

    Those of a sweep's confirmations follow.

    Args:
        output_dir: The output directory.
        storage: The database of the sweep, with the password that the output directory does not contain.

    Raises:
        InvalidInputError: There is no offline run, or W&B cannot be used.
    """
    output = named_directory(output_dir)
    found = _find_runs(output, storage)
    for directory in (CONFIRMATION_DIRECTORY, FOLDS_DIRECTORY):
        found += _find_runs(output / directory)
    if not found:
        message = f"{output_dir} must contain runs that were tracked offline, in {output_dir}/wandb/offline-run-*"
        raise InvalidInputError([ArgumentProblem("output_dir", message)])
    try:
        require_server()
    except WandbUnavailableError as error:
        raise InvalidInputError([ArgumentProblem("", str(error))]) from None
    for run, trial, is_idle in found:
        is_running = trial is not None and trial.state == "running" and not is_idle
        yield SyncedRun(run.id, run.directory, trial, *(("running", "") if is_running else _sync(run)))


def _find_runs(output: Path, storage: str | None = None) -> list[tuple[OfflineRun, Trial | None, bool]]:
    """Return the offline runs of an output directory, the trial of each, and True if no process works there."""
    trials, sweep_id = _known_trials(output, storage)
    is_idle = not trials or _is_idle(output)
    return [(run, trials.get(run.id), is_idle) for run in offline_runs(output, sweep_id)]


def _known_trials(output: Path, storage: str | None) -> tuple[dict[str, Trial], str | None]:
    if not (output / SWEEP_FILE).exists():
        return {}, None
    status = recorded_status(output, storage=storage)
    return {trial.id: trial for trial in status.trials}, status.sweep_id


def _is_idle(output: Path) -> bool:
    """Return True if no process works in an output directory."""
    presence = Presence(output)
    try:
        return presence.is_alone()
    finally:
        presence.leave()


def _sync(run: OfflineRun) -> tuple[Outcome, str]:
    if run.is_uploaded:
        return "uploaded before", ""
    if not run.has_begun:
        return "empty", ""
    with environment_variables(dict.fromkeys(_NOT_FOR_UPLOADS)):
        command = [sys.executable, "-m", "wandb", "sync", str(run.directory)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # noqa: S603
    if run.is_uploaded:
        return "uploaded", ""
    reason = _error_in(done.stdout) or f"the client ended with exit code {done.returncode}"
    return ("incomplete", "") if "incomplete record" in reason else ("failed", reason)


def _error_in(output: str) -> str:
    """Return the client's error message in one line; empty if there is none."""
    words = output.replace("wandb:", " ").partition("ERROR")[2].replace("ERROR", " ").split()
    return " ".join(words)
