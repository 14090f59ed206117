"""Choosing the best trial, and exporting it."""

from __future__ import annotations

import math
import shutil
import socket
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from bertnado_config import (
    BEST_METRIC_KEYS,
    ConfirmedValue,
    InvalidInputError,
    read_json,
    to_json_types,
    write_best_config,
    write_json,
)
from bertnado_metrics import Objective

from .confirmation import is_damaged, standing_confirmation
from .files import git_commit, is_trial_directory, library_versions, set_aside
from .kept_run import kept_run

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from pathlib import Path

    from .confirmation import Confirmation
    from .trial import Trial

BEST_CONFIG_FILE = "best_sweep_config.json"
BEST_DETAILS_FILE = "best_sweep_details.json"

KeepCheckpoints = Literal["best", "all", "none"]
"""Checkpoints to keep on disk. `best` removes a checkpoint as soon as it cannot be the best any more."""


class NoEligibleTrialError(RuntimeError):
    """No trial of a sweep has a value. The message names each reason once.

    Attributes:
        trials: The trials that were run.
        ended_by: What ended the sweep early, such as its time limit; None if it is over.
    """

    def __init__(self, trials: Sequence[Trial], ended_by: str | None = None) -> None:
        self.trials: tuple[Trial, ...] = tuple(trials)
        self.ended_by = ended_by
        super().__init__(self.trials)

    def __str__(self) -> str:
        if not self.trials:
            return "no trial was run, so no best trial can be chosen"
        reasons = Counter(trial.error or trial.state for trial in self.trials)
        lines = [f"  {count} of {len(self.trials)}: {reason}" for reason, count in reasons.most_common()]
        where = f"  see {self.trials[0].directory.parent}"
        so_far = "" if self.ended_by is None else f" when {self.ended_by} ended the sweep"
        return "\n".join([f"no trial has a value{so_far}, so no best trial can be chosen:", *lines, where])


def choose_best(trials: Sequence[Trial], objective: Objective) -> Trial | None:
    """Return the trial with the best value among those that completed or were stopped early; None if there is none.

    A tie goes to the earlier trial.
    """
    return next(iter(ranked_trials(trials, objective)), None)


def ranked_trials(trials: Iterable[Trial], objective: Objective) -> list[Trial]:
    """Return the trials that completed or were stopped early with a value, the best first; ties as `choose_best`."""
    sign = -1 if objective.greater_is_better else 1
    eligible = [trial for trial in trials if trial.is_eligible]
    return sorted(eligible, key=lambda trial: (sign * (trial.value or 0.0), trial.number))


def left_checkpoint(trial: Trial) -> Path | None:
    """Return the checkpoint of a trial; None if it was removed, which only its own machine can tell."""
    is_gone = trial.checkpoint is not None and trial.host == socket.gethostname() and not trial.checkpoint.exists()
    return None if is_gone else trial.checkpoint


def export_best(
    best: Trial, objective: Objective, output_dir: Path, sweep_id: str, confirmation: Confirmation | None = None
) -> Path:
    """Write `best_sweep_config.json`, and beside it the details of that trial.

    Each file is replaced atomically. The details repeat the parameters, so that a reader can check that the two belong
    together. A directory in the place of a file is renamed.

    Args:
        best: The trial.
        objective: The objective.
        output_dir: The directory to write to.
        sweep_id: The sweep's.
        confirmation: The confirmation that the trial has won, if there is one.

    Raises:
        OSError: They cannot be written.
    """
    details = {
        "sweep_id": sweep_id,
        "trial": best.id,
        "number": best.number,
        "host": best.host,
        "directory": best.directory.name if best.directory.parent == output_dir else best.directory,
        "checkpoint": left_checkpoint(best),
        "objective": {"name": objective.name, "goal": objective.goal},
        "value": best.value,
        "step": best.step,
        "seed": best.seed,
        "parameters": best.parameters,
        "details": best.details,
        "versions": library_versions(),
        "git_commit": git_commit(),
    }
    confirmed = None if confirmation is None else confirmation.confirmed
    if confirmation is not None and confirmed is not None:
        details["confirmation"] = asdict(confirmed) | {"run": kept_run(confirmation.winning, objective, output_dir)}
    path = output_dir / BEST_CONFIG_FILE
    for place in (output_dir / BEST_DETAILS_FILE, path):
        if place.is_dir():
            set_aside(place)
    write_json(output_dir / BEST_DETAILS_FILE, details)
    write_best_config(path, dict(best.parameters), objective, confirmed=confirmed)
    return path


