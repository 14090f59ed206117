"""Reading every `trial.json` of a sweep, even if some are damaged."""

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
    """The records in the directories of trials."""

    trials: tuple[Trial, ...]
    """Every attempt, in the order of its directory's name."""
    damaged: Mapping[Path, str]
    """Each `trial.json` that cannot be used, and why."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the damaged ones."""
        return tuple(f"{path} is damaged and left out: {why}" for path, why in self.damaged.items())


def read_trial_files(output_dir: Path, sweep_id: str, *, strict: bool = True) -> TrialFiles:
    """Read every `trial.json` of a sweep. A directory that somebody has copied or renamed counts as none.

    Args:
        output_dir: The sweep's.
        sweep_id: Whose trials are meant.
        strict: If True, a record without the id of its sweep, as 0.1.0 wrote them at W&B, is left out.

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
    """Join two records of the same trials, every attempt once: an end is believed before a beginning.

    Args:
        journal: The attempts as one has them.
        files: The attempts as the other has them.
        prefers_files: If True, the second is used if both have ended.
    """
    merged = {trial.id: trial for trial in journal}
    names = {trial.directory: trial.id for trial in merged.values()}
    for trial in files:
        name = trial.id if trial.id in merged else names.get(trial.directory, trial.id)  # one directory, one attempt
        known = merged.get(name)
        if known is None or (trial.is_over and (prefers_files or not known.is_over)):
            merged[name] = trial
    return list(merged.values())


def by_number(attempts: Iterable[Trial]) -> list[Trial]:
    """Return each trial in its latest attempt, by number."""
    return sorted(latest_attempts(attempts), key=lambda trial: (trial.number, trial.started, trial.id))


def read_trials(output_dir: Path, sweep_id: str) -> Sequence[Trial]:
    """Read every trial by its `trial.json`, each in its latest attempt, by number; damaged ones are left out."""
    return by_number(read_trial_files(output_dir, sweep_id, strict=False).trials)
