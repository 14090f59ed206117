"""The output directory of one machine, with the directories of the trials that were trained there."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertnado_config import InvalidInputError, to_json_types

from bertnado_sweep.records.files import (
    TRIAL_FILE,
    is_trial_directory,
    make_trial_directory,
    now,
    read_sweep_id,
    read_trial,
    write_trial,
)
from bertnado_sweep.records.training_states import STATE_FILE, find_state
from bertnado_sweep.records.trial import JOB_VARIABLE, Trial
from bertnado_sweep.running.limits import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class OutputDirectory:
    """The output directory that this process works in."""

    path: Path
    """Absolute."""
    sweep_id: str
    place: str | None = None
    """Its id among the output directories of the machines that share a database; None without a database."""
    keeps_states: bool = False
    """True if trials write their training state."""

    def new_trial(self, number: int, parameters: Mapping[str, Any], earlier: Trial | None = None) -> Trial:
        """Make a trial that runs here, in a new directory.

        Args:
            number: Its number.
            parameters: Its parameters.
            earlier: Its previous attempt, which was interrupted.

        Raises:
            OSError: The directory cannot be made.
        """
        attempt = earlier.attempt + 1 if earlier else 1
        directory = make_trial_directory(self.path)
        return Trial(
            number=number,
            id=f"{self.sweep_id}-{number}" + (f"-{attempt}" if attempt > 1 else ""),
            state="running",
            parameters=parameters,
            directory=directory,
            started=now(),
            attempt=attempt,
            host=socket.gethostname(),
            job=os.environ.get(JOB_VARIABLE),
            training_state=directory / STATE_FILE if self.keeps_states else None,
            resumed_from=find_state(earlier) if earlier and self.keeps_states else None,
            attempts=earlier.attempts if earlier else (),
            sweep_id=self.sweep_id,
            place=self.place,
        ).with_steps(0, None)

    def holds(self, trial: Trial) -> bool:
        """Return True if a trial's directory lies here.

        Machines that share a database may use the same path, and even the same host name, so a path proves nothing
        there. Version 0.1.0 recorded no place; of its trials only the host name tells.
        """
        is_here = self.place is None or trial.place == self.place
        if self.place is not None and trial.place is None:
            is_here = trial.host == socket.gethostname()
        return is_here and is_trial_directory(trial.directory, self.path)

    def write(self, trial: Trial) -> dict[str, Any]:
        """Write `trial.json`, if the trial's directory lies here, and return the record for the study.

        Raises:
            OSError: It cannot be written.
        """
        record: dict[str, Any] = write_trial(trial) if self.holds(trial) else to_json_types(trial.to_record())
        if self.place is None:
            return record
        return record | trial.absolute_paths()

    def read_end(self, trial: Trial) -> Trial | None:
        """Return a trial as its `trial.json` has it, if that lies here and records the end of this attempt."""
        if not self.holds(trial):
            return None
        with suppress(InvalidInputError):
            written = read_trial(trial.directory / TRIAL_FILE, self.path)
            return written if written.id == trial.id and written.is_over else None
        return None

    def require_own(self) -> None:
        """Make sure that no other sweep has been begun here since, in place of a directory that was moved away.

        Raises:
            StorageError: One has.
        """
        found = self.sweep_id
        with suppress(InvalidInputError):  # a damaged record is still this sweep's
            found = read_sweep_id(self.path) or self.sweep_id
        if found != self.sweep_id:
            raise StorageError(
                f"{self.path} now holds sweep {found}, not {self.sweep_id}, so this one ends here; "
                "its trials are where its directory was moved to"
            )