@dataclass(frozen=True)
class Export:
    """The exported best trial."""

    sweep_id: str
    trial: str
    objective: Objective
    value: float
    config: Mapping[str, Any]
    """The content of `best_sweep_config.json`."""

    @property
    def confirmed_keys(self) -> Mapping[str, Any]:
        """What the file holds of a confirmation; empty if the trial is not confirmed."""
        return {name: value for name, value in self.config.items() if name in _CONFIRMED_KEYS}

    def is_of(self, best: Trial, sweep_id: str) -> bool:
        """Return True if it is that trial."""
        return self.sweep_id == sweep_id and self.trial == best.id

    def is_better(self, trials: Sequence[Trial], best: Trial, objective: Objective, sweep_id: str) -> bool:
        """Return True if it is a better trial of the sweep than the best known one: a trial whose record is lost."""
        is_same = self.sweep_id == sweep_id and self.objective == objective
        is_lost = all(trial.id != self.trial for trial in trials)
        return is_same and is_lost and objective.is_better(self.value, best.value)


_CONFIRMED_KEYS = frozenset(ConfirmedValue(0.0, 0.0, (), "column").to_keys())


def read_export(output_dir: Path) -> Export | None:
    """Read the exported files; return None if they are missing, damaged or do not belong together."""
    try:
        said: Any = read_json(output_dir / BEST_DETAILS_FILE)
        config: Any = read_json(output_dir / BEST_CONFIG_FILE)
        parameters: dict[str, Any] = said["parameters"]
        exported = Export(said["sweep_id"], said["trial"], Objective(**said["objective"]), said["value"], config)
        is_one = all(config[name] == value for name, value in parameters.items() if name not in BEST_METRIC_KEYS)
        return exported if is_one and math.isfinite(exported.value) else None
    except (InvalidInputError, LookupError, TypeError, AttributeError, ValueError):
        return None


def export_and_clean_up(
    read: Callable[[], Sequence[Trial]],
    objective: Objective,
    output_dir: Path,
    sweep_id: str,
    keep: KeepCheckpoints,
) -> Trial | None:
    """Export the best recorded trial, and remove the checkpoints that need not be kept.

    Args:
        read: Reads all recorded trials.
        objective: The objective.
        output_dir: The directory to export to.
        sweep_id: The sweep's.
        keep: The checkpoints to keep.

    Returns:
        The best trial; None if there is none.

    Raises:
        OSError: It cannot be written.
    """
    best, trials = export_latest_best(read, objective, output_dir, sweep_id)
    if keep == "best":
        BestCheckpoint(objective, output_dir).update(trials)
    return best


def export_latest_best(
    read: Callable[[], Sequence[Trial]], objective: Objective, output_dir: Path, sweep_id: str
) -> tuple[Trial | None, Sequence[Trial]]:
    """Export the best recorded trial.

    Several processes may do so at once. Each reads the records again after writing, so the last file that is written is
    the best of all that were recorded by then.

    Args:
        read: Reads all recorded trials.
        objective: The objective.
        output_dir: The directory to export to.
        sweep_id: The sweep's.

    Returns:
        The best trial, None if there is none, and all trials, as they were read last.

    Raises:
        OSError: It cannot be written.
    """
    while True:
        trials = read()
        best = choose_best(trials, objective)
        if best is None or not export_if_better(trials, best, objective, output_dir, sweep_id):
            return best, trials


class BestCheckpoint:
    """Keeps the checkpoint of the best trial of this machine, or of each group of its trials, and removes all others.

    Each trial is compared once, after it has ended, with the best one before it.
    """

    def __init__(
        self,
        objective: Objective,
        output_dir: Path,
        is_ours: Callable[[Trial], bool] = lambda trial: True,
        group_of: Callable[[Trial], Hashable] = lambda trial: None,
    ) -> None:
        """Start without a checkpoint.

        Args:
            objective: The objective.
            output_dir: The output directory of this machine.
            is_ours: Returns True for a trial whose directory is on this machine.
            group_of: Returns the group of a trial; by default all are in one.
        """
        self._objective = objective
        self._output_dir = output_dir
        self._is_ours = is_ours
        self._group_of = group_of
        self._best: dict[Hashable, Trial] = {}
        self._compared: set[str] = set()

    def update(self, trials: Iterable[Trial]) -> None:
        """Compare those of the trials that have ended since the last call."""
        ended = [trial for trial in trials if trial.is_over and trial.id not in self._compared]
        self._compared.update(trial.id for trial in ended)
        groups: dict[Hashable, list[Trial]] = {}
        for trial in filter(self._is_ours, ended):
            groups.setdefault(self._group_of(trial), []).append(trial)
        for group, candidates in groups.items():
            self._compare(group, candidates)

    def _compare(self, group: Hashable, candidates: list[Trial]) -> None:
        if group in self._best:
            candidates.append(self._best.pop(group))
        best = choose_best(candidates, self._objective)
        if best is not None:
            self._best[group] = best
        for trial in candidates:
            if trial is not best:
                remove_checkpoint(trial, self._output_dir)


