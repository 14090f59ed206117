"""The text of `bertnado sync`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertnado_sweep import SyncedRun

_OUTCOMES: Mapping[str, str] = {
    "uploaded": "uploaded",
    "uploaded before": "was uploaded before",
    "incomplete": "uploaded up to the moment when its process was killed",
    "empty": "has nothing to upload: its process was killed before the run began",
    "running": "is still running; run the command again when it has ended",
    "failed": "could not be uploaded",
}


def describe_synced(run: SyncedRun) -> str:
    """Return a line that tells what became of an offline run."""
    trial = "" if run.trial is None else f" (trial {run.trial.number + 1})"
    reason = f": {run.reason}" if run.reason else ""
    return f"{run.id}{trial} {_OUTCOMES[run.outcome]}{reason}"
