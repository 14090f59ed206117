"""How the local backend is chosen, checked and created."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from bertnado_config import ArgumentProblem, InvalidInputError

from bertnado_sweep.records.files import JOURNAL_FILE, SWEEP_FILE
from bertnado_sweep.records.trial import Trial
from bertnado_sweep.records.trial_files import by_number, merge, read_trial_files
from bertnado_sweep.search.space import space_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_config import Problem, SweepConfig

    from bertnado_sweep.backends.base import Backend
    from bertnado_sweep.options import SweepOptions
    from bertnado_sweep.plan import Plan
    from bertnado_sweep.records.recorded_sweep import RecordedSweep


class LocalBackendType:
    """Searches on this machine, without an account. See `BackendType`."""

    name = "local"

    def is_meant_by(self, options: SweepOptions) -> bool:
        """A database, a sweep that several jobs begin together, and start points are the local backend's."""
        is_local = options.storage is not None or options.join_or_begin or options.start_from is not None
        return options.sweep_id is None and is_local

    def check_options(self, options: SweepOptions) -> Sequence[Problem]:
        """Return what is wrong with the database, and options of W&B."""
        if options.sweep_id is not None:
            return [ArgumentProblem("sweep_id", "{sweep_id} requires {backend} wandb or auto, got local")]
        return () if options.storage is None else _storage_problems(options.storage)

    def require(self) -> str:
        """It can always be used."""
        return ""

    def check_file(self, config: SweepConfig, command: Sequence[str]) -> Sequence[Problem]:
        """Every valid sweep file suits it."""
        return ()

    def size_of(self, config: SweepConfig, *, is_exhaustive: bool) -> int | None:
        """Return the size of the space: the same parameters are never trained twice."""
        return space_size(config)

    def prepared(self, output_dir: Path) -> AbstractContextManager[None]:
        """Nothing needs to be prepared."""
        return nullcontext()

    def create(self, plan: Plan) -> Backend:
        """Create the sweep, or continue it."""
        from .backend import LocalBackend

        return LocalBackend.create(plan)

    def read_trials(self, recorded: RecordedSweep) -> tuple[list[Trial], list[str]]:
        """Read the database, or journal and `trial.json`, so that what one of them has lost the other still tells.

        Raises:
            InvalidInputError: The database cannot be used.
        """
        if recorded.storage is not None:
            from .storage import open_storage, shared_records

            found = shared_records(open_storage(recorded.output_dir, recorded.storage), str(recorded.study))
            return by_number(Trial.from_record(record, recorded.output_dir) for record in found), []
        return _read_both_records(recorded)


def _storage_problems(storage: str) -> Sequence[Problem]:
    from .storage import open_storage

    try:
        open_storage(Path(), storage)
    except InvalidInputError as error:
        return error.problems
    return ()


def _read_both_records(recorded: RecordedSweep) -> tuple[list[Trial], list[str]]:
    from .journal_reading import read_journal

    output_dir, sweep_id = recorded.output_dir, recorded.sweep_id
    files = read_trial_files(output_dir, sweep_id)
    path = output_dir / JOURNAL_FILE
    journal = read_journal(path, sweep_id)
    known = [Trial.from_record(record, output_dir) for record in journal.records.values()]
    merged = merge(known, files.trials, prefers_files=bool(journal.damages))
    damages = [f"{path} is damaged: {journal.summary}; --resume repairs it"] if journal.damages else []
    if recorded.is_damaged:
        damages.append(f"{output_dir / SWEEP_FILE} is damaged; --resume rewrites it from {JOURNAL_FILE}")
    return by_number(merged), [*files.warnings, *damages]
