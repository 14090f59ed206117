"""Which trial is the best, and the files that say so."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bertnado_config import write_best_config, write_json

from .record import git_commit, library_versions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bertnado_metrics import Objective

    from .trial import Trial

BEST_CONFIG_FILE = "best_sweep_config.json"
BEST_DETAILS_FILE = "best_sweep_details.json"


class NoEligibleTrialError(RuntimeError):
    """A sweep in which no trial came to a value. It names each reason once.

    Attributes:
        trials: The trials that were run.
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.trials: tuple[Trial, ...] = tuple(trials)
        super().__init__(self.trials)

    def __str__(self) -> str:
        if not self.trials:
            return "no trial was run, so there is no best one"
        reasons = Counter(trial.error or trial.state for trial in self.trials)
        lines = [f"  {count} of {len(self.trials)}: {reason}" for reason, count in reasons.most_common()]
        where = f"  see {self.trials[0].directory.parent}"
        return "\n".join(["no trial came to a value, so there is no best one:", *lines, where])


def choose_best(trials: Sequence[Trial], objective: Objective) -> Trial | None:
    """The trial with the best value among those that completed or were stopped early.

    A tie goes to the earlier trial. `None` where no trial is eligible.
    """
    best: Trial | None = None
    for trial in sorted(trials, key=lambda trial: trial.number):
        if trial.is_eligible and (best is None or objective.is_better(trial.value, best.value)):
            best = trial
    return best


def export_best(best: Trial, objective: Objective, output_dir: Path, sweep_id: str) -> Path:
    """Write `best_sweep_config.json`, and beside it what else is worth knowing of that trial.

    Each file is replaced atomically; the details repeat the parameters, so that a reader can tell that the
    two belong together.

    Raises:
        OSError: They cannot be written.
    """
    details = {
        "sweep_id": sweep_id,
        "trial": best.id,
        "number": best.number,
        "directory": best.directory.name,
        "checkpoint": best.checkpoint,
        "objective": {"name": objective.name, "goal": objective.goal},
        "value": best.value,
        "step": best.step,
        "seed": best.seed,
        "parameters": best.parameters,
        "details": best.details,
        "versions": library_versions(),
        "git_commit": git_commit(),
    }
    write_json(output_dir / BEST_DETAILS_FILE, details)
    path = output_dir / BEST_CONFIG_FILE
    write_best_config(path, dict(best.parameters), objective)
    return path