def export_if_better(
    trials: Sequence[Trial], best: Trial, objective: Objective, output_dir: Path, sweep_id: str
) -> bool:
    """Export the best trial, unless it is exported already, or a better one is whose record is lost.

    A confirmed trial stays the exported one, and is exported again if it is not, until a further trial of the search
    supersedes it.

    Returns:
        True if it was written.

    Raises:
        OSError: It cannot be written.
    """
    exported = read_export(output_dir)
    confirmation = standing_confirmation(output_dir, sweep_id, objective, best)
    if confirmation is not None:
        winner = _winner_of(confirmation, trials)
        if winner is None or _holds(exported, confirmation, sweep_id):
            return False
        export_best(winner, objective, output_dir, sweep_id, confirmation)
        return True
    if exported is not None and exported.confirmed_keys and exported.sweep_id == sweep_id and is_damaged(output_dir):
        return False
    if exported is not None and exported.is_of(best, sweep_id):
        return False
    if exported is not None and exported.is_better(trials, best, objective, sweep_id):
        return False
    export_best(best, objective, output_dir, sweep_id)
    return True


def _winner_of(confirmation: Confirmation, trials: Sequence[Trial]) -> Trial | None:
    """Return the trial that has won a confirmation; None if its record is lost."""
    return next((trial for trial in trials if trial.id == confirmation.winning.id), None)


def _holds(exported: Export | None, confirmation: Confirmation, sweep_id: str) -> bool:
    """Return True if the winner of a confirmation is exported, with its confirmed value."""
    if exported is None or (exported.sweep_id, exported.trial) != (sweep_id, confirmation.winning.id):
        return False
    return exported.confirmed_keys == to_json_types(confirmation.confirmed.to_keys())


def with_kept_checkpoint(ended: Trial, keep: KeepCheckpoints, output_dir: Path) -> Trial:
    """Return the trial for its record; if no checkpoint is kept, its own is removed."""
    if keep == "none" and remove_checkpoint(ended, output_dir):
        return replace(ended, checkpoint=None)
    return ended


def remove_checkpoint(trial: Trial, output_dir: Path) -> bool:
    """Remove a trial's checkpoint, if it really lies in the trial's own directory; return True if so."""
    if trial.checkpoint is None or not is_trial_directory(trial.directory, output_dir):
        return False
    try:
        checkpoint, directory = trial.checkpoint.resolve(), trial.directory.resolve()
    except (OSError, ValueError):  # no file can have that name
        return False
    if checkpoint == directory or not checkpoint.is_relative_to(directory):
        return False
    if checkpoint.is_file():
        checkpoint.unlink(missing_ok=True)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return True


def best_so_far(output_dir: Path) -> dict[str, Any]:
    """Return the exported best trial in plain values; each is None if nothing is exported.

    Returns:
        `sweep_id`, `best_run_id`, `metric_name`, `metric_goal`, `metric_for_best_model`, `metric_value`,
        `best_config` (what the file at `best_config_path` holds) and `best_config_path`; for a confirmed trial, also
        `confirmed_mean`, `confirmed_standard_error` and `confirmed_seeds`, and over folds `confirmed_folds`.
    """
    found = read_export(output_dir)
    if found is None:
        return dict.fromkeys(_RESULT)
    objective, path = found.objective, output_dir / BEST_CONFIG_FILE
    values = (found.sweep_id, found.trial, objective.name, objective.goal, objective.trainer_name)
    return {**dict(zip(_RESULT, (*values, found.value, found.config, str(path)), strict=True)), **found.confirmed_keys}


_RESULT = (
    *("sweep_id", "best_run_id", "metric_name", "metric_goal", "metric_for_best_model", "metric_value"),
    *("best_config", "best_config_path"),
)
