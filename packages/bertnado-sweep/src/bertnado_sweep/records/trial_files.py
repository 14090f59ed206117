"""Reading the `trial.json` files of a sweep, even if some of them are damaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertnado_config import InvalidInputError

from .files import TRIAL_FILE, read_trial, trial_directories
from .record_format import NewerRecordError
from .trial import Trial, latest_attempts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class TrialFiles:
    """The content of the `trial.json` files of a sweep."""

    trials: tuple[Trial, ...]
    """Every attempt, by the name of its directory."""
    damaged: Mapping[Path, str]
    """Each `trial.json` that cannot be used, with the reason."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """A warning for each damaged file."""
        return tuple(f"{path} is damaged and left out: {why}" for path, why in self.damaged.items())


def read_trial_files(output_dir: Path, sweep_id: str, *, strict: bool = True) -> TrialFiles:
    """Read every `trial.json` of a sweep, except in directories that were copied or renamed.

    Args:
        output_dir: The sweep's.
        sweep_id: The sweep's.
        strict: Leave out records that do not name their sweep; those of version 0.1.0 at W&B do not.

    Raises:
        NewerRecordError: One was written by a newer version.
    """
    trials: list[Trial] = []
    damaged: dict[Path, str] = {}
    for directory in trial_directories(output_dir):
        path = directory / TRIAL_FILE
        if not path.exists():
            continue
        try:
            trial = read_trial(path, output_dir)
        except NewerRecordError:
            raise
        except InvalidInputError as error:
            damaged[path] = "; ".join(problem.message for problem in error.problems)
            continue
        is_meant = trial.is_of(sweep_id) or (not strict and trial.sweep_id is None)
        if is_meant and trial.directory == directory:
            trials.append(trial)
    return TrialFiles(tuple(trials), damaged)


def merge(journal: Iterable[Trial], files: Iterable[Trial], *, prefers_files: bool = False) -> list[Trial]:
    """Combine two records of the same trials. A record of an attempt's end takes precedence over one of its start.

    Of two records of a running attempt, the file says how far it is.

    Args:
        journal: The attempts in one record.
        files: The attempts in the other record.
        prefers_files: Let the other take precedence if both record an end.
    """
    merged = {trial.id: trial for trial in journal}
    names = {trial.directory: trial.id for trial in merged.values()}
    for trial in files:
        name = trial.id if trial.id in merged else names.get(trial.directory, trial.id)  # one directory, one attempt
        known = merged.get(name)
        if known is None or (not known.is_over) or (trial.is_over and prefers_files):
            merged[name] = trial
    return list(merged.values())


def by_number(attempts: Iterable[Trial]) -> list[Trial]:
    """Return each trial in its latest attempt, by number."""
    return sorted(latest_attempts(attempts), key=lambda trial: (trial.number, trial.started, trial.id))


def read_trials(output_dir: Path, sweep_id: str) -> Sequence[Trial]:
    """Return every trial that has a valid `trial.json`, each in its latest attempt, by number."""
    return by_number(read_trial_files(output_dir, sweep_id, strict=False).trials)
