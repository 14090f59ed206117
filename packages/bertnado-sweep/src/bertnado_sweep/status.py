"""What is known of a sweep, running or over, here or at W&B, and its best trial once more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bertnado_config import InvalidInputError, Problem

from .backends import get_backend_type
from .backends.wandb.environment import quiet_client, require_wandb
from .backends.wandb.service import ServiceError, check_service_config, find_sweep, read_service_trials
from .records.best import BEST_CONFIG_FILE, NoEligibleTrialError, choose_best, export_best, read_exported
from .records.files import SWEEP_FILE, named_directory
from .resume import find_recorded, read_recorded

if TYPE_CHECKING:
    from bertnado_metrics import Objective

    from .records.trial import Trial


@dataclass(frozen=True)
class SweepStatus:
    """A sweep as it stands."""

    sweep_id: str
    source: str
    """Where this is known from: the output directory, or the sweep's address at W&B."""
    objective: Objective
    trials: tuple[Trial, ...]
    """All of them, by number."""
    warnings: tuple[str, ...] = ()
    """What of the record is damaged."""

    @property
    def best(self) -> Trial | None:
        """The best trial so far; `None` where none is eligible."""
        return choose_best(self.trials, self.objective)

    def export(self, output_dir: str | Path) -> Path:
        """Write `best_sweep_config.json`, and the details beside it, into `output_dir`.

        What is there already stays where it is of a better trial of this sweep: the record of that one was lost.

        Raises:
            NoEligibleTrialError: There is no best trial.
            OSError: They cannot be written.
        """
        best = self.best
        if best is None:
            raise NoEligibleTrialError(self.trials)
        output = Path(output_dir)
        output.mkdir(parents=True, exist_ok=True)
        if not self.has_better_export(output):
            export_best(best, self.objective, output, self.sweep_id)
        return output / BEST_CONFIG_FILE

    def has_better_export(self, output_dir: str | Path) -> bool:
        """Return whether what is exported in `output_dir` is of a better trial of this sweep than any that is known."""
        exported, best = read_exported(Path(output_dir)), self.best
        if exported is None or best is None:
            return False
        return exported.is_better(self.trials, best, self.objective, self.sweep_id)


def recorded_status(output_dir: str | Path, *, storage: str | None = None) -> SweepStatus:
    """Read what the output directory of a sweep records, or the database that it names; asks nobody else.

    Args:
        output_dir: The sweep's.
        storage: The database with its password, which the output directory does not hold.

    Raises:
        InvalidInputError: No sweep is recorded there.
    """
    named_directory(output_dir)
    directory = Path(output_dir)
    if read_recorded(directory.absolute()) is None:
        below = sorted(path.parent for path in directory.glob(f"*/{SWEEP_FILE}"))
        hint = f"did you mean {below[0]}?" if below else "give the --output-dir of a run-sweep, or a --sweep-id"
        raise InvalidInputError([Problem("output_dir", f"no sweep is recorded in {directory}; {hint}")])
    recorded = find_recorded(directory, storage=storage)
    if recorded is None:
        raise InvalidInputError([Problem("storage", f"the database no longer has the sweep of {directory}")])
    trials, warnings = get_backend_type(recorded.backend).read_trials(recorded)
    return SweepStatus(recorded.sweep_id, str(directory), recorded.objective, tuple(trials), tuple(warnings))


def service_status(sweep_id: str, *, entity: str | None = None, project: str | None = None) -> SweepStatus:
    """Read a sweep's runs from W&B.

    Args:
        sweep_id: `[ENTITY/PROJECT/]ID`.
        entity: The W&B user or team, where the id does not say it.
        project: The W&B project, where the id does not say it.

    Raises:
        InvalidInputError: W&B cannot be asked, has no such sweep, or keeps a file that cannot be used.
    """
    here = Path.cwd()
    try:
        require_wandb()
        with quiet_client(here):
            sweep, document = find_sweep(sweep_id, entity=entity, project=project)
            config = check_service_config(document, sweep).require()
            objective = config.resolve_objective()
            trials = read_service_trials(sweep, config, objective, here)
            return SweepStatus(sweep.id, sweep.url, objective, tuple(trials))
    except InvalidInputError:
        raise
    except (ServiceError, ValueError) as error:
        raise InvalidInputError([Problem("sweep_id", str(error))]) from None
